"""A hundred starts, each with a rival while torch would be loading: no run is trained twice, none
is lost, and what was said was done.

Each training is held in its window, before its first line (start_window.py). There somebody stops
it, starts it once more, removes it from the queue, or sends a signal. Then it goes on. The default
is one start of each kind; --slow does all.
"""

import itertools
import json
import signal

import pytest
import stub_project
from project_factory import wait_for
from start_window import StartWindow, is_alive

from tagrun.store import layout, lock, statistic

STARTS = 100
TRAINED = 'trained, finished'  # what the stub writes to its log when it has trained


def first_of(project, *words):
    """Train a run that others of the tag follow."""
    project.tagrun('run', 't', '--set', *words, code=75 if 'how=interrupted' in words else 0)


def start_in_queue(project):
    project.tagrun('run', 't', '-q')
    return project.start('queue', 'start')


# {kind: (what is there before, how it is started, the run that is in the window)}
KINDS = {
    'run': (None, lambda project: project.start('run', 't'), 't/0'),
    'run -d': (None, lambda project: project.start('run', 't', '-d'), 't/0'),
    'run --seeds': (None, lambda project: project.start('run', 't', '--seeds', '2'), 't/0'),
    'continue': (
        lambda project: first_of(project, 'how=interrupted'),
        lambda project: project.start('continue', 't'),
        't/0',
    ),
    'continue -d': (
        lambda project: first_of(project, 'how=interrupted'),
        lambda project: project.start('continue', 't', '-d'),
        't/0',
    ),
    'rerun': (
        lambda project: first_of(project, 'lr=0.2'),
        lambda project: project.start('rerun', 't', '-f'),
        't/1',
    ),
    'queue': (None, start_in_queue, 't/0'),
    'sweep': (None, lambda project: project.start('sweep', 't', 'lr=0.2'), 't/0'),
}
RIVALS = ('stop', 'cancel', 'start', 'signal')
# with a queue `remove` is one more, and so is the end of its worker
PAIRS = [*itertools.product(KINDS, RIVALS), ('queue', 'remove'), ('queue', 'queue stop')]
ROUNDS = [(*pair, number) for number in range(STARTS) for pair in PAIRS][:STARTS]
# of each kind one, with another rival
FEW = [
    next(at for at, one in enumerate(ROUNDS) if one[:2] == pair)
    for pair in (
        ('run', 'stop'),
        ('run -d', 'start'),
        ('run --seeds', 'signal'),
        ('continue', 'start'),
        ('rerun', 'cancel'),
        ('queue', 'remove'),
        ('queue', 'stop'),
        ('sweep', 'stop'),
    )
]
CASES = [
    pytest.param(*one, marks=[] if at in FEW else pytest.mark.slow) for at, one in enumerate(ROUNDS)
]


@pytest.mark.parametrize('kind, rival, number', CASES)
def test_a_start_with_a_rival_in_its_window(tmp_path, kind, rival, number):
    project = stub_project.make(tmp_path / "a 'b; c")
    prepare, start, name = KINDS[kind]
    if prepare:
        prepare(project)
    with StartWindow(project) as window:
        launcher = start(project)
        training = window.wait_for(name)
        folder = project.folder(name)
        assert lock.owner(folder) is not None and statistic.state(folder) == statistic.RUNNING
        stops, said = act(project, rival, name)
        window.open()
        launcher.communicate(timeout=120)
        wait_for(lambda: is_over(project, name, training), 120, 'its end')
        # of a series no further one was held
        assert window.trainings(name) == [training], 'double training'
    check(project, name, stops, said)
    window.remove()


def act(project, rival, name):
    """Do what the rival does; return whether the training is to end by it, and what was said."""
    if rival == 'signal':
        assert lock.signal_owner(project.folder(name), signal.SIGTERM)
        return True, ''
    if rival == 'start':
        said = project.tagrun('continue', name, code=1).stderr
        assert f'{name} is being trained: process' in said
        return False, said
    if rival == 'remove':
        said = project.tagrun('queue', 'remove', name, code=1).stderr
        assert f'{name} is being trained' in said
        return False, said
    words = ('queue', 'stop') if rival == 'queue stop' else (rival, name)
    return True, project.tagrun(*words).stderr


def is_over(project, name, training):
    """Whether its training, its worker and its result are through."""
    workers = (project.root / '__result__' / '.queue').glob('worker-*')
    return (
        not is_alive(training)
        and lock.owner(project.folder(name)) is None
        and all(lock.owner(folder) is None for folder in workers)
        and f'refs/tagrun/result/{name}' in project.git('for-each-ref', '--format=%(refname)')
    )


def check(project, name, stops, said):
    """Neither trained twice, nor lost; and what was said was done."""
    folder = project.folder(name)
    assert trained(folder) == (0 if stops else 1), f'said but not done: {said}'
    if stops:
        assert statistic.state(folder) == statistic.INTERRUPTED
        project.tagrun('continue', name)
        assert trained(folder) == 1, 'lost'
    assert statistic.state(folder) == statistic.FINISHED
    finished = layout.list_file(project.root, 'finished').read_text().split()
    assert finished.count(name) == 1
    queued = json.loads(project.tagrun('queue', '--json').stdout)
    # a worker that was stopped leaves its entry: the next one sees that the run is done
    assert not [entry for entry in queued if entry['status'] == 'failed']


def trained(folder):
    """How often the run was trained to its end."""
    return (folder / 'log').read_text().count(TRAINED) if (folder / 'log').exists() else 0
