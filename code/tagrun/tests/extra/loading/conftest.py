"""A project with two trained runs of different code, whose modules have the same names."""

import pytest
from project_factory import make_project

from tagrun.extra.loading.loaded_run import LoadedRun
from tagrun.store.run_ref import RunRef

NET = '''
class Net(nn.Module):
    def __init__(self, args):
        super().__init__()
        self.layers = mlp(args)

    def forward(self, x):
        from helper import turned       # as late as this

        return turned(self.layers(x))
'''


# of second/0: what a path makes it do
PREDICT = '''
import os
import time

from helper import turned


def predict(model, args, paths):
    if 'early' in paths.paths:
        next(paths)
        yield {'file': 'early'}
        return
    for path in paths:
        print('reading', path)
        if path == 'sleep':
            yield {'file': path}
            time.sleep(60)
        elif path == 'kill':
            os.kill(os.getpid(), 9)
        elif path == 'bug':
            undefined_name
        elif path == 'list':
            yield [1]
        else:
            yield {'file': path, 'hidden': args.hidden, 'training': model.training, 'x': turned(1)}
'''


@pytest.fixture(scope='session')
def trained(tmp_path_factory, data):
    """A project with the runs first/0 and second/0."""
    project = make_project(tmp_path_factory.mktemp('trained') / "a 'b; c", data, epochs=2)
    project.edit('model.py', "'mlp': mlp", "'mlp': Net")
    path = project.root / 'code' / 'model.py'
    path.write_text(path.read_text() + NET)
    helper = project.root / 'code' / 'helper.py'
    helper.write_text('def turned(x):\n    return x\n')
    project.commit('a helper')
    project.tagrun('run', '-f', 'first')
    helper.write_text('def turned(x):\n    return -3 * x\n')
    project.edit('dataloader.py', "classes = [", "own = 'second'\n    classes = [")
    (project.root / 'code' / 'predict.py').write_text(PREDICT)
    project.tagrun('run', '-f', 'second', '--set', 'hidden=8', 'num_workers=2')
    # what is today's: neither run has it
    helper.write_text('raise RuntimeError\n')
    (project.root / 'code' / 'model.py').write_text('raise RuntimeError\n')
    (project.root / 'code' / 'of_today.py').write_text('')
    return project


@pytest.fixture
def load(trained):
    """A function that loads a run of `trained` anew."""

    def loaded(name, file=None):
        return LoadedRun(trained.root, RunRef.parse(name), file)

    return loaded
