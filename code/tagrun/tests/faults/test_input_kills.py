"""Runs that are killed while they read their inputs: nothing half-made counts, and they go on.

The run begins with everything of another one, and its code takes weights besides.
"""

import random
import signal

import pytest
from campaign import Runs, damage, last_line
from project_factory import make_project

from tagrun.core.record import claim
from tagrun.store import checkpoints, inputs, run_json

CODED = '''        state = State(args, run.device, steps_per_epoch)
        run.weights_of('pre/0:best', '0')
'''
SETTINGS = {'epochs': '2', 'keep_last': '9'}
BEGUN_S = 0.5  # in which a run has read its inputs


class InputRuns(Runs):
    """t1/0 begins with the first of two epochs of pre/0."""

    def __init__(self, folder, data):
        project = make_project(folder / "a 'b; c", data, **SETTINGS)
        _pretrain(project)
        super().__init__(project, ('--from', 'pre:1'))
        record = inputs.parse(run_json.read(self.project.folder('t1/0'))['inputs'])
        # what the code takes, each run records anew
        self._record = inputs.dump([each for each in record if each.what != inputs.CODE])

    def new(self):
        more = {'inputs': self._record}
        return claim.create_run(self.repository, 't1', self._commit, self._seed, more)


def _pretrain(project):
    project.tagrun('run', '-f', 'pre')
    project.edit('main.py', '        state = State(args, run.device, steps_per_epoch)\n', CODED)
    project.commit()


@pytest.fixture(scope='module')
def runs(tmp_path_factory, data):
    with InputRuns(tmp_path_factory.mktemp('inputs'), data) as runs:
        yield runs


def wrong(runs, **options):
    """Kill a new run so; return (whether it was killed, what is wrong with it, then or at its end).

    options: of Server.train.
    """
    before = _files(runs.project.folder('pre/0'))
    folder = runs.new()
    ended = runs.server.train(folder, **options)
    sentences = damage(folder)
    if ended.code not in (0, -signal.SIGKILL):
        sentences.append(f'{folder.name} ended with {ended.code}: {last_line(folder)}')
    try:
        recorded = inputs.parse(run_json.read(folder)['inputs'])
    except (OSError, ValueError, KeyError) as error:
        sentences.append(f'{folder.name}: run.json: {error}')
        recorded = []
    for each in recorded:
        path = each.path(runs.project.root)
        if path is None or checkpoints.digest(path) != each.sha256:
            sentences.append(f'{folder.name} recorded {each.name}, which is another file')
    sentences += filter(None, [runs.finish(folder)])
    if _files(runs.project.folder('pre/0')) != before:
        sentences.append(f'{folder.name} changed files of pre/0')
    runs.done_with(folder)
    return ended.code == -signal.SIGKILL, sentences


def _files(folder):
    """Return {name: SHA-256} of a run's checkpoints and their list, NEEDED left out."""
    return {
        path.name: checkpoints.digest(path)
        for path in (folder / checkpoints.FOLDER).iterdir()
        if path.name != 'NEEDED' and not path.is_symlink()
    }


def at_call(number):
    """Kill at the n-th change of a file, in the folder of the run or in that of the other one."""
    return {'action': 'kill', 'at': number, 'without': '*tensorboard/*'}


def test_a_kill_at_any_change_of_a_file_leaves_nothing_that_counts(runs):
    """The first calls are those of the beginning; each fifth one is tried here."""
    for number in range(5, 26, 5):
        killed, sentences = wrong(runs, calls={**at_call(number), 'folder': _results(runs)})
        assert killed and not sentences


@pytest.mark.slow
def test_a_hundred_kills_while_inputs_are_read_leave_nothing_that_counts(runs):
    moments, struck, bad = random.Random(14), 0, []
    for number in range(1, 41):
        killed, sentences = wrong(runs, calls={**at_call(number), 'folder': _results(runs)})
        struck, bad = struck + killed, bad + sentences
    while struck < 140:
        killed, sentences = wrong(runs, kill_after=moments.uniform(0, BEGUN_S))
        struck, bad = struck + killed, bad + sentences
    assert not bad


def _results(runs):
    return str(runs.project.root / '__result__')
