"""Eight processes at once for one tag, one id, one run, one list.

    figures = race_for_ids(project, rounds=200)     # {'rounds': 200, 'duplicates': 0, …}

Each has one winner, nothing is made twice, no lock is left. The default tests run a few rounds;
--slow runs 200 of each. The processes are forks that meet at a barrier and call what the commands
call, so that they collide in the microseconds that count; `by hand` the real command line races
too.
"""

import contextlib
import itertools
import json
import multiprocessing
import os
import subprocess
import sys
import threading

import pytest
import stub_project
from project_factory import CODE

from tagrun.core.cli.messages import UserError
from tagrun.core.git.repository import Repository
from tagrun.core.record import claim
from tagrun.store import atomic, experlist, layout, lock

PROCESSES = 8
PATIENCE_S = 120  # for a round; longer is a deadlock
ROUNDS = [pytest.param(10), pytest.param(200, marks=pytest.mark.slow)]
# pytest's own modules need not be imported again
FORK = multiprocessing.get_context('fork')
# a process that replaces the statistic of its run as fast as it can
WRITER = '''
import sys
from pathlib import Path
from run_factory import METRIC, run
from tagrun.store import statistic

folder = run(Path('.').resolve(), f't{sys.argv[1]}/0')
content = statistic.read(folder)
print(flush=True)
step = 0
while not Path('stop').exists():
    step += 1
    statistic.write(folder, {**content, 'metric': {name: step for name in METRIC}})
'''


@pytest.fixture
def project(tmp_path):
    return stub_project.make(tmp_path / "a 'b; c")


def race(rounds, action):
    """Return [[what action(number, round) gave in each process], …], a list for each round.

    All processes begin a round at the same moment.
    """
    barrier, answers = FORK.Barrier(PROCESSES), FORK.SimpleQueue()
    racers = [
        FORK.Process(target=_racer, args=(barrier, answers, rounds, action, number))
        for number in range(PROCESSES)
    ]
    for racer in racers:
        racer.start()
    outcomes = [[] for _ in range(rounds)]
    for _ in range(rounds * PROCESSES):
        at, answer = answers.get()
        assert at is not None, answer
        outcomes[at].append(answer)
    for racer in racers:
        racer.join(PATIENCE_S)
        assert racer.exitcode == 0, 'a deadlock'
    return outcomes


def _racer(barrier, answers, rounds, action, number):
    with open(os.devnull, 'w') as nowhere, contextlib.redirect_stderr(nowhere):
        try:
            for at in range(rounds):
                barrier.wait(PATIENCE_S)
                answers.put((at, action(number, at)))
        except BaseException as error:
            answers.put((None, f'{type(error).__name__}: {error}'))
            raise


def recorded(root, *arguments, **more):
    """Record a run; return its id, or None where it was refused."""
    try:
        return int(claim.create_run(Repository.at(root), *arguments, **more).name)
    except UserError:
        return None


def together(project, *words):
    """Start eight processes at once; return their exit codes."""
    processes = [project.start(*words) for _ in range(PROCESSES)]
    return [process.wait(PATIENCE_S) for process in processes]


def stale_locks(project):
    """What git or Tagrun left of a lock, a temporary index or a file half replaced."""
    git = project.root / '.git'
    return [
        str(path)
        for path in (
            *git.glob('*.lock'),
            *(git / 'refs').rglob('*.lock'),
            *git.glob('tagrun-*'),
            *project.root.rglob('.*.tmp'),
        )
    ]


def has_one_winner(ids):
    return len([number for number in ids if number is not None]) == 1


def race_for_tags(project, rounds):
    commit = Repository.at(project.root).resolve('HEAD')
    outcomes = race(
        rounds,
        lambda number, at: recorded(project.root, f't{at}', commit, 7, tag_message=f'by {number}'),
    )
    return {
        'rounds': rounds,
        'processes': PROCESSES,
        'duplicates': sum(not has_one_winner(answers) for answers in outcomes),
        'tags': len(project.git('tag').split()),
        'stale locks': stale_locks(project),
    }


def race_for_ids(project, rounds):
    commit = Repository.at(project.root).resolve('HEAD')
    outcomes = race(rounds, lambda number, at: recorded(project.root, 't', commit, 7))
    answers = itertools.chain.from_iterable(outcomes)
    ids = [number for number in answers if number is not None]
    return {
        'rounds': rounds,
        'processes': PROCESSES,
        'duplicates': len(ids) - len(set(ids)),
        'refused': rounds * PROCESSES - len(ids),
        'refs': len(project.git('for-each-ref', 'refs/tagrun/code/t').splitlines()),
        'stale locks': stale_locks(project),
    }


def race_for_a_run(project, rounds):
    """Race for a run's lock, as two `continue` of it do; the winner keeps it until all tried."""
    _, folder = layout.claim(project.root, 't')
    tried = FORK.Barrier(PROCESSES)

    def own(number, at):
        try:
            owner = lock.Lock(folder)
        except lock.Held:
            owner = None
        tried.wait(PATIENCE_S)
        if owner:
            owner.release()
        tried.wait(PATIENCE_S)
        return owner is not None

    patience, lock.PATIENCE_S = lock.PATIENCE_S, 0
    outcomes = race(rounds, own)
    lock.PATIENCE_S = patience
    return {
        'rounds': rounds,
        'processes': PROCESSES,
        'duplicates': sum(sum(answers) != 1 for answers in outcomes),
        'owner left': lock.owner(folder),
        'stale locks': stale_locks(project),
    }


def race_for_a_list(project, rounds):
    """Four record the same runs, four others; every line is there once."""
    for number in range(PROCESSES):
        for at in range(rounds):
            (layout.result(project.root) / f'r{number}' / str(at)).mkdir(parents=True)
    race(
        rounds,
        lambda number, at: len(experlist.add(project.root, 'record', [(f'r{number // 2}', at)])),
    )
    lines = layout.list_file(project.root, 'record').read_text().split()
    return {
        'rounds': rounds,
        'processes': PROCESSES,
        'duplicates': len(lines) - len(set(lines)),
        'lost': 4 * rounds - len(set(lines)),
        'stale locks': stale_locks(project),
    }


@pytest.mark.parametrize('rounds', ROUNDS)
def test_of_eight_that_want_one_tag_one_gets_it(project, rounds):
    assert race_for_tags(project, rounds) == {
        'rounds': rounds,
        'processes': 8,
        'duplicates': 0,
        'tags': rounds,
        'stale locks': [],
    }
    assert (
        len([*(project.root / '__result__').glob('t*/*/run.json')])
        == len([*(project.root / '__result__').glob('t*/*')])
        == rounds
    ), 'the others left folders'


@pytest.mark.parametrize('rounds', ROUNDS)
def test_of_eight_that_want_an_id_each_gets_its_own(project, rounds):
    assert race_for_ids(project, rounds) == {
        'rounds': rounds,
        'processes': 8,
        'duplicates': 0,
        'refused': 0,
        'refs': 8 * rounds,
        'stale locks': [],
    }


@pytest.mark.parametrize('rounds', ROUNDS)
def test_of_eight_that_want_a_run_one_owns_it(project, rounds):
    assert race_for_a_run(project, rounds) == {
        'rounds': rounds,
        'processes': 8,
        'duplicates': 0,
        'owner left': None,
        'stale locks': [],
    }


@pytest.mark.parametrize('rounds', ROUNDS)
def test_of_eight_that_record_no_line_is_lost_and_none_is_there_twice(project, rounds):
    assert race_for_a_list(project, rounds) == {
        'rounds': rounds,
        'processes': 8,
        'duplicates': 0,
        'lost': 0,
        'stale locks': [],
    }


@pytest.mark.parametrize('rounds', [pytest.param(1), pytest.param(25, marks=pytest.mark.slow)])
def test_by_hand_eight_runs_of_a_tag_eight_continues_and_eight_reruns(project, rounds):
    runs = []
    for at in range(rounds):
        assert sorted(together(project, 'run', f't{at}', '--set', 'how=interrupted')) == [1] * 7 + [
            75
        ]
        # 0, but for the moment in which a loser holds that
        [number] = layout.numbers(project.root, f't{at}')
        runs.append(f't{at}/{number}')
        assert sorted(together(project, 'continue', f't{at}')) in [
            [0] * done + [1] * (8 - done) for done in range(1, 9)
        ]
        assert (project.folder(runs[-1]) / 'log').read_text().split('\n').count(
            'trained, finished'
        ) >= 1
        assert together(project, 'rerun', f't{at}', '-f') == [75] * 8
        assert len(layout.numbers(project.root, f't{at}')) == 9
    finished = (project.root / '__statistic__' / 'exper-list' / 'finished.txt').read_text().split()
    assert sorted(finished) == sorted(runs) and not stale_locks(project)


def test_by_hand_one_of_eight_that_continue_a_run_trains_while_the_others_are_told_who(project):
    project.tagrun('run', 't1', '--set', 'how=interrupted', code=75)
    owner = lock.Lock(project.folder('t1/0'))
    processes = [project.start('continue', 't1') for _ in range(8)]
    errors = [process.communicate(timeout=60)[1] for process in processes]
    owner.release()
    assert [process.returncode for process in processes] == [1] * 8
    assert all(f't1/0 is being trained: process {os.getpid()} on ' in error for error in errors)


@pytest.mark.parametrize('rounds', [pytest.param(4), pytest.param(60, marks=pytest.mark.slow)])
def test_a_table_that_is_made_while_runs_write_is_always_whole(project, rounds):
    """Four writers replace their statistics as fast as they can: a table has four whole rows."""
    env = {**project.env, 'PYTHONPATH': f'{CODE}:{CODE}/tagrun/tests/support'}
    (project.root / '__statistic__' / 'exper-list').mkdir(parents=True)
    writers = [
        subprocess.Popen(
            [sys.executable, '-c', WRITER, str(number)],
            cwd=project.root,
            env=env,
            stdout=subprocess.PIPE,
        )
        for number in range(4)
    ]
    for writer in writers:
        assert writer.stdout.readline() == b'\n'
    try:
        for _ in range(rounds):
            done = project.tagrun('table', 'finished', '--json')
            rows = json.loads(done.stdout)
            assert len(rows) == 4 and all(
                len({row['train/loss'], row['val/acc'], row['test/acc']}) == 1 for row in rows
            ), 'a row of two moments'
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
    assert (
        len(
            project.git(
                'for-each-ref', 'refs/tagrun/code', 'refs/tagrun/result', 'refs/tags'
            ).splitlines()
        )
        == 24
    )


def test_eight_at_once_append_and_replace_and_every_reader_finds_a_whole_file(tmp_path):
    path = tmp_path / 'file'
    atomic.write(path, 'x' * 10_000)

    def write_and_read(number, at):
        atomic.write(path, str(number) * 10_000)
        return len(set(path.read_text())) == 1 and path.stat().st_size == 10_000

    assert all(all(answers) for answers in race(20, write_and_read)) and os.listdir(tmp_path) == [
        'file'
    ]
