"""The HTML file: its policy, table and notes."""

import re

import pytest
from report_pages import make_run

from tagrun.extra.report import page_data, page_file
from tagrun.store import table
from tagrun.store.table import Column


@pytest.fixture
def runs(stubbed):
    """Two finished runs, one that failed, and one with an odd state."""
    make_run(stubbed, 'base/0', metric={'val/acc': 0.5}, time={'seconds': 60})
    make_run(stubbed, 'base/1', metric={'val/acc': 0.75}, time={'seconds': 1e300})
    make_run(stubbed, 'wide/0', metric={'val/acc': 'nan'}, status='failed', time={})
    make_run(stubbed, 'odd/0', metric={}, status='best right', time={})
    loaded, _ = table.load(stubbed.root, [('base', 0), ('base', 1), ('wide', 0), ('odd', 0)])
    return loaded


def render(root, runs, left_out=0):
    columns = [Column('run', 'status'), Column('metric', 'val/acc')]
    data = page_data.gather(root, None, runs, columns)
    return page_file.render('paper <b>', runs, columns, left_out, data).decode()


def test_the_page_has_a_row_for_each_run_with_the_best_value_marked(stubbed, runs):
    text = render(stubbed.root, runs)
    assert text.count('<tr data-run=') == 4
    assert text.count('class="right best"') == 1
    assert '<td class="right best">0.7500</td>' in text
    assert '<title>paper &lt;b&gt;: 4 runs</title>' in text


def test_a_state_of_ours_is_a_class_and_another_word_is_not(stubbed, runs):
    text = render(stubbed.root, runs)
    assert '<td class="failed">failed</td>' in text and '<td>best right</td>' in text


def test_the_policy_allows_the_pages_own_scripts_alone(stubbed, runs):
    policy = page_file.policy('a', 'b', 'c')
    assert policy.count("'sha256-") == 3 and policy.startswith("default-src 'none'; script-src ")
    assert 'unsafe' not in policy and 'http' not in policy
    text = render(stubbed.root, runs)
    assert len(re.findall('<script>', text)) == 2


def test_the_summary_counts_runs_tags_states_and_time(runs):
    assert page_file.summary(runs) == (
        '4 runs of 3 tags: 2 finished, 1 failed, 1 best right; 1 min 0 s of training'
    )


def test_the_notes_name_the_monitored_metric_and_what_is_left_out(stubbed, runs):
    text = render(stubbed.root, runs, left_out=2)
    assert 'the best epoch by val/acc; bold: the best of a column.' in text
    assert '2 further columns: the single runs show them.' in text
    assert 'further column' not in render(stubbed.root, runs)
