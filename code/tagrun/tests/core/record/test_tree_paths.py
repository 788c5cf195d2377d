"""Trees that git itself would not make: nothing of them is written outside the run's folder.

Each is a raw tree of real git, as a remote may send one.
"""

import os
import stat

import pytest
import small_repository
from breakage import age

from tagrun.core.cli.messages import UserError
from tagrun.core.git.repository import Repository
from tagrun.core.record import claim, frozen_copy, snapshot, tree_paths

FILE, EXECUTABLE, LINK, SUBMODULE, FOLDER = b'100644', b'100755', b'120000', b'160000', b'40000'
HOOK = b'.git/hooks/pre-commit'
UP = b'../../../../'  # out of <root>/__result__/t1/0/code
LONG = b'x' * 300

# names of one file: (name, whether it may be written)
NAMES = [
    (b'..', False),
    (b'.', False),
    (b'../PWNED', False),
    (b'../run.json', False),
    (UP + b'PWNED', False),
    (UP + HOOK, False),
    (b'/tmp/PWNED', False),
    (b'/', False),
    (b'nets/../../PWNED', False),
    (b'nets//a.py', False),
    (b'nets/', False),
    (b'./PWNED', False),
    (b'nets/./PWNED', False),
    (b'.git', False),
    (b'.GIT', False),
    (b'.Git/hooks/pre-commit', False),
    (HOOK, False),
    (b'nets/.git/config', False),
    (b'.git.', False),
    (b'.git ', False),
    (b'.git. .', False),
    (b'GIT~1', False),
    (b'git~1/hooks/x', False),
    (b'.git::$INDEX_ALLOCATION', False),
    (b'.git:x', False),
    (b'.git\\hooks\\x', False),
    (b'nets\\.git\\x', False),
    (b'..\\PWNED', False),
    ('.g\u200cit'.encode(), False),
    ('\ufeff.git'.encode(), False),
    ('.gi\u200dT/x'.encode(), False),
    (LONG, False),
    (b'nets/' + LONG, False),
    (b'..PWNED', True),
    (b'...', True),
    (b'.gitignore', True),
    (b'.gitattributes', True),
    (b'.github', True),
    (b'git', True),
    (b'a\nb', True),
    (b'a\x1b[2Jb', True),
    (b'\xff\xfe', True),
    (b'C:x', True),
    (b'nul', True),
    (b'-rf', True),
    (b' ', True),
    (b'a\\b', True),
    (b'~', True),
    (b'$(touch PWNED)', True),
    ('e\u0301\u202e'.encode(), True),
    (b'x' * 255, True),
]


@pytest.fixture
def root(tmp_path):
    root = small_repository.make(tmp_path)
    (root / '__result__' / 't1' / '0').mkdir(parents=True)
    return root


@pytest.fixture
def repository(root):
    return Repository.at(root)


def commit(repository, *entries):
    """Return a commit whose code/ has main.py, a seed and these raw entries (mode, name, what)."""
    main = repository.store(b'print(1)\n')
    rows = [(FILE, b'main.py', main), (FILE, b'seed', repository.store(b'7\n'))]
    rows.append(
        (FOLDER, b'tagrun', tree(repository, (FILE, b'CONTRACT', repository.store(b'1\n'))))
    )
    rows += [(mode, name, _id(repository, mode, what)) for mode, name, what in entries]
    return repository.commit_tree(
        tree(repository, (FOLDER, b'code', tree(repository, *rows))), None, 'x'
    )


def tree(repository, *rows):
    """Return the id of a tree with these entries, just as they are."""
    content = b''.join(mode + b' ' + name + b'\0' + bytes.fromhex(of) for mode, name, of in rows)
    words = ('hash-object', '-w', '-t', 'tree', '--literally', '--stdin')
    return repository.git(*words, data=content).strip()


def _id(repository, mode, what):
    if mode == SUBMODULE:
        return repository.resolve('HEAD')
    if mode == FOLDER:
        return tree(repository, *[(m, n, _id(repository, m, w)) for m, n, w in what])
    return repository.store(what)


def everything(root):
    """Return what lies below the project's parent, but for git's objects and the run's folder."""
    found = {}
    for top, folders, files in os.walk(root.parent):
        for name in (*folders, *files):
            path = os.path.join(top, name)
            if f'{os.sep}objects' not in path and '/__result__/t1/0/' not in path:
                found[path] = os.lstat(path).st_mode, os.lstat(path).st_size
    return found


def written(repository, root, made):
    """Write a commit's frozen copy; return whether it was, and check that nothing else was."""
    before = everything(root)
    folder = root / '__result__' / 't1' / '0'
    try:
        frozen_copy.write(snapshot.read(repository, made), folder)
        is_written = True
    except UserError as refused:
        assert '\n' not in str(refused) and len(str(refused)) < 800
        is_written = False
    after = everything(root)
    times = {path for path in after if path.endswith('__result__/t1/0')}
    assert {p: v for p, v in after.items() if p not in times} == {
        p: v for p, v in before.items() if p not in times
    }
    return is_written


@pytest.mark.parametrize('name, may_be', NAMES)
def test_a_name_is_written_in_the_runs_folder_or_not_at_all(repository, root, name, may_be):
    made = commit(repository, (EXECUTABLE, name, b'#!/bin/sh\ntouch PWNED\n'))
    assert written(repository, root, made) == may_be
    if not may_be:
        assert not (root / '__result__' / 't1' / '0' / 'code').exists(), 'a part was written'
    else:
        path = os.path.join(os.fsencode(root), b'__result__/t1/0/code', name)
        assert os.access(path, os.X_OK)


ENTRIES = {
    'a link and a folder of one name': (
        [(LINK, b'nets', b'/tmp'), (FOLDER, b'nets', [(FILE, b'PWNED', b'x')])],
        False,
    ),
    'a folder and a link of one name': (
        [(FOLDER, b'nets', [(FILE, b'PWNED', b'x')]), (LINK, b'nets', b'../../../..')],
        False,
    ),
    'a link and a name below it': (
        [(LINK, b'nets', b'../../../../.git/hooks'), (EXECUTABLE, b'nets/pre-commit', b'x')],
        False,
    ),
    'a file and a folder of one name': (
        [(FILE, b'nets', b'x'), (FOLDER, b'nets', [(FILE, b'a', b'x')])],
        False,
    ),
    'two files of one name': ([(FILE, b'a', b'x'), (FILE, b'a', b'y')], False),
    'a link and a file of one name': ([(LINK, b'a', b'/tmp/PWNED'), (FILE, b'a', b'y')], False),
    'two folders of one name': (
        [(FOLDER, b'n', [(FILE, b'a', b'x')]), (FOLDER, b'n', [(FILE, b'a', b'y')])],
        False,
    ),
    'a folder called ..': ([(FOLDER, b'..', [(FILE, b'PWNED', b'x')])], False),
    'a folder called .git': ([(FOLDER, b'.git', [(FILE, b'config', b'x')])], False),
    'a submodule': ([(SUBMODULE, b'nets', None)], False),
    'a submodule called ..': ([(SUBMODULE, b'..', None)], False),
    'a link with a NUL': ([(LINK, b'a', b'x\0y')], False),
    'an endless link': ([(LINK, b'a', b'x' * 5000)], False),
    'an empty link': ([(LINK, b'a', b'')], False),
    'an absolute link': ([(LINK, b'a', b'/etc/passwd')], True),
    'a link out of it': ([(LINK, b'a', b'../../../../.git')], True),
    'a link to itself': ([(LINK, b'a', b'a')], True),
    'a set-user-id file': ([(b'104755', b'a', b'x')], True),
    'a mode for all': ([(b'100777', b'a', b'x')], True),
    'a name of two cases': (
        [(LINK, b'Nets', b'/tmp'), (FOLDER, b'nets', [(FILE, b'a', b'x')])],
        True,
    ),
}


@pytest.mark.parametrize('what', ENTRIES)
def test_entries_that_exclude_or_hide_each_other_write_nothing_outside(repository, root, what):
    entries, may_be = ENTRIES[what]
    made = commit(repository, *entries)
    is_written = written(repository, root, made)
    # a file system decides what a link may be
    assert is_written == may_be or what in ('an empty link', 'an endless link', 'a link with a NUL')
    path = root / '__result__' / 't1' / '0' / 'code' / 'a'
    if is_written and path.is_file() and not path.is_symlink():
        assert not path.stat().st_mode & (stat.S_ISUID | stat.S_ISGID | 0o222)


def test_executable_is_what_is_recorded_so_and_nothing_else(repository, root):
    made = commit(repository, (EXECUTABLE, b'go', b'x'), (b'100777', b'a', b'x'))
    assert written(repository, root, made)
    code = root / '__result__' / 't1' / '0' / 'code'
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in code.iterdir()}
    # git reads 777 as 755
    assert modes.pop('tagrun') & 0o700 == 0o700
    assert modes == {'main.py': 0o444, 'seed': 0o444, 'a': 0o555, 'go': 0o555}


def test_the_run_of_a_killed_fetch_gets_no_code_from_doctor(stubbed):
    """What doctor completes is a run of ours: it has no result yet."""
    repository = Repository.at(stubbed.root)
    made = commit(repository, (EXECUTABLE, b'../../../../' + HOOK, b'#!/bin/sh\ntouch PWNED\n'))
    for name in ('code/t1/0', 'result/t1/0', 'code/t2/0'):
        stubbed.git('update-ref', f'refs/tagrun/{name}', made)
    for name in ('t1/0', 't2/0'):
        stubbed.folder(name).mkdir(parents=True)
        age(stubbed.folder(name))
    done = stubbed.tagrun('doctor', '--fix', code=1)
    said = done.stdout + done.stderr
    assert 'tagrun fetch' in said and 'does not write' in said, said
    assert [path.name for path in stubbed.root.glob('__result__/*/*/*')] == []
    assert not (stubbed.root / HOOK.decode()).exists()


def test_such_a_commit_is_refused_before_a_run_is_spent_on_it(repository):
    made = commit(repository, (FILE, b'../PWNED', b'x'))
    with pytest.raises(UserError, match='does not write'):
        claim.create_run(repository, 't9', made, 7, tag_message='why')
    assert repository.resolve('refs/tags/t9') is None


def test_a_long_path_is_cut_in_the_message():
    with pytest.raises(UserError) as refused:
        tree_paths.check(['a/' * 5000 + '..'])
    assert len(str(refused.value)) < 500
