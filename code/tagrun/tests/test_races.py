"""Eight processes at once for one tag, one id, one run, one list: one winner each, nothing twice, no lock left.

    figures = race_for_ids(project, rounds=200)     # {'rounds': 200, 'processes': 8, 'duplicates': 0, …}

In the default tests a few rounds; with --slow 200 of each. Processes are forks that meet at a barrier and call what the verbs call, so
that they collide in the microseconds that count; `by hand` the real command line races too.
"""
import json
import multiprocessing
import os
import subprocess
import sys
import threading

import pytest
import stub
from conftest import CODE

from tagrun.command import prepare
from tagrun.command.git import Repository
from tagrun.command.say import Refusal
from tagrun.store import atomic, experlist, layout, lock

PROCESSES = 8
PATIENCE_S = 120        # for a round; longer is a deadlock
ROUNDS = [pytest.param(10), pytest.param(200, marks=pytest.mark.slow)]
FORK = multiprocessing.get_context('fork')      # pytest's own modules need not be imported again


@pytest.fixture
def project(tmp_path):
    return stub.make(tmp_path / "a 'b; c")


def race(rounds, action):
    """[[what action(number, round) gave in each process], …] of each round; all begin a round at the same moment."""
    barrier, answers = FORK.Barrier(PROCESSES), FORK.SimpleQueue()
    racers = [FORK.Process(target=_racer, args=(barrier, answers, rounds, action, number)) for number in range(PROCESSES)]
    for racer in racers:
        racer.start()
    found = [[] for _ in range(rounds)]
    for _ in range(rounds * PROCESSES):
        at, answer = answers.get()
        assert at is not None, answer
        found[at].append(answer)
    for racer in racers:
        racer.join(PATIENCE_S)
        assert racer.exitcode == 0, 'a deadlock'
    return found


def _racer(barrier, answers, rounds, action, number):
    sys.stderr = open(os.devnull, 'w')
    try:
        for at in range(rounds):
            barrier.wait(PATIENCE_S)
            answers.put((at, action(number, at)))
    except BaseException as error:
        answers.put((None, f'{type(error).__name__}: {error}'))
        raise


def recorded(root, *arguments, **more):
    """The id of a new run, or None where it was refused."""
    try:
        return int(prepare.new_run(Repository.at(root), *arguments, **more).name)
    except Refusal:
        return None


def together(project, *words):
    """The exit codes of eight processes that were started at once."""
    return [process.wait(PATIENCE_S) for process in [project.start(*words) for _ in range(PROCESSES)]]


def stale_locks(project):
    """What git or Tagrun left of a lock, a temporary index or a file half replaced."""
    git = project.root / '.git'
    return [str(path) for path in (*git.glob('*.lock'), *(git / 'refs').rglob('*.lock'), *git.glob('tagrun-*'), *project.root.rglob('.*.tmp'))]


def race_for_tags(project, rounds):
    commit = Repository.at(project.root).resolve('HEAD')
    found = race(rounds, lambda number, at: recorded(project.root, f't{at}', commit, 7, tag_message=f'by {number}'))
    return {'rounds': rounds, 'processes': PROCESSES, 'duplicates': sum(sum(one is not None for one in answers) != 1 for answers in found),
            'tags': len(project.git('tag').split()), 'stale locks': stale_locks(project)}


def race_for_ids(project, rounds):
    commit = Repository.at(project.root).resolve('HEAD')
    found = race(rounds, lambda number, at: recorded(project.root, 't', commit, 7))
    ids = [one for answers in found for one in answers if one is not None]
    return {'rounds': rounds, 'processes': PROCESSES, 'duplicates': len(ids) - len(set(ids)), 'refused': rounds * PROCESSES - len(ids),
            'refs': len(project.git('for-each-ref', 'refs/tagrun/code/t').splitlines()), 'stale locks': stale_locks(project)}


def race_for_a_run(project, rounds):
    """Who owns a run: what two `continue` of it come down to. The winner keeps it until all have tried."""
    _, folder = layout.claim(project.root, 't')
    tried = FORK.Barrier(PROCESSES)

    def own(number, at):
        try:
            held = lock.Lock(folder)
        except lock.Held:
            held = None
        tried.wait(PATIENCE_S)
        if held:
            held.release()
        tried.wait(PATIENCE_S)
        return held is not None
    patience, lock.PATIENCE_S = lock.PATIENCE_S, 0
    found = race(rounds, own)
    lock.PATIENCE_S = patience
    return {'rounds': rounds, 'processes': PROCESSES, 'duplicates': sum(sum(answers) != 1 for answers in found), 'owner left': lock.owner(folder),
            'stale locks': stale_locks(project)}


def race_for_a_list(project, rounds):
    """Four record the same runs, four others; every line is there once."""
    for number in range(PROCESSES):
        for at in range(rounds):
            (layout.result(project.root) / f'r{number}' / str(at)).mkdir(parents=True)
    race(rounds, lambda number, at: len(experlist.add(project.root, 'record', [(f'r{number // 2}', at)])))
    lines = layout.list_file(project.root, 'record').read_text().split()
    return {'rounds': rounds, 'processes': PROCESSES, 'duplicates': len(lines) - len(set(lines)), 'lost': 4 * rounds - len(set(lines)),
            'stale locks': stale_locks(project)}


@pytest.mark.parametrize('rounds', ROUNDS)
def test_of_eight_that_want_one_tag_one_gets_it(project, rounds):
    assert race_for_tags(project, rounds) == {'rounds': rounds, 'processes': 8, 'duplicates': 0, 'tags': rounds, 'stale locks': []}
    assert len([*(project.root / '__result__').glob('t*/*/run.json')]) == len([*(project.root / '__result__').glob('t*/*')]) == rounds, 'the others left folders'


@pytest.mark.parametrize('rounds', ROUNDS)
def test_of_eight_that_want_an_id_each_gets_its_own(project, rounds):
    found = race_for_ids(project, rounds)
    assert found == {'rounds': rounds, 'processes': 8, 'duplicates': 0, 'refused': 0, 'refs': 8 * rounds, 'stale locks': []}


@pytest.mark.parametrize('rounds', ROUNDS)
def test_of_eight_that_want_a_run_one_owns_it(project, rounds):
    assert race_for_a_run(project, rounds) == {'rounds': rounds, 'processes': 8, 'duplicates': 0, 'owner left': None, 'stale locks': []}


@pytest.mark.parametrize('rounds', ROUNDS)
def test_of_eight_that_record_no_line_is_lost_and_none_is_there_twice(project, rounds):
    assert race_for_a_list(project, rounds) == {'rounds': rounds, 'processes': 8, 'duplicates': 0, 'lost': 0, 'stale locks': []}


@pytest.mark.parametrize('rounds', [pytest.param(1), pytest.param(25, marks=pytest.mark.slow)])
def test_by_hand_eight_runs_of_a_tag_eight_continues_and_eight_reruns(project, rounds):
    runs = []
    for at in range(rounds):
        assert sorted(together(project, 'run', f't{at}', '--set', 'how=interrupted')) == [1] * 7 + [75]
        [number] = layout.numbers(project.root, f't{at}')       # 0, but for the moment in which a loser holds that
        runs.append(f't{at}/{number}')
        assert sorted(together(project, 'continue', f't{at}')) in [[0] * done + [1] * (8 - done) for done in range(1, 9)]
        assert (project.folder(runs[-1]) / 'log').read_text().split('\n').count('trained, finished') >= 1
        assert together(project, 'rerun', f't{at}', '-f') == [75] * 8
        assert len(layout.numbers(project.root, f't{at}')) == 9
    finished = (project.root / '__statistic__' / 'exper-list' / 'finished.txt').read_text().split()
    assert sorted(finished) == sorted(runs) and not stale_locks(project)


def test_by_hand_one_of_eight_that_continue_a_run_trains_while_the_others_are_told_who(project):
    project.tagrun('run', 't1', '--set', 'how=interrupted', code=75)
    held = lock.Lock(project.folder('t1/0'))
    processes = [project.start('continue', 't1') for _ in range(8)]
    told = [process.communicate(timeout=60)[1] for process in processes]
    held.release()
    assert [process.returncode for process in processes] == [1] * 8
    assert all(f't1/0 is being trained: process {os.getpid()} on ' in words for words in told)


@pytest.mark.parametrize('rounds', [pytest.param(4), pytest.param(60, marks=pytest.mark.slow)])
def test_a_table_that_is_made_while_runs_write_is_always_whole(project, rounds):
    """Four writers replace what they know of themselves as fast as they can; every table has four whole rows."""
    env = {**project.env, 'PYTHONPATH': f'{CODE}:{CODE}/tagrun/tests'}
    (project.root / '__statistic__' / 'exper-list').mkdir(parents=True)
    code = ("import sys; from pathlib import Path; from made import run, METRIC; from tagrun.store import statistic\n"
            "folder = run(Path('.').resolve(), f't{sys.argv[1]}/0'); content = statistic.read(folder); print(flush=True)\n"
            "step = 0\nwhile not Path('stop').exists():\n    step += 1; statistic.write(folder, {**content, 'metric': {name: step for name in METRIC}})")
    writers = [subprocess.Popen([sys.executable, '-c', code, str(number)], cwd=project.root, env=env, stdout=subprocess.PIPE) for number in range(4)]
    for writer in writers:
        assert writer.stdout.readline() == b'\n'
    try:
        for _ in range(rounds):
            done = project.tagrun('table', 'finished', '--json')
            rows = json.loads(done.stdout)
            assert len(rows) == 4 and all(len({row['train/loss'], row['val/acc'], row['test/acc']}) == 1 for row in rows), 'a row of two moments'
            assert 'left out' not in done.stderr
    finally:
        (project.root / 'stop').touch()
        for writer in writers:
            writer.wait(30)


def test_while_git_gc_works_runs_are_recorded_and_none_is_lost(project):
    stop = threading.Event()

    def collect():
        while not stop.is_set():
            subprocess.run(['git', 'gc', '--quiet'], cwd=project.root, capture_output=True)
    collector = threading.Thread(target=collect)
    collector.start()
    try:
        for number in range(8):
            project.tagrun('run', f't{number}')
    finally:
        stop.set()
        collector.join()
    subprocess.run(['git', 'fsck', '--strict'], cwd=project.root, check=True, capture_output=True)
    assert len(project.git('for-each-ref', 'refs/tagrun/code', 'refs/tagrun/result', 'refs/tags').splitlines()) == 24


def test_eight_at_once_append_and_replace_and_every_reader_finds_a_whole_file(tmp_path):
    path = tmp_path / 'file'
    atomic.write(path, 'x' * 10_000)

    def write_and_read(number, at):
        atomic.write(path, str(number) * 10_000)
        return len(set(path.read_text())) == 1 and path.stat().st_size == 10_000
    assert all(all(answers) for answers in race(20, write_and_read)) and os.listdir(tmp_path) == ['file']
