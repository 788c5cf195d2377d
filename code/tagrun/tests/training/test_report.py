"""training/report.py: what statistic.json, the line of an epoch and the lines of a failure say."""

import signal
import types

import pytest
from closed_run import ARGS, INFO, Closed

from tagrun.training.epoch_history import EpochHistory
from tagrun.training.report import describe, ended, epoch_line, first_start, report, sentence
from tagrun.training.signals import Pruned, Stopped


def test_an_error_that_cannot_be_printed_is_still_an_error(folder, capfd):
    class Unprintable(Exception):
        def __str__(self):
            raise ZeroDivisionError

    run = Closed(folder, capfd, Unprintable())
    assert run.code == 1 and run.statistic['message'] == 'Unprintable (it cannot be printed)'


def test_checkpoints_that_cannot_be_listed_replace_no_signal(folder):
    (folder / 'checkpoint').mkdir()
    (folder / 'checkpoint' / ('x' * 200)).touch()
    ending = describe([Stopped(signal.SIGTERM)], folder / ('y' * 300))
    assert ending.line.startswith('stopped by SIGTERM, saved as unknown (')


def two_epochs():
    epochs = EpochHistory('val/acc', 'max')
    epochs.add({'train/loss': 0.8, 'val/acc': 0.75, 'lr': 0.1}, {}, 1.5)
    epochs.add({'train/loss': 0.7, 'val/acc': 0.5, 'lr': 0.1}, {}, 0.25)
    return epochs


def test_a_report_has_the_best_and_the_last_epoch_and_how_it_ended_comes_first():
    content = report(INFO, ARGS, two_epochs(), '2026-11-21T09:00:00Z')
    assert content['status'] == 'running' and content['time']['seconds'] == 1.75
    assert (content['epoch'], content['best_epoch'], content['metric']['val/acc']) == (2, 1, 0.75)
    assert content['last'] == {'train/loss': 0.7, 'val/acc': 0.5}
    last = ended(content, 'failed', 'no room')
    assert list(last)[:3] == ['run', 'status', 'message'] and last['metric'] == content['metric']
    assert 'message' not in ended(content, 'finished')


def test_a_report_before_the_first_epoch_has_no_metrics():
    content = report({**INFO, 'variant': 'wide'}, ARGS, None, 'now')
    assert (content['epoch'], content['best_epoch'], content['metric']) == (0, 0, {})
    assert content['variant'] == 'wide' and content['hparam']['monitor'] == 'val/acc'


def test_the_line_of_an_epoch_groups_metrics_by_phase_and_marks_the_best():
    epochs = two_epochs()
    assert epoch_line(epochs, 10) == 'epoch  2/10   train loss 0.7000   val acc 0.5000   0.2 s'
    epochs.add({'val/acc': 0.9}, {}, 1.0)
    assert epoch_line(epochs, 10).endswith('val acc 0.9000   1.0 s  best')


def test_the_line_of_an_epoch_with_many_metrics_is_wrapped_at_its_phases():
    epochs = EpochHistory('val/acc', 'max')
    numbers = {f'{phase}/{name}': 0.5 for phase in ('train', 'val', 'test') for name in ('a', 'bb')}
    epochs.add({**numbers, 'test/a_metric_that_is_longer_than_a_line' + '_' * 40: 1.0}, {}, 1.0)
    lines = epoch_line(epochs, 5).split('\n')
    assert lines[0] == 'epoch 1/5   train a 0.5000 bb 0.5000   val a 0.5000 bb 0.5000'
    assert lines[1].startswith(' ' * 12 + 'test a 0.5000 bb 0.5000 a_metric')
    assert lines[2:] == [' ' * 12 + '1.0 s']


@pytest.mark.parametrize(
    'error, hint',
    [
        (RuntimeError('CUDA out of memory'), 'grad_accum_steps in config.py'),
        (MemoryError(), 'a smaller batch_size'),
        (RuntimeError('DataLoader worker (pid 3) is killed by signal: Killed'), 'num_workers'),
        (
            RuntimeError(
                'DataLoader worker (pid 3) is killed by signal: Bus error. It is possible that '
                "dataloader's workers are out of shared memory."
            ),
            '--shm-size',
        ),
        (
            RuntimeError('unable to allocate shared memory(shm) for file </torch_1_2>: x'),
            '/dev/shm',
        ),
        (RuntimeError('unable to write </torch_1_2>: No space left on device (28)'), '/dev/shm'),
        (OSError('AF_UNIX path too long'), 'TMPDIR=/tmp'),
        (OSError(24, 'Too many open files'), 'ulimit -n'),
        (RuntimeError('DataLoader timed out after 3 seconds'), 'worker_timeout'),
    ],
)
def test_an_error_with_a_known_way_out_says_it(error, hint):
    assert hint in sentence(error)


@pytest.mark.parametrize(
    'error', [OSError(28, 'No space left on device'), RuntimeError('triton: out of shared memory')]
)
def test_a_full_disk_and_a_gpu_are_no_matter_of_data_workers(error):
    assert '/dev/shm' not in sentence(error)


def test_of_a_data_worker_its_own_last_line_is_said():
    error = RuntimeError(
        'Caught …\nOriginal Traceback (most recent call last):\n  a\nValueError: x\n'
    )
    assert sentence(error) == 'ValueError: x'


def test_a_long_error_is_cut_on_the_screen_and_whole_in_the_log(tmp_path):
    ending = describe([ValueError('x' * 1000)], tmp_path)
    assert len(ending.line) < 410 and ending.line.endswith(' …') and 'x' * 1000 in ending.traceback


def test_the_screen_names_the_line_of_the_researchers_own_file(tmp_path, monkeypatch):
    file = tmp_path / 'code' / 'epoch.py'
    file.parent.mkdir()
    file.write_text('\n\nbroken = 1 / 0\n')
    main = types.SimpleNamespace(__file__=str(tmp_path / 'code' / 'main.py'))
    monkeypatch.setitem(describe.__globals__['sys'].modules, '__main__', main)
    with pytest.raises(ZeroDivisionError) as caught:
        exec(compile(file.read_text(), str(file), 'exec'), {})
    ending = describe([caught.value], tmp_path)
    assert ending.text.startswith(
        'failed: ZeroDivisionError: division by zero\n  in code/epoch.py, '
    )
    assert 'line 3' in ending.text and ending.status == 'failed' and ending.code == 1


def test_a_signal_a_sweep_and_ctrl_c_are_no_failures(tmp_path):
    endings = [
        describe([error], tmp_path)
        for error in (Stopped(signal.SIGTERM), Pruned('median: 0.3'), KeyboardInterrupt())
    ]
    assert [ending.code for ending in endings] == [75, 0, 130]
    assert [ending.status for ending in endings] == ['interrupted', 'pruned', 'interrupted']
    assert endings[0].line == 'stopped by SIGTERM, saved as none yet'
    assert not any(ending.traceback for ending in endings)


def test_a_run_that_never_reported_has_no_first_start(tmp_path):
    assert first_start(tmp_path) is None
    (tmp_path / 'statistic.json').write_text('{')
    assert first_start(tmp_path) is None
