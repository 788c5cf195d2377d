"""A project whose main.py trains nothing: it does what the contract asks of a run's code and ends, in a fifth of a second a run.

    project = stub.make(tmp_path / "a 'b; c"); project.tagrun('run', 't1', '--set', "how='failed'")

For tests of the command side, where training is not the point. config.py says how a run ends: finished, failed, killed, interrupted, slow.
"""
import atexit
import functools
import shutil
import tempfile
from pathlib import Path

from conftest import CODE, Project, committed, copied

CONFIG = '''"""The stub's arguments."""
how = 'finished'        # finished, failed, killed, interrupted, or slow: until the file `go` lies in the project's folder
lr = 0.1                # a float
model = 'none'          # a string
steps = 3               # an integer
deep = False            # a boolean
phases = ('train',)     # a tuple
nothing = None          # no value
'''
MAIN = '''"""Stands for a training: the files of one, and nothing trained."""
import hashlib
import os
import signal
import sys
import time
from pathlib import Path

import config
from tagrun.store import atomic, checkpoints, history, layout, lock, run_json, statistic

FOLDER = Path(os.environ['TAGRUN_RUN'])
INFO = run_json.read(FOLDER)
CODES = {'failed': 1, 'interrupted': 75}


def report(status):
    statistic.write(FOLDER, {
        'run': run_json.name(INFO), 'status': status, 'seed': INFO['seed'], 'commit': INFO['commit'], 'epoch': 1, 'epochs': 1,
        'watch': 'val/acc', 'mode': 'max', 'best_epoch': 1, 'metric': {'val/acc': 0.5}, 'last': {'val/acc': 0.5},
        'hparam': {name: value for name, value in vars(config).items() if not name.startswith('_')}, 'digest': {'weights': '0' * 64},
        'time': {'started': '2026-11-21T09:00:00Z', 'updated': '2026-11-21T09:00:01Z', 'seconds': 1.0}})


def save():
    (FOLDER / 'checkpoint').mkdir(exist_ok=True)
    atomic.write(FOLDER / 'checkpoint' / 'epoch_1.pth', b'weights')
    checkpoints.write_sums(FOLDER, {'epoch_1.pth': hashlib.sha256(b'weights').hexdigest()})
    for link in (checkpoints.LAST, checkpoints.BEST):
        atomic.link(FOLDER / 'checkpoint' / link, 'epoch_1.pth')


def main():
    try:
        owned = lock.Lock(FOLDER)
    except lock.Held as held:
        sys.exit(f'tagrun: {run_json.name(INFO)} is being trained already: {held}')
    how = 'finished' if INFO['resume'] else config.how
    report('running')
    while how == 'slow' and not (FOLDER.parents[2] / 'go').exists():
        time.sleep(0.02)
    history.write(FOLDER, [{'val/acc': 0.5, 'seconds': 1.0}])
    (FOLDER / 'trace.csv').write_text('epoch,step,order,batch,loss,weights\\n1,1,0,0,0.5,\\n')
    with open(FOLDER / 'log', 'a') as log:
        log.write(f'trained, {how}\\n')
    save()
    if how == 'killed':
        os.kill(os.getpid(), signal.SIGKILL)
    report('finished' if how == 'slow' else how)
    if how in ('finished', 'slow'):
        finished = layout.list_file(FOLDER.parents[2], 'finished')
        finished.parent.mkdir(parents=True, exist_ok=True)
        atomic.append_line(finished, run_json.name(INFO))
    sys.exit(CODES.get(how, 0))


main()
'''


def make(root):
    """A committed stub project at `root`."""
    return copied(_template(), root)


@functools.cache
def _template():
    """The stub that others are copies of."""
    root = Path(tempfile.mkdtemp(prefix='tagrun-stub-'))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    code = root / 'code'
    shutil.copytree(CODE / 'tagrun', code / 'tagrun', ignore=shutil.ignore_patterns('__pycache__', '.*_cache', 'tests', 'bench', 'training'))
    for name in ('requirements.txt', 'requirements-test.txt'):
        shutil.copy(CODE / name, code)
    shutil.copy(CODE.parent / '.gitignore', root)
    for name, text in {'config.py': CONFIG, 'main.py': MAIN, 'model.py': '"""The network: none."""\n', 'seed': '4242\n'}.items():
        (code / name).write_text(text)
    (root / '__data__').mkdir()
    return committed(Project(root))
