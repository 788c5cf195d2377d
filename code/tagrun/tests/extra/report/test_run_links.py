"""Which runs came from which."""

import pytest
from report_pages import make_run

from tagrun.extra.report import run_links


def test_a_rerun_and_its_original_name_each_other(stubbed):
    infos = {'t/0': {}, 't/1': {'rerun_of': 't/0', 'verdict': {'same': True}}}
    for name, info in infos.items():
        make_run(stubbed, name, info=info)
    same = ['same', ': the same, bit for bit']
    assert run_links.of_runs(stubbed.root, infos) == {
        't/0': [['made again by', 't/1', *same]],
        't/1': [['made again from', 't/0', *same]],
    }


def test_a_run_of_the_tag_that_the_page_lacks_is_named_too(stubbed):
    make_run(stubbed, 't/0')
    make_run(stubbed, 't/1', info={'continued_from': 't/0'})
    assert run_links.of_runs(stubbed.root, {'t/0': {}}) == {
        't/0': [['a checkpoint of it began', 't/1', '', '']]
    }


@pytest.mark.parametrize('other', ['t/0', '../../etc', 5, None, ['t/0']])
def test_a_name_that_is_not_another_run_is_no_link(stubbed, other):
    make_run(stubbed, 't/0')
    infos = {'t/0': {'rerun_of': other}}
    assert run_links.of_runs(stubbed.root, infos) == {'t/0': []}


@pytest.mark.parametrize(
    'verdict, words',
    [
        (None, ['', ': no verdict yet']),
        ({'same': False}, ['differs', ': not the same']),
        ({'same': 'true', 'first_difference': 5}, ['differs', ': not the same']),
        (
            {'first_difference': {'stream': 'loss', 'epoch': 2, 'step': 31, 'here': 1, 'there': 2}},
            [
                'differs',
                ': not the same: the loss at step 31 of epoch 2 (1 in the later, 2 in the first)',
            ],
        ),
    ],
)
def test_a_verdict_says_where_the_runs_differ(stubbed, verdict, words):
    for name in ('t/0', 't/1'):
        make_run(stubbed, name)
    infos = {'t/0': {}, 't/1': {'rerun_of': 't/0', 'verdict': verdict}}
    ((_, _, *said),) = run_links.of_runs(stubbed.root, infos)['t/1']
    assert said == words
