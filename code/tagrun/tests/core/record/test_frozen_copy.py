"""The frozen copy of a commit's code: written, repaired, and only what the commit has."""

import errno
import os

import pytest

from tagrun.core.cli.messages import UserError
from tagrun.core.git.repository import Repository
from tagrun.core.record import claim, frozen_copy
from tagrun.core.record.snapshot import EXECUTABLE, LINK, File

FILES = [
    File('main.py', '100644', b'print(1)\n'),
    File('tools/go', EXECUTABLE, b'#!/bin/sh\n'),
    File('here', LINK, b'main.py'),
]


def _package(path):
    path.mkdir()
    (path / '__init__.py').write_text('')


# {what: (its name, what makes it)}
PLANTED = {
    'a module': ('torch.py', lambda path: path.write_text('')),
    'a package': ('torch', _package),
    'a folder': ('nets', lambda path: path.mkdir()),
    'bytecode': ('torch.pyc', lambda path: path.write_bytes(b'')),
    'a library': ('torch.abi3.so', lambda path: path.write_bytes(b'')),
    'a link to a folder': ('numpy', lambda path: path.symlink_to('/tmp')),
    'a link to nothing': ('site.py', lambda path: path.symlink_to('nowhere')),
    'a link as bytecode': ('__pycache__', lambda path: path.symlink_to('/tmp')),
    'data': ('local.json', lambda path: path.write_text('{}')),
    'a hidden file': ('.env', lambda path: path.write_text('')),
    'a FIFO': ('pipe', os.mkfifo),
}


def test_it_is_written_once_read_only_and_repaired_where_it_was_changed(tmp_path):
    assert frozen_copy.write(FILES, tmp_path) == ([], [])
    code = tmp_path / 'code'
    assert os.access(code / 'tools' / 'go', os.X_OK) and not os.access(code / 'main.py', os.X_OK)
    assert code.joinpath('main.py').stat().st_mode & 0o222 == 0
    assert os.readlink(code / 'here') == 'main.py'
    assert frozen_copy.write(FILES, tmp_path) == ([], [])
    (code / 'main.py').chmod(0o644)
    (code / 'main.py').write_text('edited')
    (code / 'here').unlink()
    assert frozen_copy.differences(FILES, tmp_path) == (['main.py', 'here'], [])
    assert frozen_copy.write(FILES, tmp_path) == (['main.py', 'here'], [])
    assert (code / 'main.py').read_bytes() == FILES[0].content


def test_equal_files_are_hard_links_to_the_run_before(tmp_path):
    folders = [tmp_path / '__result__' / 't1' / str(number) for number in (0, 1)]
    for folder in folders:
        folder.mkdir(parents=True)
        frozen_copy.write(FILES, folder)
    one, other = (folder / 'code' / 'main.py' for folder in folders)
    assert os.path.samefile(one, other)


@pytest.mark.parametrize('number', [errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.EXDEV])
def test_where_the_system_refuses_hard_links_the_files_are_written(tmp_path, monkeypatch, number):
    """Of another user's file, at the most links, and on file systems that have none."""

    def refuse(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, 'link', refuse)
    for name in '01':
        folder = tmp_path / '__result__' / 't1' / name
        folder.mkdir(parents=True)
        assert frozen_copy.write(FILES, folder) == ([], [])
        assert frozen_copy.differences(FILES, folder) == ([], [])
        assert not os.access(folder / 'code' / 'main.py', os.W_OK) or os.getuid() == 0


def test_nothing_is_written_through_a_link_in_a_folders_place(tmp_path):
    (tmp_path / 'run' / 'code').mkdir(parents=True)
    (tmp_path / 'outside').mkdir()
    (tmp_path / 'run' / 'code' / 'tools').symlink_to(tmp_path / 'outside')
    changes = frozen_copy.write(FILES, tmp_path / 'run')
    assert changes == ([file.path for file in FILES], ['tools'])
    assert list((tmp_path / 'outside').iterdir()) == []


@pytest.mark.parametrize('where', ['', 'tools/'])
@pytest.mark.parametrize('planted', PLANTED)
def test_what_the_commit_lacks_is_moved_out_of_the_copy(tmp_path, planted, where):
    frozen_copy.write(FILES, tmp_path)
    code, (name, plant) = tmp_path / 'code', PLANTED[planted]
    plant(code / where / name)
    assert frozen_copy.differences(FILES, tmp_path) == ([], [where + name])
    # a second time: another one of that name is there
    for _ in range(2):
        if not os.path.lexists(code / where / name):
            plant(code / where / name)
        assert frozen_copy.write(FILES, tmp_path) == ([], [where + name])
        assert frozen_copy.differences(FILES, tmp_path) == ([], [])
    assert len(list((tmp_path / 'code.removed' / where).iterdir())) == 2


@pytest.mark.parametrize('kind', ['folder', 'fifo', 'link'])
def test_what_stands_in_a_files_place_gives_way(tmp_path, kind):
    frozen_copy.write(FILES, tmp_path)
    path = tmp_path / 'code' / 'main.py'
    path.unlink()
    {
        'folder': path.mkdir,
        'fifo': lambda: os.mkfifo(path),
        'link': lambda: path.symlink_to(tmp_path / 'outside'),
    }[kind]()
    frozen_copy.write(FILES, tmp_path)
    assert path.read_bytes() == FILES[0].content and not path.is_symlink()
    assert not (tmp_path / 'outside').exists()


def test_it_is_not_moved_through_a_link_that_was_planted_too(tmp_path):
    frozen_copy.write(FILES, tmp_path)
    (tmp_path / 'outside').mkdir()
    (tmp_path / 'code.removed').symlink_to(tmp_path / 'outside')
    (tmp_path / 'code' / 'torch.py').write_text('')
    with pytest.raises(UserError, match='cannot be moved'):
        frozen_copy.write(FILES, tmp_path)
    assert list((tmp_path / 'outside').iterdir()) == []


def test_an_earlier_copy_is_linked_to_only_where_no_link_leads_to_it(tmp_path):
    folders = [tmp_path / '__result__' / 't1' / str(number) for number in (0, 1)]
    for folder in folders:
        folder.mkdir(parents=True)
    frozen_copy.write(FILES, tmp_path / 'outside')
    (folders[0] / 'code').mkdir()
    (folders[0] / 'code' / 'tools').symlink_to(tmp_path / 'outside' / 'code' / 'tools')
    frozen_copy.write(FILES, folders[1])
    written = folders[1] / 'code' / 'tools' / 'go'
    assert not written.samefile(tmp_path / 'outside' / 'code' / 'tools' / 'go')
    assert written.read_bytes() == FILES[1].content


def test_what_was_repaired_is_said_and_many_names_are_cut(stubbed, capsys):
    repository = Repository.at(stubbed.root)
    folder = claim.create_run(repository, 't1', repository.resolve('HEAD'), 4242)
    capsys.readouterr()
    frozen_copy.repair(repository, folder, repository.resolve('HEAD'))
    frozen_copy.repair(repository, folder, None)
    assert capsys.readouterr().err == ''
    (folder / 'code' / 'main.py').unlink()
    for name in 'abcdefg':
        (folder / 'code' / name).write_text('')
    frozen_copy.repair(repository, folder, repository.resolve('HEAD'))
    said = capsys.readouterr().err
    assert 'had been changed (main.py)' in said and '(a, b, c, d, e, …)' in said


def test_bytecode_is_removed(tmp_path):
    frozen_copy.write(FILES, tmp_path)
    (tmp_path / 'code' / '__pycache__').mkdir()
    frozen_copy.clean(tmp_path)
    assert not list(tmp_path.rglob('__pycache__'))
