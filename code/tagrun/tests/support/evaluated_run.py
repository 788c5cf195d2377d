"""One trained run that many tests evaluate, each evaluation in a tenth of a second.

    def test_…(trained): folder = trained.evaluate(phases=('test',)); trained.statistic(folder)

Tests leave the run as it is, and make as many evaluations of it as they like.
"""

import hashlib
import json
import signal

import pytest
from forked_trainer import Server
from project_factory import make_project

from tagrun.core.git.repository import Repository
from tagrun.core.launch import evaluation
from tagrun.core.launch.evaluation import Request
from tagrun.store.run_ref import RunRef

RUN = RunRef('t1', 0)
# dropout and augmentation, which an evaluation has, or has not, as the run had them
SETTINGS = {'dropout': '0.3', 'augment': '0.1', 'eval_batch_size': '300', 'keep_last': '9'}

# config.py's spoils names a phase that changes the weights
TRAINS = '    state.model.train(train)\n'
SPOILS = f"""{TRAINS}    if phase == args.spoils:
        next(state.model.parameters()).data.add_(1)
"""


class Trained:
    """The project with the finished run t1/0, and a process that evaluates it."""

    def __init__(self, root, data):
        self.project = make_project(root, data, matrices=True, **SETTINGS)
        self.project.edit('config.py', 'epochs = 3', "spoils = ''\nepochs = 3")
        self.project.edit('epoch.py', TRAINS, SPOILS)
        self.project.commit()
        self.project.tagrun('run', '-f', 't1')
        self.repository = Repository.at(self.project.root)
        self.folder = self.project.folder('t1/0')
        self.server = Server(self.project.root / 'code')

    def create(self, which='', phases=(), settings=None):
        """Prepare an evaluation; return its folder."""
        request = Request(which, tuple(phases), settings or {})
        return evaluation.create(self.repository, RUN, request)

    def evaluate(self, which='', phases=(), settings=None, code=0):
        """Make an evaluation as the launcher does; return its folder."""
        folder = self.create(which, phases, settings)
        ended = self.server.train(folder)
        assert ended.code == code, (folder / 'log').read_text()
        evaluation.remove_checkpoint(folder)
        return folder

    def statistic(self, folder):
        return json.loads((folder / 'statistic.json').read_text())

    def of_epoch(self, epoch):
        """What the run itself measured in an epoch, {'val/acc': 0.9}."""
        lines = (self.folder / 'history.csv').read_text().splitlines()
        values = dict(zip(lines[0].split(','), lines[epoch].split(','), strict=True))
        return {name: float(value) for name, value in values.items() if '/' in name}

    def fingerprint(self):
        """A digest of each file of the run and of each list, but for evaluations."""
        lists = self.project.root / '__statistic__' / 'exper-list'
        paths = [*self.folder.rglob('*'), *lists.rglob('*')]
        own = [path for path in sorted(paths) if 'evaluation' not in path.parts and path.is_file()]
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in own}


def was_killed(ended):
    return ended.code == -signal.SIGKILL


@pytest.fixture(scope='session')
def trained(tmp_path_factory, data):
    trained = Trained(tmp_path_factory.mktemp('evaluated') / "a 'b; c", data)
    yield trained
    trained.server.close()
