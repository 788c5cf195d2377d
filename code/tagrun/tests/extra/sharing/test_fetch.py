"""`fetch`: what comes, what is made good, what is hostile."""

import json
import shutil
import subprocess

from project_factory import make_project
from two_clones import make_pair

from tagrun.store import trace


def test_one_trains_and_the_other_fetches_tabulates_asks_why_and_makes_it_again_bit_for_bit(
    tmp_path, data
):
    pair = make_pair(tmp_path, make_project(tmp_path / 'al ice', data, matrices=True))
    shutil.copytree(data, pair.bob.root / '__data__')
    pair.alice.tagrun('run', 't1')
    pair.alice.tagrun('run', 't2', '--set', 'hidden=20')
    pair.alice.tagrun('share', '--all')
    assert 't1/0 t2/0' in pair.bob.tagrun('fetch').stderr
    assert {path.name for path in pair.bob.folder('t1/0').iterdir()} == {
        'statistic.json',
        'history.csv',
        'environment.json',
        'confusion.json',
        'run.json',
        'log',
        trace.EPOCHS,
    }
    assert pair.bob.statistic('t1/0')['metric'] == pair.alice.statistic('t1/0')['metric']
    assert [
        row['run'] for row in json.loads(pair.bob.tagrun('expls', '--json', 't1', 't2').stdout)
    ] == ['t1/0', 't2/0']
    assert 't2/0' in pair.bob.tagrun('table').stdout
    why = pair.bob.tagrun('why', 't1/0', 't2/0').stdout
    assert 'hidden: 16 -> 20' in why and 'epoch 1: the order of the samples' in why
    assert (
        'the same as t1/0, bit for bit: the trace of 3 epochs'
        in pair.bob.tagrun('rerun', 't1', '-f').stderr
    )
    assert pair.bob.outcome('t1/1')['digest'] == pair.alice.outcome('t1/0')['digest']
    # and if it is not the same, the verdict says from which epoch on
    path = pair.bob.folder('t2/0') / trace.EPOCHS
    lines = path.read_text().splitlines()
    lines[2] = ','.join([*lines[2].split(',')[:4], '00000000', lines[2].split(',')[5]])
    path.write_text('\n'.join(lines) + '\n')
    assert (
        'not the same as t2/0: the loss in epoch 2'
        in pair.bob.tagrun('rerun', 't2', '-f', code=3).stderr
    )


def test_a_run_that_went_on_moves_its_result_forward_on_both_sides(pair):
    pair.alice.tagrun('run', 't3', '--set', "how='interrupted'", code=75)
    pair.alice.tagrun('share', 't3')
    pair.bob.tagrun('fetch')
    assert pair.bob.statistic('t3/0')['status'] == 'interrupted'
    assert (
        'its checkpoints did not come along: `rerun t3/0 -f`'
        in pair.bob.tagrun('continue', 't3', code=1).stderr
    )
    pair.alice.tagrun('continue', 't3')
    pair.alice.tagrun('share', '--all')
    assert '1 run went on at origin: t3/0' in pair.bob.tagrun('fetch').stderr
    assert pair.bob.statistic('t3/0')['status'] == 'finished'
    assert 't3/0' in (pair.bob.root / '__statistic__' / 'exper-list' / 'finished.txt').read_text()


def test_files_that_were_deleted_come_back_and_a_fetch_that_was_killed_is_completed(pair):
    pair.alice.tagrun('share', '--all')
    pair.bob.tagrun('fetch')
    shutil.rmtree(pair.bob.folder('t1/0'))
    (pair.bob.folder('t1/1') / 'statistic.json').unlink()
    assert 't1/0-1' in pair.bob.tagrun('fetch').stderr
    assert (
        pair.bob.statistic('t1/0')['run'] == 't1/0'
        and pair.bob.statistic('t1/1')['fetched_from'] == 'origin'
    )


def test_set_once_a_plain_git_fetch_brings_the_refs(pair):
    pair.alice.tagrun('share', '--all')
    assert '3 lines added' in pair.bob.tagrun('fetch', '--always').stderr
    assert 'as it should be' in pair.bob.tagrun('fetch', '--always').stderr
    pair.alice.tagrun('run', 't4')
    pair.alice.tagrun('share', '--all')
    pair.bob.git('fetch', '-q')
    assert pair.bob.git('rev-parse', 'refs/tagrun/remote/origin/result/t4/0') == pair.alice.git(
        'rev-parse', 'refs/tagrun/result/t4/0'
    )


def test_hostile_refs_write_nowhere_and_stop_no_other(pair):
    pair.alice.tagrun('share', '--all')
    statistic = json.dumps(
        {
            'run': '../../x/0',
            'status': 'finished',
            'metric': {'\x1b[31mred': 1},
            'message': '\x1b]0;owned\x07',
        }
    ).encode()
    info = json.dumps(
        {
            'tag': '../../x',
            'id': 0,
            'seed': 3,
            'root': '/',
            'commit': '--upload-pack=x',
            'resume': '../../../x',
            'exact': True,
            'rerun_of': '../x',
        }
    ).encode()
    good = {
        'statistic.json': statistic,
        'run.json': info,
        'history.csv': b'/etc/passwd',
        'code/main.py': b'no',
        'lock': b'x',
    }
    code = pair.plant('refs/tagrun/code/odd/0', {'code/main.py': b'pass\n'})
    pair.plant('refs/tagrun/result/odd/0', good, code, [('history.csv', '120000')])
    cases = {
        'stranger': (good, None),
        'folder': ({**good, 'statistic.json': None, 'statistic.json/x': b'{}'}, 'same'),
        'empty': ({}, 'same'),
        'nojson': ({**good, 'statistic.json': b'[' * 100_000}, 'same'),
        'noseed': ({**good, 'run.json': b'{"seed": "1"}'}, 'same'),
    }
    for name, (content, parent) in cases.items():
        code = pair.plant(f'refs/tagrun/code/{name}/0', {'code/main.py': name.encode()})
        pair.plant(
            f'refs/tagrun/result/{name}/0',
            {path: blob for path, blob in content.items() if blob is not None},
            code if parent else None,
        )
    for name in (
        '-x/0',
        'con/0',
        'a/b/0',
        'x/00',
        'scratch/0',
        'y',
        'z/-1',
        'HEAD/0',
        '@x/0',
        'l/0/..x',
    ):
        subprocess.run(
            ['git', 'update-ref', f'refs/tagrun/code/{name}', code],
            cwd=pair.hub,
            check=False,
            capture_output=True,
        )
    pair.bob.tagrun('expls')
    (pair.bob.root / '__result__').mkdir(exist_ok=True)
    said = pair.bob.tagrun('fetch', code=1).stderr
    assert all(f'{name}/0 was left out: ' in said for name in cases) and '\x1b' not in said
    assert sorted(
        path.name for path in (pair.bob.root / '__result__').iterdir() if path.is_dir()
    ) == ['odd', 't1', 't2']
    taken = pair.bob.folder('odd/0')
    assert {path.name for path in taken.iterdir()} == {
        'statistic.json',
        'run.json',
        'history.csv',
    } and not (taken / 'history.csv').is_symlink()
    written = json.loads((taken / 'run.json').read_text())
    assert (written['tag'], written['resume'], written.get('exact'), written['root']) == (
        'odd',
        None,
        None,
        str(pair.bob.root),
    )
    assert '\x1b' not in pair.bob.tagrun('expls', 'odd').stdout + pair.bob.tagrun('table').stdout


def test_nothing_is_written_through_a_link(pair, tmp_path):
    pair.alice.tagrun('share', '--all')
    (tmp_path / 'elsewhere').mkdir()
    (pair.bob.root / '__result__').mkdir(exist_ok=True)
    (pair.bob.root / '__result__' / 't1').symlink_to(tmp_path / 'elsewhere')
    assert 'a link to another place' in pair.bob.tagrun('fetch', code=1).stderr
    assert not any((tmp_path / 'elsewhere').iterdir())


def test_both_sides_name_the_inputs_that_do_not_travel(pair):
    pair.alice.tagrun('run', 'fine', '--weights-from', 't1/0')
    done = pair.alice.tagrun('share', 'fine', 't1')
    assert '  fine/0 takes t1/0:epoch_1.pth, which is not sent: a rerun needs' in done.stderr
    done = pair.bob.tagrun('fetch')
    assert '  fine/0 takes t1/0:epoch_1.pth, which is not here: `rerun` of it needs' in done.stderr
    line = pair.bob.tagrun('rerun', 'fine/0', '-f', code=1).stderr
    assert 'input t1/0 epoch_1.pth is not here: t1/0 was fetched' in line
    assert 'from t1/0:epoch_1.pth' in pair.bob.tagrun('expls', 'fine').stdout
    # as the message says, its folder checkpoint/ is copied
    shutil.copytree(
        pair.alice.folder('t1/0') / 'checkpoint',
        pair.bob.folder('t1/0') / 'checkpoint',
        symlinks=True,
    )
    pair.bob.tagrun('rerun', 'fine/0', '-f')


def test_a_run_whose_tag_is_a_branch_here_gets_the_name_beside_it(pair):
    pair.alice.tagrun('run', 'idea')
    pair.alice.tagrun('share', 'idea')
    pair.bob.git('branch', 'idea')
    shown = pair.bob.tagrun('fetch').stderr
    assert 'you have a branch idea: idea/0 is idea@origin/0 here' in shown
    assert pair.bob.git('tag', '--list', 'idea*').split() == ['idea@origin']
    assert pair.bob.git('rev-parse', '--abbrev-ref', 'idea').strip() == 'idea'
    assert 'nothing new' in pair.bob.tagrun('fetch').stderr
