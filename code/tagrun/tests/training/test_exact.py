"""Kill a run anywhere, continue it: the same weights, history and trace as of the run that was left
alone, to the last bit.
"""

import random
import shutil
import signal
import subprocess
import time

import pytest
import torch
from project_factory import make_project, wait_for

# augmentation, dropout, accumulation, clipping, a schedule; a save every tenth of a second, so that
# kills find all kinds of place
BUSY = {
    'epochs': '6',
    'augment': '0.1',
    'dropout': '0.3',
    'grad_accum_steps': '2',
    'grad_clip': '1.0',
    'warmup': '5',
    'batch_size': '25',
    'save_minutes': '0.002',
    'keep_last': '3',
}
WORKERS = {
    '0 workers': {},
    '2 workers': {'num_workers': '2'},
    '2 persistent workers': {'num_workers': '2', 'persistent_workers': 'True'},
}


@pytest.fixture(scope='module')
def untouched(tmp_path_factory, data):
    """The run that was left alone, one for all settings: the number of workers changes no bit."""
    project = make_project(tmp_path_factory.mktemp('untouched') / "a 'b; c", data, **BUSY)
    project.tagrun('run', '-f', 't1')
    return project


@pytest.fixture(scope='module')
def killed(tmp_path_factory, data):
    """A run that was killed three times and continued to its end, without data workers."""
    folder = tmp_path_factory.mktemp('killed') / "a 'b; c"
    return killed_and_continued(make_project(folder, data, matrices=True, **BUSY), '0 workers', 3)


def killed_and_continued(project, workers, most):
    """Kill a run up to `most` times at random moments, and continue it to its end."""
    moments, kills, words = random.Random(workers), 0, ('run', '-f')
    while kills < most and trained_until_killed(project, words, moments.uniform(0, 0.4)):
        kills, words = kills + 1, ('continue',)
    assert kills >= most - 2, 'training was over too soon for this test to mean anything'
    if kills == most:
        project.tagrun('continue', 't1')
    return project


def is_the_untouched_run(project, untouched):
    finished = project.root / '__statistic__' / 'exper-list' / 'finished.txt'
    assert project.outcome('t1/0') == untouched.outcome('t1/0')
    assert project.statistic('t1/0')['status'] == 'finished'
    assert finished.read_text() == 't1/0\n'
    return True


def test_a_run_killed_at_random_and_continued_is_the_untouched_one(killed, untouched):
    """By the command line; test_campaign.py kills far more often, in forks."""
    assert is_the_untouched_run(killed, untouched)


@pytest.mark.parametrize(
    'workers, most',
    [
        # test_stream_kills.py has two workers, and kills them
        pytest.param('2 persistent workers', 3, marks=pytest.mark.slow),
        *(pytest.param(one, 7, marks=pytest.mark.slow) for one in WORKERS),
    ],
)
def test_however_many_data_workers_it_has(tmp_path, data, untouched, workers, most):
    project = make_project(tmp_path / "a 'b; c", data, **BUSY, **WORKERS[workers])
    assert is_the_untouched_run(killed_and_continued(project, workers, most), untouched)


def reported(project):
    """Return when training wrote statistic.json last, in nanoseconds; 0 before the first time."""
    path = project.folder('t1/0') / 'statistic.json'
    return path.stat().st_mtime_ns if path.exists() else 0


def until_reported(project, before):
    """Wait until training has written it since then."""
    wait_for(lambda: reported(project) > before, what='training')


def trained_until_killed(project, verb, after_s):
    """kill -9 to the training, `after_s` after it began to train; False if it had ended by then."""
    before = reported(project)
    process = project.start(*verb, 't1')
    wait_for(
        lambda: process.poll() is not None or reported(project) > before,
        what='training',
    )
    try:
        process.wait(after_s)
        assert process.returncode == 0, process.stderr.read()
        return False
    except subprocess.TimeoutExpired:
        project.kill_training('t1/0')
        # 0: it finished in this very instant
        assert process.wait(30) in (137, 0), process.stderr.read()
        return process.returncode == 137


def test_a_signal_saves_in_the_middle_of_an_epoch_and_continue_is_exact(tmp_path, data, untouched):
    project = make_project(tmp_path / "a 'b; c", data, **{**BUSY, 'save_minutes': '10.0'})
    for number, code in ((signal.SIGTERM, 75), (signal.SIGUSR1, 75), (signal.SIGINT, 130)):
        before = reported(project)
        command = ('continue',) if before else ('run', '-f')
        process = project.start(*command, 't1')
        until_reported(project, before)
        time.sleep(0.2)
        process.send_signal(number)
        assert process.wait(30) == code, process.stderr.read()
        assert project.statistic('t1/0')['status'] == 'interrupted'
    saved = [
        path.name for path in (project.folder('t1/0') / 'checkpoint').glob('epoch_*_train_*.pth')
    ]
    assert saved, 'none of three signals fell into an epoch'
    project.tagrun('continue', 't1')
    assert project.outcome('t1/0') == untouched.outcome('t1/0')


def test_tensorboard_has_each_point_once_after_kills(killed):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(
        str(killed.folder('t1/0') / 'tensorboard'), size_guidance={'scalars': 0, 'images': 0}
    ).Reload()
    steps = 6 * 144
    assert [event.step for event in events.Scalars('step/loss')] == list(range(1, steps + 1))
    assert [event.step for event in events.Scalars('val/acc')] == [1, 2, 3, 4, 5, 6]
    traced = [
        line.split(',')[4]
        for line in (killed.folder('t1/0') / 'trace.csv').read_text().splitlines()[1:]
    ]
    losses = [float(loss) for loss in traced if loss]
    assert [event.value for event in events.Scalars('step/loss')] == losses
    assert 'val/confusion' in events.Tags()['images'] and events.Tags()['graph']


def test_continue_from_an_earlier_epoch_is_a_new_run_that_ends_the_same(project):
    project.configure(keep_every='1', epochs='4')
    project.tagrun('run', '-f', 't1')
    project.tagrun('continue', 't1', '--from', '2')
    before = project.outcome('t1/0')
    assert project.outcome('t1/1') == before
    project.tagrun('continue', 't1/0', '--from', 'best')
    elsewhere = project.root / 'elsewhere.pth'
    elsewhere.write_bytes((project.folder('t1/0') / 'checkpoint' / 'epoch_3.pth').read_bytes())
    project.tagrun('continue', 't1/0', '--from', elsewhere)
    assert project.outcome('t1/2') == project.outcome('t1/3') == project.outcome('t1/0') == before


def test_a_damaged_checkpoint_is_named_and_the_one_before_is_taken(project):
    project.configure(keep_last='3', epochs='4')
    project.tagrun('run', '-f', 'whole')
    project.edit(
        'epoch.py',
        'def update(',
        "def fail_late(state):\n    if state.epoch == 3:\n        raise OSError('a broken "
        "cable')\n\n\ndef update(",
    )
    project.edit(
        'epoch.py',
        '    if args.grad_accum_steps == 1:',
        "    import os\n    if not os.path.exists('mended'):\n        fail_late(state)\n"
        '    if args.grad_accum_steps == 1:',
    )
    project.tagrun('run', '-f', 't1', code=1)
    (project.root / 'mended').touch()
    file = project.folder('t1/0') / 'checkpoint' / 'epoch_3.pth'
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    screen = project.tagrun('continue', 't1').stderr
    assert 'epoch_3.pth is damaged' in screen and 'resumed after epoch 2' in screen
    assert project.outcome('t1/0') == project.outcome('whole/0')


PLAIN = 'torch.utils.data.DataLoader(train_set, args.batch_size, shuffle=True, num_workers=2)'


@pytest.mark.slow  # the recipes `pipelines` and `metrics` have both
def test_a_plain_dataloader_and_what_is_put_on_the_state_are_resumed_exactly(tmp_path, data):
    """A DataLoader of torch's own shuffles and draws from the global generators.

    An average of the weights is one line in state.py and one in epoch.py.
    """
    outcomes = []
    for name in ('untouched', 'killed'):
        project = make_project(tmp_path / name, data, **BUSY)
        project.edit(
            'dataloader.py',
            'Loader(\n            train_set, args.batch_size, shuffle=True, '
            'stochastic=args.augment > 0, **options\n        )',
            PLAIN,
        )
        project.edit(
            'state.py',
            '        self.meter = Meter()',
            '        self.ema = torch.optim.swa_utils.AveragedModel(self.model)\n        '
            'self.meter = Meter()',
        )
        project.edit(
            'epoch.py',
            '    state.scheduler.step()',
            '    state.scheduler.step()\n    state.ema.update_parameters(state.model)',
        )
        project.edit(
            'epoch.py',
            '                logits = state.model(x) ',
            '                logits = (state.model if train else state.ema)(x) ',
        )
        project.commit()
        if name == 'killed':
            assert trained_until_killed(project, ('run', '-f'), 0.5)
            project.tagrun('continue', 't1')
        else:
            project.tagrun('run', '-f', 't1')
        outcomes.append(project.outcome('t1/0'))
    assert outcomes[0] == outcomes[1]


IMAGES = """

class Images(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(),
            nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, CLASSES))

    def forward(self, x):
        return self.body(x.view(-1, 1, 8, 5))


def build_model(args):
    return Images().to(memory_format=torch.channels_last)
"""
COMPILER = pytest.mark.skipif(not shutil.which('g++'), reason='torch.compile needs a C++ compiler')


@pytest.mark.parametrize(
    'settings, model',
    [
        pytest.param({'amp': "'bf16'"}, '', marks=pytest.mark.slow),
        pytest.param({'amp': "'fp16'"}, '', marks=pytest.mark.slow),
        pytest.param({'amp': "'bf16'"}, IMAGES, marks=pytest.mark.slow),
        pytest.param({'torch_compile': 'True'}, '', marks=[pytest.mark.slow, COMPILER]),
    ],
    ids=['bf16', 'fp16, with its scaler', 'bf16, channels last', 'compiled'],
)
def test_what_makes_a_gpu_faster_is_resumed_exactly_too(tmp_path, data, settings, model):
    """On a CPU, where all of it works as well."""
    outcomes = []
    for name in ('untouched', 'killed'):
        project = make_project(tmp_path / name, data, **BUSY, **settings)
        if model:
            with (project.root / 'code' / 'model.py').open('a') as file:
                file.write(model)
            project.commit()
        if name == 'killed':
            assert trained_until_killed(project, ('run', '-f'), 0.3)
            project.tagrun('continue', 't1')
        else:
            project.tagrun('run', '-f', 't1')
        outcomes.append(project.outcome('t1/0'))
    assert outcomes[0] == outcomes[1]
    saved = torch.load(project.folder('t1/0') / 'checkpoint' / 'epoch_last.pth', weights_only=True)[
        'state'
    ]
    assert bool(saved['scaler']) == (settings.get('amp') == "'fp16'")
    assert not model or saved['model']['body.3.weight'].is_contiguous(
        memory_format=torch.channels_last
    )
