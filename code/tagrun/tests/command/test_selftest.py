"""`selftest`: the example is exact; faults that were made on purpose are found, with the stream
that breaks, the cause, and the line.
"""

import json
import os
import re
import signal

import pytest
import torch
from project_factory import make_project, wait_for
from worktree import desk, dirty

from tagrun.training.fingerprint import fingerprints

QUICK = ('--json', '--kills', '1', '--seed', '1', '--steps', '48')
TRAIN = 'train_set, args.batch_size, shuffle=True'
LOADER = f'Loader(\n            {TRAIN}, stochastic=args.augment > 0, **options\n        )'
PLAIN = f'torch.utils.data.DataLoader({TRAIN}, num_workers=2, persistent_workers=True)'
LOSS = '                loss = cross_entropy(logits, y)\n'
ITEM = '        x = self.x[index]\n'
LABELS = 'torch.from_numpy(y), augment\n'
MLP = '''def mlp(args):
    """Return two hidden layers: 15,210 parameters with hidden=100."""
    return '''
SCALED = '''class Scaled(nn.Sequential):
    scale = 1.0

    def forward(self, x):
        self.scale = 0.99 * self.scale + 0.01 * x.std().item()
        return super().forward(x / self.scale)


'''
METER = '        self.meter = Meter()'
RESULT = '    return state.meter.result()\n'
SCORED = '''    score = state.f1.compute()
    state.f1.reset()
    return {**state.meter.result(), 'f1': score}
'''
SMOOTH = '''    result = state.meter.result()
    MEAN[0] = 0.5 * MEAN[0] + 0.5 * result['loss']
    return {**result, 'smooth': MEAN[0]}
'''


def head(line):
    """The edit that puts a line at the head of epoch.py."""
    return (
        'epoch.py',
        'import torch\nfrom torch import nn',
        f'import torch\nfrom torch import nn\n{line}',
    )


def loss(factor, before=''):
    """The edit that makes the loss larger by `factor`, after the line `before`."""
    return 'epoch.py', LOSS, f'{before}{LOSS.rstrip()} * (1 + {factor})\n'


# name: (config.py, edits, {check that differs: (stream, cause)}, what the first line to look at
# has)
FAULTS = {
    'a dataset that draws globally though stochastic=False': (
        {'augment': '0.1', 'num_workers': '2'},
        [('dataloader.py', 'stochastic=args.augment > 0', 'stochastic=False')],
        {'resume': ('batch', 'draws'), 'workers': ('batch', 'draws')},
        'torch.randn',
    ),
    'persistent workers of a plain DataLoader that draw globally': (
        {'augment': '0.1'},
        [('dataloader.py', LOADER, PLAIN)],
        {'resume': ('batch', 'persistent')},
        'persistent_workers=True',
    ),
    'a counter in the loss': (
        {},
        [head('SEEN = []'), loss('len(SEEN) / 1000', '                SEEN.append(1)\n')],
        {'resume': ('loss', 'state')},
        'SEEN.append(1)',
    ),
    'a generator of its own that is not seeded': (
        {},
        [
            (
                'dataloader.py',
                ITEM,
                ITEM + '        x = x + np.random.default_rng().normal() / 100\n',
            )
        ],
        {'rerun': ('batch', 'unseeded'), 'resume': ('batch', None), 'workers': ('batch', None)},
        'default_rng()',
    ),
    'the time of day in the loss': (
        {},
        [head('import time'), loss('time.time() % 1')],
        {'rerun': ('loss', 'clock'), 'resume': ('loss', None), 'workers': ('loss', None)},
        'time.time()',
    ),
    'a dataset that counts how often it was asked': (
        {},
        [
            (
                'dataloader.py',
                ITEM,
                "        self.asked = getattr(self, 'asked', 0) + 1\n        x = "
                "self.x[index] * (1 + self.asked / 1e5)\n",
            )
        ],
        {'resume': ('batch', 'dataset'), 'workers': ('batch', 'dataset')},
        'self.asked = ',
    ),
}
METRIC = 'torchmetrics.classification.MulticlassAccuracy(num_classes=10)'
SCORES = [
    ('state.py', 'import math\n', 'import math\n\nimport torchmetrics\n'),
    ('state.py', METER, f'        self.f1 = {METRIC}\n{METER}'),
    ('epoch.py', LOSS, f'{LOSS}                state.f1.update(logits, y)\n'),
    ('epoch.py', RESULT, SCORED),
]
FAULTS['a metric of torchmetrics that saves nothing'] = (
    {},
    SCORES,
    {'resume': ('train/f1', 'unsaved')},
    None,
)
FAULTS['a file that the training itself writes and reads'] = (
    {},
    [
        head('from pathlib import Path'),
        loss(
            "(len(Path('seen.txt').read_text()) / 1000)",
            "                Path('seen.txt').open('a').write('x')\n",
        ),
    ],
    {'rerun': ('loss', 'file'), 'resume': ('loss', None), 'workers': ('loss', None)},
    'seen.txt',
)
# the same comparison finds these as it does another of these; with --slow they are tried
AS_ANOTHER = (
    'a dataset that draws globally though stochastic=False',
    'a file that the training itself writes and reads',
    'persistent workers of a plain DataLoader that draw globally',
    'a generator of its own that is not seeded',
    'the time of day in the loss',
    'a dataset that counts how often it was asked',
    'a metric of torchmetrics that saves nothing',
)
MORE_FAULTS = {
    'an attribute of the model that is no buffer': (
        {},
        [
            ('model.py', 'class Gru(', SCALED + 'class Gru('),
            ('model.py', f'{MLP}nn.Sequential(', f'{MLP}Scaled('),
        ],
        {'resume': ('loss', 'state')},
        'self.scale = ',
    ),
    'a running statistic that is only shown': (
        {},
        [head('MEAN = [9.0]'), ('epoch.py', '    return state.meter.result()\n', SMOOTH)],
        {'resume': ('train/smooth', 'state')},
        'MEAN[0] = ',
    ),
    'a generator of its own that no checkpoint holds': (
        {},
        [head('NOISE = torch.Generator().manual_seed(1)'), loss('torch.rand((), generator=NOISE)')],
        {'resume': ('loss', 'state')},
        'torch.Generator()',
    ),
    'labels in the order of a set of strings': (
        {},
        [
            (
                'dataloader.py',
                LABELS,
                LABELS + "        self.y = torch.tensor([int(name) for name in "
                "list({*'0123456789'})])[self.y]\n",
            )
        ],
        {'rerun': ('batch', 'hash'), 'resume': ('batch', None), 'workers': ('batch', None)},
        'list({',
    ),
    'what differs from process to process, in no suspect line': (
        {},
        [head('import os'), loss('os.getpid() / 1e6')],
        {'rerun': ('loss', 'operator'), 'resume': ('loss', None), 'workers': ('loss', None)},
        None,
    ),
}


def everything(project):
    """The desk, every ref, every object in git, and what lies in the project's result and statistic
    folders.
    """
    folders = [
        sorted(str(path) for path in (project.root / name).rglob('*'))
        for name in ('__result__', '__statistic__')
    ]
    return desk(project), project.git('for-each-ref'), project.git('count-objects', '-v'), folders


def test_the_example_is_exact_and_nothing_is_left_behind(project):
    dirty(project)
    before = everything(project)
    done = project.tagrun('selftest', '--steps', '90', '--kills', '2', '--seed', '4')
    assert everything(project) == before
    assert re.search(
        r'^resume   exact     killed with -9 after steps \d+.*, \d+.*, and continued \(--seed 4\)\n'
        r'rerun    exact .*\nworkers  exact     2 data workers instead of 0\nexact: 90 steps',
        done.stdout,
        re.MULTILINE,
    )


def assert_differs(checks, tmp_path, data, config, edits, differing, line):
    project = make_project(tmp_path / "a 'b; c", data, **config)
    for edit in edits:
        project.edit(*edit)
    done = project.tagrun('selftest', *checks, *QUICK, code=3)
    checks = json.loads(done.stdout)['checks']
    causes = {
        name: (check['first_difference']['stream'], check.get('cause'))
        for name, check in checks.items()
        if not check['exact']
    }
    assert causes == differing
    first = next(
        check for name, check in checks.items() if name in differing and differing[name][1]
    )
    assert line in first['look_at'][0] if line else not first['look_at']
    if first['cause'] == 'unsaved':
        assert 'state.f1 is not saved' in first['why']
        assert 'Write self.f1.persistent(True)' in first['remedy']


@pytest.mark.parametrize(
    'fault',
    [pytest.param(fault, marks=[pytest.mark.slow] * (fault in AS_ANOTHER)) for fault in FAULTS],
)
def test_a_fault_is_found_with_stream_cause_and_line(tmp_path, data, fault):
    config, edits, differing, line = FAULTS[fault]
    differing = {name: cause for name, cause in differing.items() if cause[1]}
    assert_differs(differing, tmp_path, data, config, edits, differing, line)


@pytest.mark.slow
@pytest.mark.parametrize('fault', {**MORE_FAULTS, **FAULTS})
def test_it_says_of_each_check_whether_a_fault_breaks_it(tmp_path, data, fault):
    assert_differs((), tmp_path, data, *{**MORE_FAULTS, **FAULTS}[fault])


def test_code_that_fails_is_named_and_its_log_kept(project):
    project.edit(
        'epoch.py', LOSS, LOSS + "                raise ArithmeticError('a broken slide rule')\n"
    )
    error = project.tagrun('selftest', code=1).stderr
    assert 'the untouched training failed: ArithmeticError: a broken slide rule' in error
    (log,) = project.root.glob('__result__/.selftest-*/0/log')
    assert str(log) in error.replace("'\"'\"'", "'") and 'slide rule' in log.read_text()


def test_code_that_fails_only_when_resumed_could_not_run(project):
    project.edit(
        'state.py',
        '    def load_state_dict(self, saved):\n',
        "    def load_state_dict(self, saved):\n        raise KeyError('ema')\n",
    )
    done = project.tagrun('selftest', 'resume', *QUICK, code=1)
    assert (
        "'ema'" in json.loads(done.stdout)['checks']['resume']['failed'] and 'kept: ' in done.stderr
    )


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_a_selftest_that_is_stopped_leaves_nothing(project, number):
    process = project.start('selftest')
    lock = wait_for(
        lambda: next(project.root.glob('__result__/.selftest-*/0/lock'), None), what='training'
    )
    pid = wait_for(lambda: lock.read_text() and json.loads(lock.read_text())['pid'], what='its pid')
    process.send_signal(number)
    assert process.wait(30) == 130
    assert not list((project.root / '__result__').iterdir())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


LISTS = 'loaders = {phase: list(loader) for phase, loader in build_loaders(args).items()}'


@pytest.mark.slow
def test_lists_have_no_workers_kills_come_in_evaluations_and_the_environment_is_named(project):
    """And a metric of torchmetrics that is persistent is exact."""
    for edit in (*SCORES, ('state.py', METER, f'        self.f1.persistent(True)\n{METER}')):
        project.edit(*edit)
    project.edit('main.py', 'loaders = build_loaders(args)', LISTS)
    line = "batch_size = int(os.environ.get('BATCH', 100))"
    config = project.root / 'code' / 'config.py'
    text = config.read_text().replace('eval_batch_size = 500', 'eval_batch_size = 100')
    config.write_text(f'{text}\nimport os\n{line}\n')
    done = project.tagrun('selftest', 'resume', 'workers', *QUICK, '--kills', '3')
    report = json.loads(done.stdout)
    assert report['checks']['resume'] == {'exact': True}
    assert 'no DataLoader' in report['checks']['workers']['untested']
    phases = {phase for _, _, phase, _ in report['kills']}
    assert len(report['kills']) == 3 and phases > {'train', None} and phases & {'val', 'test'}
    (outside,) = report['outside']
    assert outside.startswith('code/config.py:') and "os.environ.get('BATCH'" in outside


def test_a_dataset_that_can_only_be_iterated_has_no_fingerprint():
    """torch gives each a __getitem__ that raises; selftest found that such a dataset could not be
    trained at all.
    """

    class Stream(torch.utils.data.IterableDataset):
        def __len__(self):
            return 3

        def __iter__(self):
            return iter(range(3))

    assert fingerprints({'train': torch.utils.data.DataLoader(Stream())}) == {'train': None}
