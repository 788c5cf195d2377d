"""A project whose main.py trains nothing: it leaves a run's files and ends, in a fifth of a second.

    project = stub_project.make(tmp_path / "a 'b; c")
    project.tagrun('run', 't1', '--set', "how='failed'")

For tests of the command side, where training is not the point. config.py says how a run ends:
finished, failed, killed, interrupted, slow; early and crashed: before the first step. An evaluation
ends as `--set how=…` says.
"""

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

from project_factory import CODE, Project, committed, copied

# how a run ends: config.py's `how`, the exit code, the state
ENDINGS = [
    ('finished', 0, 'finished'),
    ('failed', 1, 'failed'),
    ('interrupted', 75, 'interrupted'),
    ('killed', 137, 'killed'),
]
CONFIG = '''"""The stub's arguments."""
how = 'finished'        # how it ends; slow: when there is a file `go`; early, crashed: at once
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
EVALUATE = INFO.get('evaluate')
CODES = {'failed': 1, 'early': 1, 'interrupted': 75}


def report(status):
    names = [name for name in vars(config) if not name.startswith('_')]
    start, end = '2026-11-21T09:00:00Z', '2026-11-21T09:00:01Z'
    more = {}
    if EVALUATE:
        more = {'evaluation': EVALUATE['id']} | {
            key: EVALUATE[key] for key in ('checkpoint', 'phases', 'set')}
    statistic.write(FOLDER, {
        **more,
        'run': str(run_json.ref(INFO)), 'status': status,
        'seed': INFO['seed'], 'commit': INFO['commit'], 'epoch': 1, 'epochs': 1,
        'monitor': 'val/acc', 'monitor_mode': 'max', 'best_epoch': 1,
        'metric': {'val/acc': 0.5}, 'last': {'val/acc': 0.5},
        'hparam': {name: getattr(config, name) for name in names},
        'digest': {'weights': '0' * 64},
        'time': {'started': start, 'updated': end, 'seconds': 1.0}})


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
    if EVALUATE:
        how = EVALUATE['set'].get('how', 'finished')
    report('running')
    while how == 'slow' and not (FOLDER.parents[2] / 'go').exists():
        time.sleep(0.02)
    if EVALUATE or how in ('early', 'crashed'):
        return end(how)
    history.write(FOLDER, [{'val/acc': 0.5, 'seconds': 1.0}])
    (FOLDER / 'trace.csv').write_text('epoch,step,order,batch,loss,weights\\n1,1,0,0,0.5,\\n')
    with open(FOLDER / 'log', 'a') as log:
        log.write(f'trained, {how}\\n')
    save()
    end(how)


def end(how):
    if how == 'killed':
        os.kill(os.getpid(), signal.SIGKILL)
    if how == 'crashed':
        os.kill(os.getpid(), signal.SIGSEGV)
    report({'slow': 'finished', 'early': 'failed'}.get(how, how))
    if how in ('finished', 'slow') and not EVALUATE:
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
    shutil.copytree(
        CODE / 'tagrun',
        code / 'tagrun',
        ignore=shutil.ignore_patterns('__pycache__', '.*_cache', 'tests', 'bench', 'training'),
    )
    for name in ('requirements.txt', 'requirements-test.txt'):
        shutil.copy(CODE / name, code)
    shutil.copy(CODE.parent / '.gitignore', root)
    for name, text in {
        'config.py': CONFIG,
        'main.py': MAIN,
        'model.py': '"""The network: none."""\n',
        'seed': '4242\n',
    }.items():
        (code / name).write_text(text)
    (root / '__data__').mkdir()
    return committed(Project(root))
