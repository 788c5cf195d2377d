"""What main.py is built on: loaders, meters, records, seeds, arguments, checkpoints, traces."""
import math
import random
import subprocess
import sys
import types

import numpy as np
import pytest
import torch

from conftest import CODE
from tagrun.store import checkpoints as stored
from tagrun.training import args as arguments
from tagrun.training import checkpoint, loader, seeding
from tagrun.training.meter import Meter
from tagrun.training.record import Record
from tagrun.training.run import _check_plain
from tagrun.training.trace import Trace, batch_digest


class Drawing(torch.utils.data.Dataset):
    """Each sample draws from all three global generators."""

    def __len__(self):
        return 23

    def __getitem__(self, index):
        return torch.tensor([index, random.random(), np.random.rand(), torch.rand(()).item()], dtype=torch.float64)


def epoch(made, number, first=0):
    assert loader.start_at(made, 7, number, first) == 0
    return [batch.tolist() for batch in made]


@pytest.mark.parametrize('options', [{'num_workers': 2}, {'num_workers': 2, 'persistent_workers': True}])
def test_workers_change_no_sample_and_an_epoch_can_begin_anywhere(options):
    alone = loader.Loader(Drawing(), 4, seed=7, shuffle=True)
    others = loader.Loader(Drawing(), 4, seed=7, shuffle=True, **options)
    for number in range(3):
        whole = epoch(alone, number)
        assert epoch(others, number) == whole
        assert epoch(others, number, 4) == epoch(alone, number, 4) == whole[4:]
    assert epoch(alone, 0) != epoch(alone, 1)


def test_drawing_samples_leaves_the_training_process_generators_alone():
    made = loader.Loader(Drawing(), 4, seed=7, shuffle=True)
    seeding.seed_everything(1)
    expected = (random.random(), np.random.rand(), torch.rand(3).tolist())
    seeding.seed_everything(1)
    epoch(made, 0)
    assert (random.random(), np.random.rand(), torch.rand(3).tolist()) == expected


def test_each_sample_comes_once_and_the_order_is_the_seeds():
    orders = [[sample[0] for batch in epoch(loader.Loader(Drawing(), 4, seed=seed, shuffle=True), 0) for sample in batch] for seed in (7, 7, 8)]
    assert sorted(orders[0]) == list(range(23)) and orders[0] == orders[1] != orders[2]
    assert len(loader.Loader(Drawing(), 4, seed=7)) == 6 and len(loader.Loader(Drawing(), 4, seed=7, drop_last=True)) == 5


def test_the_random_state_comes_back_whole():
    seeding.seed_everything(3)
    np.random.randn()   # leaves a second Gaussian in store
    kept = torch.load(saved(seeding.random_state()), weights_only=True)
    expected = (random.random(), np.random.randn(), np.random.rand(), torch.randn(2).tolist())
    seeding.seed_everything(4)
    seeding.restore(kept)
    assert (random.random(), np.random.randn(), np.random.rand(), torch.randn(2).tolist()) == expected


def saved(value):
    import io
    buffer = io.BytesIO()
    torch.save(value, buffer)
    buffer.seek(0)
    return buffer


def test_a_meter_gives_the_same_bits_wherever_it_was_interrupted():
    generator = torch.Generator().manual_seed(0)
    steps = [(torch.rand((), generator=generator), int(torch.randint(1, 9, (), generator=generator))) for _ in range(251)]
    flags = [torch.rand(5, generator=generator) < 0.3 for _ in steps]
    whole = Meter()
    for (loss, weight), flag in zip(steps, flags):
        whole.mean(weight, loss=loss)
        whole.share(acc=flag)
        whole.sum(confusion=flag.long())
    part = Meter()
    for place, ((loss, weight), flag) in enumerate(zip(steps, flags)):
        if place in (3, 77, 200):
            kept, part = part.state_dict(), Meter()
            part.load_state_dict(torch.load(saved(kept), weights_only=True))
        part.mean(weight, loss=loss)
        part.share(acc=flag)
        part.sum(confusion=flag.long())
    one, other = whole.result(), part.result()
    assert one['loss'] == other['loss'] and torch.equal(one['confusion'], other['confusion'])
    assert one['acc'] == other['acc'] == sum(int(flag.sum()) for flag in flags) / (5 * 251)
    exact = math.fsum(float(loss) * weight for loss, weight in steps) / sum(weight for _, weight in steps)
    assert one['loss'] == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize('mode, values, best', [('max', [0.1, 0.5, 0.5, 0.4], 2), ('min', [3, 2, 2, 5], 2), ('max', [math.nan, 0.1, math.nan], 2),
                                                ('max', [math.nan, math.nan], 0), ('max', [-math.inf, -5], 2)])
def test_the_best_epoch_is_the_first_of_the_best_and_never_a_nan(mode, values, best):
    record = Record('val/acc', mode)
    for value in values:
        record.add({'val/acc': value, 'lr': 1}, {}, 1.0)
    assert record.best_epoch == best
    assert (record.at(best) == {'val/acc': values[best - 1]}) if best else (record.at(0) == {})


def test_patience_runs_out_after_so_many_epochs_without_a_better_one():
    record = Record('val/acc', 'max', patience=2)
    told = [record.add({'val/acc': value}, {}, 1.0) or record.out_of_patience() for value in (0.5, 0.4, 0.3)]
    assert told == [True, False, True]


def test_arguments_that_json_cannot_record_are_named():
    config = types.ModuleType('config')
    config.lr, config.phases, config._hidden, config.math, config.helper = 0.1, ('a', {'b': [None]}), object(), math, len.__class__
    loaded = arguments.load(config, seed=3)
    assert vars(loaded) == {'lr': 0.1, 'phases': ('a', {'b': [None]}), 'seed': 3}
    config.optimizer = torch.zeros(1)
    with pytest.raises(TypeError, match='optimizer is a Tensor'):
        arguments.load(config, seed=3)


def make_checkpoints(folder, **options):
    return checkpoint.Checkpoints(folder, checkpoint.Background(), **{'keep_last': 2, 'keep_every': 0, **options})


def content(number):
    return {'state': {'model': {'w': torch.full((1000,), float(number))}, 'epoch': number}}


def test_checkpoints_keep_the_last_the_best_and_every_nth(tmp_path):
    made = make_checkpoints(tmp_path, keep_every=4)
    for number in range(1, 11):
        made.save(f'epoch_{number}.pth', content(number), best=number == 3)
    made._background.wait()
    assert list(stored.listed(tmp_path)) == ['epoch_3.pth', 'epoch_4.pth', 'epoch_8.pth', 'epoch_9.pth', 'epoch_10.pth']
    there = {path.name for path in (tmp_path / 'checkpoint').glob('*.pth')}
    assert there == {*stored.listed(tmp_path), 'epoch_last.pth', 'epoch_best.pth'}
    assert stored.best(tmp_path) == 'epoch_3.pth'
    assert checkpoint.load(tmp_path, 'epoch_9.pth')['state']['model']['w'][0] == 9


def test_what_is_saved_is_what_stood_at_the_call(tmp_path):
    made, tensor = make_checkpoints(tmp_path), torch.zeros(2_000_000)
    for number in (1, 2, 3):
        tensor.fill_(number)
        digest = made.save(f'epoch_{number}.pth', {'state': {'model': {'w': tensor}, 'list': [number]}})
        expected = checkpoint.weights_digest({'w': tensor})
        tensor.fill_(-1)
        assert digest.result() == expected
    made._background.wait()
    assert [checkpoint.load(tmp_path, f'epoch_{number}.pth')['state']['model']['w'][-1].item() for number in (2, 3)] == [2, 3]


@pytest.mark.parametrize('damage', ['flip', 'cut', 'zero', 'empty'])
def test_a_damaged_checkpoint_is_never_loaded(tmp_path, damage):
    made = make_checkpoints(tmp_path)
    made.save('epoch_1.pth', content(1))
    made._background.wait()
    path = tmp_path / 'checkpoint' / 'epoch_1.pth'
    whole = path.read_bytes()
    generator = random.Random(damage)
    for _ in range(50):
        place = generator.randrange(len(whole))
        path.write_bytes({'flip': whole[:place] + bytes([whole[place] ^ 1 << generator.randrange(8)]) + whole[place + 1:], 'cut': whole[:place],
                          'zero': whole[:place] + bytes(min(64, len(whole) - place)) + whole[place + 64:], 'empty': b''}[damage])
        if path.read_bytes() != whole:
            with pytest.raises(ValueError, match='is damaged'):
                checkpoint.load(tmp_path, 'epoch_1.pth')


def test_a_full_disk_is_told_with_what_is_needed_and_the_save_before_stays(tmp_path, monkeypatch):
    made = make_checkpoints(tmp_path)
    made.save('epoch_1.pth', content(1))
    made._background.wait()

    def full(self, data):
        self.error = OSError(28, 'No space left on device')
        raise self.error
    monkeypatch.setattr(checkpoint._Hashing, 'write', full)
    made.save('epoch_2.pth', content(2))
    with pytest.raises(OSError, match='4,000 bytes are needed'):
        made._background.wait()
    assert list(stored.listed(tmp_path)) == ['epoch_1.pth'] and checkpoint.load(tmp_path, 'epoch_1.pth')
    assert not list((tmp_path / 'checkpoint').glob('.*'))


@pytest.mark.parametrize('value', [{'state': {1, 2}}, {'x': np.float64(1)}, {'x': [object()]}, {'x': lambda: 0}])
def test_what_a_checkpoint_cannot_hold_is_named_before_training(value):
    with pytest.raises(TypeError, match='a checkpoint takes'):
        _check_plain(value)


def test_a_long_trace_is_thinned_and_a_resumed_one_cut_back(tmp_path):
    trace = Trace(tmp_path, total_steps=2_500_000)
    trace.open(0)
    for step in range(1, 10):
        trace.step(1, step, 'aa', 'bb', torch.tensor(0.1))
    offset = trace.show()
    trace.step(1, 12, 'aa', 'bb', None)
    trace.weights(1, 'c' * 64)
    trace.close()
    text = (tmp_path / 'trace.csv').read_text()
    assert [line.split(',')[1] for line in text.splitlines()[1:]] == ['1', '3', '6', '9', '12', '']
    assert '0.10000000149011612' in text and text.endswith('1,,,,,cccccccccccccccc\n')
    again = Trace(tmp_path, total_steps=2_500_000)
    again.open(offset)
    again.close()
    assert (tmp_path / 'trace.csv').read_text() == text[:offset]


def test_a_batch_digest_sees_every_tensor_of_a_batch():
    batch = {'x': torch.arange(5000.0), 'y': [torch.tensor([1, 2]), np.arange(3)], 'name': 'a'}
    digests = {batch_digest(batch)}
    for change in (lambda b: b['x'].add_(1e-3), lambda b: b['y'][0].add_(1), lambda b: b['y'].__setitem__(1, np.arange(1, 4))):
        change(batch)
        digests.add(batch_digest(batch))
    assert len(digests) == 4
    assert batch_digest([torch.tensor(3.0), torch.empty(0), torch.ones(2, 3).t()])


def test_a_signal_while_python_ends_changes_no_exit_code():
    """Objects go after Python has put its own handlers back: by then no signal counts any more."""
    code = (f'import os, signal, sys\nsys.path.append({str(CODE)!r})\nfrom tagrun.training.signals import Stop\nclass Late:\n'
            '    def __del__(self, kill=os.kill, own=os.getpid(), numbers=(signal.SIGTERM, signal.SIGINT)):\n        for number in numbers: kill(own, number)\n'
            'late = Late()\nStop()\nsys.exit(75)')
    assert subprocess.run([sys.executable, '-c', code]).returncode == 75
