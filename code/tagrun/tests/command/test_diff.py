"""`diff`: the code of two runs, or of a run and the files as they are."""

import shutil

import pytest


@pytest.fixture
def two(stubbed):
    """A project with the runs t1/0 and t2/0, which differ in lr."""
    stubbed.tagrun('run', '-f', 't1')
    stubbed.tagrun('run', '-f', 't2', '--set', 'lr=0.5')
    return stubbed


def test_the_code_of_two_runs_and_nothing_else(two):
    shown = two.tagrun('diff', 't1', 't2').stdout
    assert '-lr = 0.1 ' in shown and '+lr = 0.5 ' in shown
    assert [line for line in shown.splitlines() if line.startswith('+++')] == [
        '+++ b/code/config.py'
    ]
    assert two.tagrun('diff', 't1/0', 't1').stdout == ''


def test_with_one_run_what_was_changed_since_in_code_alone(two):
    two.edit('model.py', 'The network', 'My network')
    (two.root / 'README.md').write_text('mine')
    two.git('add', '-A')
    shown = two.tagrun('diff', 't1').stdout
    assert '+"""My network' in shown and 'README' not in shown
    assert 'code/model.py | 2 +-' in two.tagrun('diff', 't1', '--stat').stdout


def test_runs_that_only_git_knows_are_shown_too(two):
    shutil.rmtree(two.root / '__result__')
    assert two.tagrun('diff', 't1/0', 't2').stdout.count('\n+lr = 0.5') == 1


def test_a_run_that_nobody_knows_or_whose_commit_is_gone_is_refused(two):
    assert "'nowhere' has no run here" in two.tagrun('diff', 'nowhere', code=1).stderr
    path = two.folder('t1/0') / 'run.json'
    commit = two.git('rev-parse', 'HEAD').strip()
    path.write_text(path.read_text().replace(commit, 'a' * 40))
    assert 'git fetch origin ' + 'a' * 40 in two.tagrun('diff', 't1', code=1).stderr
