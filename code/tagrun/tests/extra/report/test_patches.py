"""The code of runs as patches, on real git."""

import pytest
import stub_project
from report_pages import commits as make_commits

from tagrun.core.git.repository import Repository
from tagrun.extra.report import patches


@pytest.fixture(scope='module')
def three_commits(tmp_path_factory):
    """(repository, ids of three commits with model.py of their own, all on HEAD)."""
    project = stub_project.make(tmp_path_factory.mktemp('patches') / "a 'b; c")
    messages = ['first\n\nwith a body', 'second', 'second']
    ids = make_commits(project, ['A <b@c>', 'B', 'C'], messages, 'model.py')
    return Repository.at(project.root), ids


def gather(three_commits, *places):
    repository, ids = three_commits
    commit_of = {f't/{number}': ids[place] for number, place in enumerate(places)}
    known = patches.with_parents(repository, commit_of.values())
    return patches.gather(repository, list(commit_of), commit_of, known)


def test_a_commit_has_its_parent_author_time_and_message(three_commits):
    repository, ids = three_commits
    known = patches.commits(repository, [ids[0], None, 'f' * 40])
    assert list(known) == [ids[0]]
    head, commit = repository.resolve('HEAD'), known[ids[0]]
    assert (commit.parent, commit.time) == (head, 1_763_000_000)
    assert commit.author.startswith('A ') and commit.message == 'first\n\nwith a body'
    assert head in patches.with_parents(repository, [ids[0]])


def test_a_run_is_compared_with_the_commit_before_it_and_with_the_first_run(three_commits):
    repository, ids = three_commits
    of_runs = gather(three_commits, 0, 1)
    ((title, patch),) = of_runs['t/0']
    assert title.startswith('Code against the commit before it (') and '+first' in patch
    before, first = of_runs['t/1']
    assert '+second' in before[1] and first[0] == f'Code against t/0 ({ids[0][:10]})'
    assert '-first' in first[1] and '+second' in first[1]


def test_the_same_code_is_said_and_equal_patches_stand_once(three_commits):
    of_runs = gather(three_commits, 1, 2)
    titles = [title for title, _ in of_runs['t/1']]
    assert titles[1].endswith(': the same but for the seed') and of_runs['t/1'][1][1] == ''
    assert len(gather(three_commits, 0, 0)['t/1']) == 2


def test_a_commit_that_is_not_here_has_no_patch(three_commits):
    repository, ids = three_commits
    known = patches.with_parents(repository, ids)
    commit_of = {'t/0': 'f' * 40, 't/1': None, 't/2': ids[0]}
    assert list(patches.gather(repository, list(commit_of), commit_of, known)) == ['t/2']
    assert patches.gather(None, list(commit_of), commit_of, known) == {}
    assert patches.with_parents(None, ids) == {}


def test_a_long_patch_is_cut_and_too_many_are_left_out(three_commits, monkeypatch):
    monkeypatch.setattr(patches, 'LONGEST', 150)
    ((_, patch),) = gather(three_commits, 0)['t/0']
    assert 'more lines: `git diff` of the two commits shows them' in patch
    monkeypatch.setattr(patches, 'AT_ONCE', 1)
    monkeypatch.setattr(patches, 'TOGETHER', 10)
    ((_, patch),) = gather(three_commits, 0, 1)['t/1']
    assert patch == patches.TOO_MUCH
