"""The frozen copy of a commit's code."""

import errno
import os

import pytest

from tagrun.core.cli.messages import UserError
from tagrun.core.git.repository import Repository
from tagrun.core.record import snapshot
from tagrun.core.record.snapshot import EXECUTABLE, LINK, File

FILES = [
    File('main.py', '100644', b'print(1)\n'),
    File('tools/go', EXECUTABLE, b'#!/bin/sh\n'),
    File('here', LINK, b'main.py'),
]


def test_the_files_of_a_commit_are_read_and_of_the_tool_only_what_training_imports(stubbed):
    repository = Repository.at(stubbed.root)
    files = {file.path: file for file in snapshot.read(repository, repository.resolve('HEAD'))}
    assert files['main.py'].content == (stubbed.root / 'code' / 'main.py').read_bytes()
    assert 'tagrun/store/layout.py' in files and 'tagrun/CONTRACT' in files
    assert not [path for path in files if path.startswith(snapshot.LEFT_OUT)]


def test_a_commit_that_cannot_be_run_is_refused(stubbed):
    repository = Repository.at(stubbed.root)
    with pytest.raises(UserError, match='git fetch origin'):
        snapshot.read(repository, '0' * 40)
    stubbed.git('mv', 'code/main.py', 'code/other.py')
    stubbed.git('commit', '-qm', 'no main')
    with pytest.raises(UserError, match='no code/main.py'):
        snapshot.read(repository, repository.resolve('HEAD'))


def test_it_is_written_once_read_only_and_repaired_where_it_was_changed(tmp_path):
    assert snapshot.write(FILES, tmp_path) == []
    code = tmp_path / 'code'
    assert os.access(code / 'tools' / 'go', os.X_OK) and not os.access(code / 'main.py', os.X_OK)
    assert code.joinpath('main.py').stat().st_mode & 0o222 == 0
    assert os.readlink(code / 'here') == 'main.py'
    assert snapshot.write(FILES, tmp_path) == []
    (code / 'main.py').chmod(0o644)
    (code / 'main.py').write_text('edited')
    (code / 'here').unlink()
    assert snapshot.differences(FILES, tmp_path) == (['main.py', 'here'], [])
    assert snapshot.write(FILES, tmp_path) == ['main.py', 'here']
    assert (code / 'main.py').read_bytes() == FILES[0].content


def test_equal_files_are_hard_links_to_the_run_before(tmp_path):
    folders = [tmp_path / '__result__' / 't1' / str(number) for number in (0, 1)]
    for folder in folders:
        folder.mkdir(parents=True)
        snapshot.write(FILES, folder)
    one, other = (folder / 'code' / 'main.py' for folder in folders)
    assert os.path.samefile(one, other)


@pytest.mark.parametrize('number', [errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.EXDEV])
def test_where_the_system_refuses_hard_links_the_files_are_written(tmp_path, monkeypatch, number):
    """Of another user's file, at the most links, and on file systems that have none."""

    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(snapshot.os, 'link', refuse)
    for name in '01':
        folder = tmp_path / '__result__' / 't1' / name
        folder.mkdir(parents=True)
        assert snapshot.write(FILES, folder) == []
        assert snapshot.differences(FILES, folder) == ([], [])
        assert not os.access(folder / 'code' / 'main.py', os.W_OK) or os.getuid() == 0


def test_nothing_is_written_through_a_link_in_a_folders_place(tmp_path):
    (tmp_path / 'run' / 'code').mkdir(parents=True)
    (tmp_path / 'outside').mkdir()
    (tmp_path / 'run' / 'code' / 'tools').symlink_to(tmp_path / 'outside')
    assert snapshot.write(FILES, tmp_path / 'run') == ['tools', *(file.path for file in FILES)]
    assert list((tmp_path / 'outside').iterdir()) == []


def test_what_python_could_import_beside_the_commits_files_is_named(tmp_path):
    snapshot.write(FILES, tmp_path)
    (tmp_path / 'code' / 'extra.py').write_text('')
    (tmp_path / 'code' / 'notes.txt').write_text('')
    assert snapshot.differences(FILES, tmp_path) == ([], ['extra.py'])


def test_bytecode_is_removed(tmp_path):
    snapshot.write(FILES, tmp_path)
    (tmp_path / 'code' / '__pycache__').mkdir()
    snapshot.clean(tmp_path)
    assert not list(tmp_path.rglob('__pycache__'))


def test_code_that_python_cannot_compile_is_refused_and_a_pointer_of_git_lfs_named(capsys):
    with pytest.raises(UserError, match='code/a.py, line 2'):
        snapshot.check([File('a.py', '100644', b'x = 1\ndef (\n')])
    snapshot.check([File('tagrun/a.py', '100644', b'def ('), File('w.bin', '100644', snapshot.LFS)])
    assert 'code/w.bin is kept by git LFS' in capsys.readouterr().err


@pytest.mark.parametrize(
    'path, reason',
    [
        ('random.py', "code/random.py hides Python's own module of that name, and torch cannot"),
        ('dataclasses/__init__.py', 'code/dataclasses/__init__.py hides Python'),
        ('numpy.py', 'code/numpy.py hides an installed package of that name, and torch cannot'),
        ('torch/__init__.py', 'code/torch/__init__.py hides an installed package'),
    ],
)
def test_a_file_that_hides_a_module_which_training_needs_is_refused(path, reason):
    with pytest.raises(UserError, match=reason):
        snapshot.check([File(path, '100644', b'x = 1\n')])


def test_a_folder_without_init_hides_no_package_and_other_names_are_yours(capsys):
    snapshot.check([File('numpy/a.py', '100644', b''), File('lib/random.py', '100644', b'')])
    assert capsys.readouterr().err == ''
    assert snapshot.is_installed('numpy') and not snapshot.is_installed('no_such_package')
