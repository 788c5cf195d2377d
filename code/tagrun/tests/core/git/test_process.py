"""core/git/process.py: git's output as text or bytes, and its failures as one sentence."""

import os
import subprocess

import pytest
import small_repository

from tagrun.core.cli.messages import UserError
from tagrun.core.git import process
from tagrun.core.git.process import GitError
from tagrun.core.git.repository import Repository


def test_output_is_text_or_bytes_and_data_goes_to_the_standard_input(tmp_path):
    root = small_repository.make(tmp_path)
    blob = process.run(root, 'hash-object', '-w', '--stdin', data=b'\xff\0x').strip()
    assert process.run_bytes(root, 'cat-file', 'blob', blob) == b'\xff\0x'
    assert process.run(root, 'cat-file', 'blob', blob) == '\udcff\0x'


def test_variables_are_given_to_git_alone(tmp_path):
    root = small_repository.make(tmp_path)
    name = {'GIT_AUTHOR_NAME': 'Somebody Else'}
    assert process.run(root, 'var', 'GIT_AUTHOR_IDENT', env=name).startswith('Somebody Else <')
    assert process.run(root, 'var', 'GIT_AUTHOR_IDENT').startswith('A Tester <')


def test_no_hook_of_the_users_is_run(tmp_path):
    root = small_repository.make(tmp_path)
    hook = root / '.git' / 'hooks' / 'reference-transaction'
    hook.parent.mkdir(exist_ok=True)
    hook.write_text('#!/bin/sh\nexit 1\n')
    hook.chmod(0o755)
    process.run(root, 'update-ref', 'refs/heads/other', 'HEAD')
    with pytest.raises(subprocess.CalledProcessError):
        small_repository.git(root, 'update-ref', 'refs/heads/another', 'HEAD')


def test_a_failure_is_the_line_that_says_why(tmp_path):
    root = small_repository.make(tmp_path)
    with pytest.raises(GitError, match='^git: Needed a single revision$'):
        process.run(root, 'rev-parse', '--verify', 'no such ref')
    assert issubclass(GitError, UserError)


@pytest.mark.parametrize(
    'stderr, message',
    [
        ("fatal: detected dubious ownership in repository at '/x'", "safe.directory '/a b'"),
        ('fatal: not a git repository (or any of the parent directories)', 'git init'),
        ('fatal: not a git repository: /old/.git/worktrees/x', "git worktree repair '/a b'"),
        ("fatal: Unable to create '/x/.git/index.lock': File exists.", 'doctor --fix'),
        ('error: unable to write file: No space left on device', 'free some room'),
        ('error: insufficient permission for adding an object', 'let its owner give you'),
        ('fatal: loose object 12ab is corrupt', 'git fsck'),
        ('hint: never mind\nfatal: something else\nhint: try again', 'git: something else'),
        ('', 'git x failed'),
    ],
)
def test_a_known_failure_has_a_hint(tmp_path, monkeypatch, stderr, message):
    git = tmp_path / 'git'
    git.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{stderr}\nEND\nexit 1\n")
    git.chmod(0o755)
    folder = tmp_path / 'a b'
    folder.mkdir()
    monkeypatch.setenv('PATH', f'{tmp_path}:/usr/bin:/bin')
    with pytest.raises(GitError) as raised:
        process.run(folder, 'x')
    assert message.replace('/a b', f'{folder}') in str(raised.value)
    assert '\n' not in str(raised.value)


def test_a_git_that_does_not_answer_is_ended(tmp_path, monkeypatch):
    git = tmp_path / 'git'
    git.write_text('#!/bin/sh\nexec sleep 60\n')
    git.chmod(0o755)
    monkeypatch.setenv('PATH', f'{tmp_path}:/usr/bin:/bin')
    with pytest.raises(GitError, match='git x: no answer within 0.2 s'):
        process.run(tmp_path, 'x', patience_s=0.2)


@pytest.mark.parametrize(
    'text, shown',
    [
        ('fatal: https://bob:secret@host.org/x.git: no', 'fatal: https://host.org/x.git: no'),
        ('https://ghp_token@host.org/x', 'https://host.org/x'),
        ('https://a:b@c@host.org/x', 'https://host.org/x'),
        ('git@host.org:x.git', 'git@host.org:x.git'),
        ('https://host.org/a@b', 'https://host.org/a@b'),
    ],
)
def test_a_login_in_a_url_is_not_shown(text, shown):
    assert process.url_without_login(text) == shown


def test_a_message_is_encoded_without_nul_and_with_undecodable_names_shown():
    assert process.encoded('a\0 \udcff é') == b'a \\udcff \xc3\xa9'
    assert process.lines(['a', 'b']) == b'a\nb\n'


def test_git_on_the_terminal_gives_its_exit_code(tmp_path, capfd):
    root = small_repository.make(tmp_path)
    assert process.show(root, 'log', '--format=%s') == 0
    assert capfd.readouterr().out == 'start\n'
    assert process.show(root, 'rev-parse', '--verify', '--quiet', 'none') == 1


@pytest.mark.parametrize('failures, is_tried_again', [(2, True), (9, False)])
def test_a_folder_that_git_gc_removed_is_tried_again(
    tmp_path, monkeypatch, failures, is_tried_again
):
    """A git in the real one's place fails so many times as it does beside a git gc."""
    count, program = tmp_path / 'count', tmp_path / 'bin' / 'git'
    program.parent.mkdir()
    count.write_text('')
    lines = (
        '#!/bin/sh',
        'case " $* " in *" write-tree "*) ;; *) exec echo "git version 2.39.0" ;; esac',
        f'printf x >>"{count}"',
        f'[ "$(wc -c <"{count}")" -gt {failures} ] && exec echo done',
        'echo "error: unable to create temporary file: No such file or directory" >&2',
        'exit 128',
    )
    program.write_text('\n'.join(lines))
    program.chmod(0o755)
    monkeypatch.setenv('PATH', f'{program.parent}:{os.environ["PATH"]}')
    if is_tried_again:
        assert process.run(tmp_path, 'write-tree') == 'done\n'
    else:
        with pytest.raises(GitError, match='unable to create temporary file'):
            process.run(tmp_path, 'write-tree')


def test_in_the_year_2200_git_is_told_the_date_and_takes_a_tag(tmp_path, monkeypatch):
    root = small_repository.make(tmp_path)
    now = 7258118400
    assert process.dates() == {}
    monkeypatch.setattr(process.time, 'time', lambda: now)
    repository = Repository.at(root)
    head = repository.resolve('HEAD')
    tag = repository.make_tag('t1', head, 'the why')
    commit = repository.commit_tree(repository.make_tree({'a': b'1'}), head, 'later')
    for made in (tag, commit):
        assert f'> {now} ' in repository.git('cat-file', '-p', made)
    monkeypatch.setenv('GIT_AUTHOR_DATE', '2001-01-01T00:00:00Z')
    assert list(process.dates()) == ['GIT_COMMITTER_DATE']
