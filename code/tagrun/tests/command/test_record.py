"""The command record: what comes into a list, once."""

import pytest
from run_factory import listed, run

from tagrun.store import layout


@pytest.fixture
def project(stubbed):
    return stubbed


@pytest.fixture
def lines(project):
    return lambda name='record': layout.list_file(project.root, name).read_text().splitlines()


def test_a_bare_tag_takes_up_all_its_runs_and_nothing_twice(project, lines):
    for name in ('five/0', 'five/1', 'wide/0', 'wide/1'):
        run(project.root, name)
    assert 'added: five/0-1 wide/1' in project.tagrun('record', 'five', 'wide/1').stderr
    assert 'there already: five/0-1' in project.tagrun('record', 'five', 'wide/0').stderr
    assert lines() == ['five/0', 'five/1', 'wide/1', 'wide/0']


def test_prefix_star_and_last_are_understood_and_another_list_too(project, lines):
    run(project.root, 'five/0')
    run(project.root, 'wide/0')
    project.tagrun('record', 'fi', '--to', 'paper')
    project.tagrun('record', 'wide/*', '@last', '--to', 'paper')
    assert lines('paper') == ['five/0', 'wide/0']
    assert not layout.list_file(project.root, 'record').exists()


def test_an_unknown_name_is_refused_with_a_near_one_and_nothing_is_added(project):
    run(project.root, 'five/0')
    assert "Did you mean 'five'?" in project.tagrun('record', 'five', 'fvie', code=1).stderr
    assert 'five has 1 run, 0 to 0' in project.tagrun('record', 'five/3', code=1).stderr
    assert not layout.list_file(project.root, 'record').exists()


@pytest.mark.parametrize('name', ['../x', '/tmp/x', 'a;b', '', 'a b', '-x', '.git'])
def test_a_set_is_no_path(project, tmp_path, name):
    run(project.root, 'five/0')
    before = sorted(tmp_path.rglob('*'))
    assert 'cannot be a set' in project.tagrun('record', 'five', f'--to={name}', code=1).stderr
    for command in ('table', 'title'):
        project.tagrun(command, '--', name, code=1)
    assert sorted(tmp_path.rglob('*')) == before


def test_what_is_not_finished_is_taken_up_and_said(project, lines):
    run(project.root, 't1/0', status='failed')
    run(project.root, 't1/1', status='running')
    (run(project.root, 't1/2') / 'statistic.json').write_text('{')
    told = project.tagrun('record', 't1').stderr
    assert (
        't1/0 is not finished: failed' in told
        and 't1/1 is not finished: killed' in told
        and 't1/2 is not finished: its statistic.json' in told
    )
    assert lines() == ['t1/0', 't1/1', 't1/2']


def test_the_set_of_finished_runs_takes_no_other(project, lines):
    run(project.root, 't1/0', status='failed')
    run(project.root, 't2/0')
    before = lines('finished')
    refused = project.tagrun('record', 't2', 't1', '--to', 'finished', code=1).stderr
    assert 't1/0 is not finished (failed)' in refused and '--to <another set>' in refused
    assert lines('finished') == before


def test_without_a_name_it_is_the_latest_run_of_the_commit_one_stands_on(project, lines):
    assert 'no run here was recorded from the commit' in project.tagrun('record', code=1).stderr
    project.tagrun('run', 'first')
    project.tagrun('run', 'second')
    project.tagrun('rerun', 'first')
    project.tagrun('record')
    assert lines() == ['first/1']
    project.edit('model.py', 'none', 'another')
    project.commit()
    assert 'no run here was recorded from the commit' in project.tagrun('record', code=1).stderr


def test_a_list_edited_by_hand_is_added_to_and_not_changed(project):
    run(project.root, 'five/0')
    path = listed(project.root, 'record', '# the paper', '', 'wide  # to come')
    project.tagrun('record', 'five')
    assert path.read_text() == '# the paper\n\nwide  # to come\nfive/0\n'
