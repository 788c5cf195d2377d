"""core/git/status.py: the files that differ from HEAD, as git prints them for programs."""

import subprocess

import pytest
import small_repository

from tagrun.core.git import status
from tagrun.core.git.repository import Repository
from tagrun.core.git.status import Change

ONE = '1 {state} {submodule} {modes} ' + ' '.join(['a' * 40] * 2) + ' {path}\0'
BOTH, NEW, GONE = '100644 100644 100644', '000000 100644 100644', '100644 100644 000000'
NEITHER = '000000 100644 000000'


def line(state, path, modes=BOTH, submodule='N...'):
    return ONE.format(state=state, submodule=submodule, modes=modes, path=path)


def test_kinds_are_told_apart():
    output = (
        line('.M', 'a b')
        + line('A.', 'staged', NEW)
        + line('.A', 'only announced', NEW)
        + line('AD', 'staged, then removed', NEITHER)
        + line('.M', 'module', submodule='S.M.')
        + line('.D', 'gone', GONE)
        + line('D.', 'not in the index', BOTH)
        + 'u UU N... 100644 100644 100644 100644 '
        + ' '.join(['a' * 40] * 3)
        + ' both sides\0? new\nfile\0? a clone/\0'
    )
    assert status.parse(output) == [
        Change('modified', 'a b'),
        Change('new', 'staged'),
        Change('new', 'only announced'),
        Change('submodule', 'module'),
        Change('deleted', 'gone'),
        Change('deleted', 'not in the index'),
        Change('unmerged', 'both sides'),
        Change('new', 'new\nfile'),
        Change('repository', 'a clone'),
    ]


def test_nothing_printed_is_no_change():
    assert status.parse('') == []


def test_a_link_to_nowhere_is_not_deleted(tmp_path):
    root = small_repository.make(tmp_path)
    (root / 'README.md').unlink()
    (root / 'README.md').symlink_to('nowhere')
    assert Repository.at(root).changes() == [Change('modified', 'README.md')]


def test_a_merge_conflict_is_unmerged(tmp_path):
    root = small_repository.make(tmp_path)
    small_repository.git(root, 'checkout', '-qb', 'other')
    (root / 'README.md').write_text('theirs\n')
    small_repository.commit(root, 'theirs')
    small_repository.git(root, 'checkout', '-q', 'main')
    (root / 'README.md').write_text('ours\n')
    small_repository.commit(root, 'ours')
    repository = Repository.at(root)
    assert repository.under_way() == ''
    with pytest.raises(subprocess.CalledProcessError):
        small_repository.git(root, 'merge', 'other')
    assert repository.changes() == [Change('unmerged', 'README.md')]
    assert repository.under_way() == 'a merge'
