"""`share`: two clones and a bare repository; what goes, what clashes, what is away."""

import os
import shlex
import shutil
import socket
import subprocess

import pexpect
import pytest
from project_factory import wait_for

from tagrun.store import trace

SECRET = 'ghp_' + 'x7' * 18


def files(project):
    return {
        path.relative_to(project.root).as_posix(): path.read_bytes()
        for path in (project.root / '__result__').rglob('*')
        if path.is_file() and 'code' not in path.parts
    }


def test_it_shows_what_will_go_and_sends_that_and_nothing_else(pair):
    (pair.alice.root / 'unshared.txt').write_text('mine')
    shown = pair.alice.tagrun('share', '-n', 't1').stderr
    assert 'to origin (../hub.git): t1/0-1' in shown and '5 refs, ' in shown and pair.refs() == {}
    pair.alice.tagrun('share', 't1')
    assert set(pair.refs()) == {
        'refs/tags/t1',
        *(f'refs/tagrun/{kind}/t1/{number}' for kind in ('code', 'result') for number in (0, 1)),
    }
    tree = pair.alice.git(
        '-C', pair.hub, 'ls-tree', '-r', '--name-only', 'refs/tagrun/result/t1/0'
    ).split()
    assert sorted(tree) == sorted(
        {'statistic.json', 'history.csv', 'run.json', 'log', trace.EPOCHS}
    )
    assert str(pair.alice.root.parent.parent) not in pair.alice.git(
        '-C', pair.hub, 'show', 'refs/tagrun/result/t1/0:run.json'
    )
    assert '2 runs are on origin already' in pair.alice.tagrun('share', 't1').stderr
    pair.alice.tagrun('share', '--all')
    assert 'refs/tagrun/result/t2/0' in pair.refs()
    assert "git has no run 't3'" in pair.alice.tagrun('share', 't3', code=1).stderr


def test_without_a_name_it_asks_at_a_terminal_and_elsewhere_needs_all(pair):
    said = pair.alice.tagrun('share', code=2).stderr
    assert '3 runs to origin' in said and 'send all of these with --all' in said
    command = ' '.join(map(shlex.quote, pair.alice.command('share')))
    for answer in ('n', '', 'y'):
        assert pair.refs() == {}
        child = pexpect.spawn('sh', ['-c', command], cwd=str(pair.alice.root), timeout=60)
        child.expect_exact('Send them to origin? [y/N]')
        child.sendline(answer)
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 0 and (b'nothing was sent' in child.before) == (answer != 'y')
    assert len(pair.refs()) == 8


def test_runs_that_failed_are_left_out_unless_they_are_named(pair):
    for name in ('t1/0', 't2/0'):
        path = pair.alice.folder(name) / 'statistic.json'
        path.write_text(path.read_text().replace('"finished"', '"failed"'))
    said = pair.alice.tagrun('share', '--all').stderr
    assert 'left out, for they failed: t1/0 t2/0' in said and '1 run to origin' in said
    assert 'refs/tagrun/code/t1/1' in pair.refs() and 'refs/tagrun/code/t1/0' not in pair.refs()
    pair.alice.tagrun('share', 't1/0')
    assert 'refs/tagrun/code/t1/0' in pair.refs()


def test_where_the_template_was_cloned_from_is_refused_until_it_is_named(pair):
    pair.alice.git('config', 'user.name', 'Carol')
    pair.alice.git('config', 'user.email', 'carol@example.org')
    said = pair.alice.tagrun('share', 't1', code=1).stderr
    assert 'origin (../hub.git) has no run and no commit of yours' in said and pair.refs() == {}
    assert 'git remote rename origin template' in said and 'share --remote origin' in said
    pair.alice.tagrun('share', 't1', '--remote', 'origin')
    pair.alice.tagrun('share', 't2')  # it has runs now
    assert len(pair.refs()) == 8


def test_a_remote_with_a_commit_of_yours_is_yours(pair):
    pair.alice.git('config', 'user.name', 'Carol')
    pair.alice.git('commit', '-q', '--allow-empty', '-m', 'mine')
    pair.alice.git('push', '-q', 'origin', 'main')
    pair.alice.tagrun('share', 't1')
    assert len(pair.refs()) == 5


def test_commits_that_the_remote_lacks_are_counted(pair):
    (pair.alice.root / 'code' / 'model.py').write_text('"""Another."""\n')
    pair.alice.commit('mine')
    pair.alice.tagrun('run', 't3')
    assert (
        'with 1 commit before them that origin may not have yet'
        in pair.alice.tagrun('share', '-n', 't3').stderr
    )


def test_two_people_with_one_tag_or_one_id_overwrite_nothing_and_both_stay_visible(pair):
    pair.alice.tagrun('share', '--all')
    pair.bob.tagrun('fetch')
    for person in (pair.alice, pair.bob):
        person.tagrun('run', 'same')
        person.tagrun('rerun', 't1')
    pair.alice.tagrun('share', '--all')
    before, mine = pair.refs(), files(pair.bob)
    said = pair.bob.tagrun('share', '--all').stderr
    assert (
        'origin has another t1/2: yours goes there as t1@Bob-B/2, theirs stays; here '
        'yours is t1/2 still' in said
    )
    assert {
        name: pair.refs()[name] for name in before
    } == before and 'refs/tags/same@Bob-B' in pair.refs()
    said = pair.bob.tagrun('fetch').stderr
    assert (
        'origin has another same/0 than you: it is same@origin/0 here, yours stays same/0' in said
    )
    assert {name: content for name, content in files(pair.bob).items() if name in mine} == mine
    assert (
        pair.bob.statistic('same@origin/0')['seed']
        == pair.alice.statistic('same/0')['seed']
        != pair.bob.statistic('same/0')['seed']
    )
    pair.alice.tagrun('fetch')
    assert pair.alice.statistic('t1@Bob-B/2')['seed'] == pair.bob.statistic('t1/2')['seed']
    for person in (pair.alice, pair.bob):
        assert 'nothing new' in person.tagrun('fetch').stderr
        assert 'on origin already' in person.tagrun('share', '--all').stderr
        assert 'nothing is half-made' in person.tagrun('doctor').stderr
    assert 'bit for bit' in pair.alice.tagrun('rerun', 'same@Bob-B', '-f').stderr


def test_a_remote_that_is_away_is_one_sentence_without_its_password(pair):
    for url, shown in (
        ('../gone.git', 'origin (../gone.git) cannot be reached'),
        (f'http://me:{SECRET}@127.0.0.1:9/x.git', 'origin (http://127.0.0.1:9/x.git)'),
    ):
        pair.alice.git('remote', 'set-url', 'origin', url)
        for verb in ('share', 'fetch'):
            said = pair.alice.tagrun(verb, code=1).stderr
            assert shown in said and SECRET not in said and len(said.splitlines()) == 1
    pair.alice.git('remote', 'remove', 'origin')
    assert 'no remote to share with' in pair.alice.tagrun('share', code=1).stderr


def test_what_looks_like_a_token_is_not_in_what_goes(pair):
    main = pair.alice.root / 'code' / 'main.py'
    url = 'https://u:hunter2@host/r.git'
    said = f"'clone {url} with {SECRET[:4]}' + '{SECRET[4:]}'"
    line = f"    open(FOLDER / 'log', 'a').write({said})\n"
    main.write_text(main.read_text().replace('    save()\n', f'{line}    save()\n', 1))
    pair.alice.commit('a careless log')
    pair.alice.tagrun('run', 't5')
    pair.alice.tagrun('share', 't5')
    assert SECRET in (pair.alice.folder('t5/0') / 'log').read_text()
    log = pair.alice.git('-C', pair.hub, 'show', 'refs/tagrun/result/t5/0:log')
    assert (
        'https://(hidden)@host/r.git with (hidden)' in log
        and SECRET not in log
        and 'hunter2' not in log
    )
    assert 'nothing is half-made' in pair.alice.tagrun('doctor').stderr


@pytest.mark.slow
def test_over_ssh_it_is_the_same(pair, tmp_path):
    server = shutil.which('sshd', path='/usr/sbin:/usr/bin')
    if not server or os.geteuid():
        pytest.skip('needs sshd, and root')
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    for name in ('host', 'user'):
        subprocess.run(
            ['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', tmp_path / name], check=True
        )
    os.makedirs('/run/sshd', exist_ok=True)
    (tmp_path / 'conf').write_text(
        f'Port {port}\nListenAddress 127.0.0.1\nHostKey '
        f'{tmp_path}/host\nAuthorizedKeysFile {tmp_path}/user.pub\nStrictModes no\n'
        f'PidFile none\nUsePAM no\nPermitRootLogin yes\n'
    )
    ssh = (
        f'ssh -p {port} -i {tmp_path}/user -o StrictHostKeyChecking=no '
        f'-o UserKnownHostsFile={tmp_path}/known -o BatchMode=yes'
    )
    daemon = subprocess.Popen([server, '-D', '-f', tmp_path / 'conf'], stderr=subprocess.DEVNULL)
    try:
        for person in (pair.alice, pair.bob):
            person.env['GIT_SSH_COMMAND'] = ssh
            person.git(
                'remote', 'set-url', 'origin', f'ssh://127.0.0.1{str(pair.hub).replace(" ", "%20")}'
            )
        wait_for(
            lambda: (
                subprocess.run(
                    f'{ssh} 127.0.0.1 true', shell=True, capture_output=True, check=False
                ).returncode
                == 0
            ),
            what='sshd',
        )
        pair.alice.git('remote', 'set-url', 'origin', f'ssh://127.0.0.1:{port}{pair.hub}')
        pair.bob.git('remote', 'set-url', 'origin', f'ssh://127.0.0.1:{port}{pair.hub}')
        pair.alice.tagrun('share', '--all')
        pair.bob.tagrun('fetch')
        assert pair.bob.statistic('t1/1')['seed'] == pair.alice.statistic('t1/1')['seed']
        assert 'bit for bit' in pair.bob.tagrun('rerun', 't1', '-f').stderr
    finally:
        daemon.terminate()
        daemon.wait()
    said = pair.bob.tagrun('fetch', code=1).stderr
    assert 'cannot be reached: ' in said and 'refused' in said and len(said.splitlines()) == 1, said
