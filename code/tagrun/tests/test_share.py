"""`share` and `fetch`: two clones and a bare repository; what goes, what comes, what clashes, what is hostile, what is away."""
import json
import os
import shutil
import socket
import subprocess

import pytest
import stub
from conftest import Project, make_project, wait_for
from tagrun.command.git import Repository
from tagrun.extra import share, sharing
from tagrun.store import trace

SECRET = 'ghp_' + 'x7' * 18


class Pair:
    """Alice's and Bob's clones of one bare repository."""

    def __init__(self, root):
        self.root, self.hub = root, root / 'hub.git'
        self.alice, self.bob = (Project(root / name) for name in ("al ice", "b 'ob; c"))

    def refs(self):
        """{ref: id} of the hub, branches left out."""
        rows = self.alice.git('-C', self.hub, 'for-each-ref', '--format=%(refname) %(objectname)').split('\n')
        return {row.split(' ')[0]: row.split(' ')[1] for row in rows if row and 'heads' not in row}

    def plant(self, ref, files, parent=None, modes=()):
        """Put a commit of {path: bytes} into the hub under a ref; its id."""
        def git(*words, data=None, env=None):
            return subprocess.run(['git', *words], cwd=self.hub, input=data, capture_output=True, check=True, env={**os.environ, **(env or {})}).stdout.decode().strip()
        index = {'GIT_INDEX_FILE': str(self.root / 'planted')}
        git('read-tree', '--empty', env=index)
        for path, content in files.items():
            blob = git('hash-object', '-w', '--stdin', data=content)
            git('update-index', '--add', '--cacheinfo', f'{dict(modes).get(path, "100644")},{blob},{path}', env=index)
        words = ['-c', 'user.name=Eve', '-c', 'user.email=eve@example.org', 'commit-tree', git('write-tree', env=index), '-m', 'result of it']
        commit = git(*words, *(['-p', parent] if parent else []))
        git('update-ref', ref, commit)
        return commit


def make_pair(root, made):
    """Two clones of what Alice made, which is not shared yet."""
    subprocess.run(['git', 'init', '-q', '--bare', '-b', 'main', root / 'hub.git'], check=True)
    made.git('config', 'user.name', 'Alice')
    made.git('remote', 'add', 'origin', '../hub.git')
    made.git('push', '-q', 'origin', 'main')
    pair = Pair(root)
    made.git('clone', '-q', str(pair.hub), str(pair.bob.root))
    for key, value in {'user.name': 'Bob B.', 'user.email': 'bob@example.org', 'remote.origin.url': '../hub.git'}.items():
        pair.bob.git('config', key, value)
    return pair


@pytest.fixture(scope='module')
def started(tmp_path_factory):
    """Alice has t1/0, t1/1 and t2/0, and has shared nothing."""
    root = tmp_path_factory.mktemp('shared')
    pair = make_pair(root, stub.make(root / 'al ice'))
    pair.alice.tagrun('run', '-m', 'the why', 't1')
    pair.alice.tagrun('rerun', 't1')
    pair.alice.tagrun('run', 't2', '--set', 'lr=0.2')
    return root


@pytest.fixture
def pair(started, tmp_path):
    return Pair(shutil.copytree(started, tmp_path / 'a b', symlinks=True))


def files(project):
    return {path.relative_to(project.root).as_posix(): path.read_bytes() for path in (project.root / '__result__').rglob('*')
            if path.is_file() and 'code' not in path.parts}


def test_one_trains_and_the_other_fetches_tabulates_asks_why_and_makes_it_again_bit_for_bit(tmp_path, data):
    pair = make_pair(tmp_path, make_project(tmp_path / 'al ice', data))
    shutil.copytree(data, pair.bob.root / '__data__')
    pair.alice.tagrun('run', 't1')
    pair.alice.tagrun('run', 't2', '--set', 'hidden=20')
    pair.alice.tagrun('share')
    assert 't1/0 t2/0' in pair.bob.tagrun('fetch').stderr
    assert {path.name for path in pair.bob.folder('t1/0').iterdir()} == {'statistic.json', 'history.csv', 'environment.json', 'confusion.json', 'run.json', 'log', trace.EPOCHS}
    assert pair.bob.statistic('t1/0')['metric'] == pair.alice.statistic('t1/0')['metric']
    assert [row['run'] for row in json.loads(pair.bob.tagrun('expls', '--json', 't1', 't2').stdout)] == ['t1/0', 't2/0']
    assert 't2/0' in pair.bob.tagrun('table').stdout
    why = pair.bob.tagrun('why', 't1/0', 't2/0').stdout
    assert 'hidden: 16 -> 20' in why and 'epoch 1: the order of the samples' in why
    assert 'the same as t1/0, bit for bit: the trace of 3 epochs' in pair.bob.tagrun('rerun', 't1', '-f').stderr
    assert pair.bob.outcome('t1/1')['digest'] == pair.alice.outcome('t1/0')['digest']
    # and if it is not the same, the verdict says from which epoch on
    path = pair.bob.folder('t2/0') / trace.EPOCHS
    lines = path.read_text().splitlines()
    lines[2] = ','.join([*lines[2].split(',')[:4], '00000000', lines[2].split(',')[5]])
    path.write_text('\n'.join(lines) + '\n')
    assert 'not the same as t2/0: the loss in epoch 2' in pair.bob.tagrun('rerun', 't2', '-f', code=3).stderr


def test_it_shows_what_will_go_and_sends_that_and_nothing_else(pair):
    (pair.alice.root / 'unshared.txt').write_text('mine')
    shown = pair.alice.tagrun('share', '-n', 't1').stderr
    assert 'to origin (../hub.git): t1/0-1' in shown and '5 refs, ' in shown and pair.refs() == {}
    pair.alice.tagrun('share', 't1')
    assert set(pair.refs()) == {'refs/tags/t1', *(f'refs/tagrun/{kind}/t1/{number}' for kind in ('code', 'result') for number in (0, 1))}
    tree = pair.alice.git('-C', pair.hub, 'ls-tree', '-r', '--name-only', 'refs/tagrun/result/t1/0').split()
    assert sorted(tree) == sorted({'statistic.json', 'history.csv', 'run.json', 'log', trace.EPOCHS})
    assert str(pair.alice.root.parent.parent) not in pair.alice.git('-C', pair.hub, 'show', 'refs/tagrun/result/t1/0:run.json')
    assert '2 runs are on origin already' in pair.alice.tagrun('share', 't1').stderr
    pair.alice.tagrun('share')
    assert 'refs/tagrun/result/t2/0' in pair.refs()
    assert "git has no run 't3'" in pair.alice.tagrun('share', 't3', code=1).stderr


def test_commits_that_the_remote_lacks_are_counted(pair):
    (pair.alice.root / 'code' / 'model.py').write_text('"""Another."""\n')
    pair.alice.commit('mine')
    pair.alice.tagrun('run', 't3')
    assert 'with 1 commit before them that origin may not have yet' in pair.alice.tagrun('share', '-n', 't3').stderr


def test_two_people_with_one_tag_or_one_id_overwrite_nothing_and_both_stay_visible(pair):
    pair.alice.tagrun('share')
    pair.bob.tagrun('fetch')
    for person in (pair.alice, pair.bob):
        person.tagrun('run', 'same')
        person.tagrun('rerun', 't1')
    pair.alice.tagrun('share')
    before, mine = pair.refs(), files(pair.bob)
    said = pair.bob.tagrun('share').stderr
    assert 'origin has another t1/2: yours goes there as t1@Bob-B/2, theirs stays; here yours is t1/2 still' in said
    assert {name: pair.refs()[name] for name in before} == before and 'refs/tags/same@Bob-B' in pair.refs()
    said = pair.bob.tagrun('fetch').stderr
    assert 'origin has another same/0 than you: it is same@origin/0 here, yours stays same/0' in said
    assert {name: content for name, content in files(pair.bob).items() if name in mine} == mine
    assert pair.bob.statistic('same@origin/0')['seed'] == pair.alice.statistic('same/0')['seed'] != pair.bob.statistic('same/0')['seed']
    pair.alice.tagrun('fetch')
    assert pair.alice.statistic('t1@Bob-B/2')['seed'] == pair.bob.statistic('t1/2')['seed']
    for person in (pair.alice, pair.bob):
        assert 'nothing new' in person.tagrun('fetch').stderr
        assert 'on origin already' in person.tagrun('share').stderr
        assert 'nothing is half-made' in person.tagrun('doctor').stderr
    assert 'bit for bit' in pair.alice.tagrun('rerun', 'same@Bob-B', '-f').stderr


def test_who_shares_in_between_is_not_overwritten(pair):
    repository = Repository.at(pair.alice.root)
    mine = sharing.here(repository)
    plan = share.make_plan(repository, 'origin', mine, ['t1/0'])
    theirs = pair.plant('refs/tagrun/code/t1/0', {'code/main.py': b'pass\n'})
    share.send(repository, 'origin', mine, plan)
    assert pair.refs()['refs/tagrun/code/t1/0'] == theirs
    assert pair.refs()['refs/tagrun/code/t1@Alice/0'] == mine.runs['t1/0'].code


def test_a_code_that_only_grew_out_of_theirs_does_not_replace_it(pair):
    repository = Repository.at(pair.alice.root)
    mine = sharing.here(repository)
    plan = share.make_plan(repository, 'origin', mine, ['t1/1'])       # child of t1/0's code: git alone would fast-forward
    pair.alice.git('push', '-q', 'origin', f'{mine.runs["t1/0"].code}:refs/tagrun/code/t1/1')
    with pytest.raises(Exception, match='stale|rejected|failed'):
        repository.push('origin', *plan.refs['t1/1'])
    assert pair.refs()['refs/tagrun/code/t1/1'] == mine.runs['t1/0'].code


def test_a_run_that_went_on_moves_its_result_forward_on_both_sides(pair):
    pair.alice.tagrun('run', 't3', '--set', "how='interrupted'", code=75)
    pair.alice.tagrun('share', 't3')
    pair.bob.tagrun('fetch')
    assert pair.bob.statistic('t3/0')['status'] == 'interrupted'
    assert 'its checkpoints did not come along: `rerun t3/0 -f`' in pair.bob.tagrun('continue', 't3', code=1).stderr
    pair.alice.tagrun('continue', 't3')
    pair.alice.tagrun('share')
    assert '1 run went on at origin: t3/0' in pair.bob.tagrun('fetch').stderr
    assert pair.bob.statistic('t3/0')['status'] == 'finished'
    assert 't3/0' in (pair.bob.root / '__statistic__' / 'exper-list' / 'finished.txt').read_text()


def test_files_that_were_deleted_come_back_and_a_fetch_that_was_killed_is_completed(pair):
    pair.alice.tagrun('share')
    pair.bob.tagrun('fetch')
    shutil.rmtree(pair.bob.folder('t1/0'))
    (pair.bob.folder('t1/1') / 'statistic.json').unlink()
    assert 't1/0-1' in pair.bob.tagrun('fetch').stderr
    assert pair.bob.statistic('t1/0')['run'] == 't1/0' and pair.bob.statistic('t1/1')['fetched_from'] == 'origin'


def test_set_once_a_plain_git_fetch_brings_the_refs(pair):
    pair.alice.tagrun('share')
    assert '3 lines added' in pair.bob.tagrun('fetch', '--always').stderr
    assert 'as it should be' in pair.bob.tagrun('fetch', '--always').stderr
    pair.alice.tagrun('run', 't4')
    pair.alice.tagrun('share')
    pair.bob.git('fetch', '-q')
    assert pair.bob.git('rev-parse', 'refs/tagrun/remote/origin/result/t4/0') == pair.alice.git('rev-parse', 'refs/tagrun/result/t4/0')


def test_a_remote_that_is_away_is_one_sentence_without_its_password(pair):
    for url, shown in (('../gone.git', 'origin (../gone.git) cannot be reached'), (f'http://me:{SECRET}@127.0.0.1:9/x.git', 'origin (http://127.0.0.1:9/x.git)')):
        pair.alice.git('remote', 'set-url', 'origin', url)
        for verb in ('share', 'fetch'):
            said = pair.alice.tagrun(verb, code=1).stderr
            assert shown in said and SECRET not in said and len(said.splitlines()) == 1
    pair.alice.git('remote', 'remove', 'origin')
    assert 'no remote to share with' in pair.alice.tagrun('share', code=1).stderr


def test_what_looks_like_a_token_is_not_in_what_goes(pair):
    main = pair.alice.root / 'code' / 'main.py'
    line = f"    open(FOLDER / 'log', 'a').write('clone https://u:hunter2@host/r.git with {SECRET[:4]}' + '{SECRET[4:]}')\n"
    main.write_text(main.read_text().replace('    save()\n', f'{line}    save()\n', 1))
    pair.alice.commit('a careless log')
    pair.alice.tagrun('run', 't5')
    pair.alice.tagrun('share', 't5')
    assert SECRET in (pair.alice.folder('t5/0') / 'log').read_text()
    log = pair.alice.git('-C', pair.hub, 'show', 'refs/tagrun/result/t5/0:log')
    assert 'https://(hidden)@host/r.git with (hidden)' in log and SECRET not in log and 'hunter2' not in log
    assert 'nothing is half-made' in pair.alice.tagrun('doctor').stderr


def test_hostile_refs_write_nowhere_and_stop_no_other(pair):
    pair.alice.tagrun('share')
    statistic = json.dumps({'run': '../../x/0', 'status': 'finished', 'metric': {'\x1b[31mred': 1}, 'message': '\x1b]0;owned\x07'}).encode()
    info = json.dumps({'tag': '../../x', 'id': 0, 'seed': 3, 'root': '/', 'commit': '--upload-pack=x', 'resume': '../../../x', 'exact': True,
                       'rerun_of': '../x'}).encode()
    good = {'statistic.json': statistic, 'run.json': info, 'history.csv': b'/etc/passwd', 'code/main.py': b'no', 'lock': b'x'}
    code = pair.plant('refs/tagrun/code/odd/0', {'code/main.py': b'pass\n'})
    pair.plant('refs/tagrun/result/odd/0', good, code, [('history.csv', '120000')])
    cases = {'stranger': (good, None), 'folder': ({**good, 'statistic.json': None, 'statistic.json/x': b'{}'}, 'same'), 'empty': ({}, 'same'),
             'nojson': ({**good, 'statistic.json': b'[' * 100_000}, 'same'), 'noseed': ({**good, 'run.json': b'{"seed": "1"}'}, 'same')}
    for name, (content, parent) in cases.items():
        code = pair.plant(f'refs/tagrun/code/{name}/0', {'code/main.py': name.encode()})
        pair.plant(f'refs/tagrun/result/{name}/0', {path: blob for path, blob in content.items() if blob is not None}, code if parent else None)
    for name in ('-x/0', 'con/0', 'a/b/0', 'x/00', 'scratch/0', 'y', 'z/-1', 'HEAD/0', '@x/0', 'l/0/..x'):
        subprocess.run(['git', 'update-ref', f'refs/tagrun/code/{name}', code], cwd=pair.hub, check=False, capture_output=True)
    pair.bob.tagrun('expls')
    (pair.bob.root / '__result__').mkdir(exist_ok=True)
    said = pair.bob.tagrun('fetch', code=1).stderr
    assert all(f'{name}/0 was left out: ' in said for name in cases) and '\x1b' not in said
    assert sorted(path.name for path in (pair.bob.root / '__result__').iterdir() if path.is_dir()) == ['odd', 't1', 't2']
    taken = pair.bob.folder('odd/0')
    assert {path.name for path in taken.iterdir()} == {'statistic.json', 'run.json', 'history.csv'} and not (taken / 'history.csv').is_symlink()
    written = json.loads((taken / 'run.json').read_text())
    assert (written['tag'], written['resume'], written.get('exact'), written['root']) == ('odd', None, None, str(pair.bob.root))
    assert '\x1b' not in pair.bob.tagrun('expls', 'odd').stdout + pair.bob.tagrun('table').stdout


def test_nothing_is_written_through_a_link(pair, tmp_path):
    pair.alice.tagrun('share')
    (tmp_path / 'elsewhere').mkdir()
    (pair.bob.root / '__result__').mkdir(exist_ok=True)
    (pair.bob.root / '__result__' / 't1').symlink_to(tmp_path / 'elsewhere')
    assert 'is a link to another place' in pair.bob.tagrun('fetch', code=1).stderr
    assert not any((tmp_path / 'elsewhere').iterdir())


def test_live_a_run_is_seen_while_it_trains_and_then_as_it_ended(pair):
    pair.alice.git('config', 'tagrun.share', 'live')
    training = pair.alice.start('run', 'long', '--set', "how='slow'")
    wait_for(lambda: 'refs/tagrun/result/long/0' in pair.refs(), what='the first word of it')
    pair.bob.tagrun('fetch')
    assert json.loads(pair.bob.tagrun('expls', 'long', '--json').stdout)[0]['status'] == 'running'
    (pair.alice.root / 'go').touch()
    assert training.wait(60) == 0
    first = pair.refs()['refs/tagrun/result/long/0']
    wait_for(lambda: pair.refs()['refs/tagrun/result/long/0'] != first or not _sender(pair), what='the end of it')
    pair.bob.tagrun('fetch')
    assert pair.bob.statistic('long/0')['status'] == 'finished'
    wait_for(lambda: not _sender(pair), what='the sender to end')


def _sender(pair):
    """Whether a process sends long/0 from Alice's folder."""
    for place in os.listdir('/proc'):
        try:
            if place.isdigit() and '--live' in open(f'/proc/{place}/cmdline').read() and os.readlink(f'/proc/{place}/cwd') == str(pair.alice.root):
                return True
        except OSError:
            continue
    return False


def test_live_a_remote_that_is_away_is_a_line_in_the_log_and_no_more(pair):
    pair.alice.git('config', 'tagrun.share', 'live')
    shutil.move(pair.hub, pair.root / 'away')
    training = pair.alice.start('run', 'long', '--set', "how='slow'")
    log = pair.alice.folder('long/0') / 'log'
    wait_for(lambda: log.exists() and 'live sharing: origin' in log.read_text(), what='the line')
    (pair.alice.root / 'go').touch()
    assert training.wait(60) == 0 and pair.alice.statistic('long/0')['status'] == 'finished'
    shutil.move(pair.root / 'away', pair.hub)
    wait_for(lambda: 'refs/tagrun/result/long/0' in pair.refs(), what='what could not be sent before')
    wait_for(lambda: not _sender(pair), what='the sender to end')


@pytest.mark.slow
def test_over_ssh_it_is_the_same(pair, tmp_path):
    server = shutil.which('sshd', path='/usr/sbin:/usr/bin')
    if not server or os.geteuid():
        pytest.skip('needs sshd, and root')
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    for name in ('host', 'user'):
        subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', tmp_path / name], check=True)
    os.makedirs('/run/sshd', exist_ok=True)
    (tmp_path / 'conf').write_text(f'Port {port}\nListenAddress 127.0.0.1\nHostKey {tmp_path}/host\nAuthorizedKeysFile {tmp_path}/user.pub\nStrictModes no\n'
                                   f'PidFile none\nUsePAM no\nPermitRootLogin yes\n')
    ssh = f'ssh -p {port} -i {tmp_path}/user -o StrictHostKeyChecking=no -o UserKnownHostsFile={tmp_path}/known -o BatchMode=yes'
    daemon = subprocess.Popen([server, '-D', '-f', tmp_path / 'conf'], stderr=subprocess.DEVNULL)
    try:
        for person in (pair.alice, pair.bob):
            person.env['GIT_SSH_COMMAND'] = ssh
            person.git('remote', 'set-url', 'origin', f'ssh://127.0.0.1{str(pair.hub).replace(" ", "%20")}')
        wait_for(lambda: subprocess.run(f'{ssh} 127.0.0.1 true', shell=True, capture_output=True, check=False).returncode == 0, what='sshd')
        pair.alice.git('remote', 'set-url', 'origin', f'ssh://127.0.0.1:{port}{pair.hub}')
        pair.bob.git('remote', 'set-url', 'origin', f'ssh://127.0.0.1:{port}{pair.hub}')
        pair.alice.tagrun('share')
        pair.bob.tagrun('fetch')
        assert pair.bob.statistic('t1/1')['seed'] == pair.alice.statistic('t1/1')['seed']
        assert 'bit for bit' in pair.bob.tagrun('rerun', 't1', '-f').stderr
    finally:
        daemon.terminate()
        daemon.wait()
    said = pair.bob.tagrun('fetch', code=1).stderr
    assert 'cannot be reached: ' in said and 'refused' in said and len(said.splitlines()) == 1, said
