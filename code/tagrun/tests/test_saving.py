"""Which checkpoint is taken, which are kept, and what a kill left between them."""
import types

import pytest
import torch

from tagrun.store import checkpoints as stored
from tagrun.training import checkpoint
from tagrun.training.run import Run


def saved(folder, *numbers, **options):
    """Checkpoints epoch_<n>.pth in a run's folder; the object that saved them."""
    made = checkpoint.Checkpoints(folder, checkpoint.Background(), **{'keep_last': 9, 'keep_every': 0, **options})
    for number in numbers:
        made.save(f'epoch_{number}.pth', {'state': {'model': {'w': torch.full((1000,), float(number))}, 'epoch': number}})
    made._background.wait()
    return made


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def resumed(folder, name):
    """The epoch that a run restores when `continue` names the checkpoint."""
    state = types.SimpleNamespace(phase=None, epoch=0, batch=0, load_state_dict=lambda content: vars(state).update(content))
    Run._restore(types.SimpleNamespace(folder=folder, info={'resume': name}), state)
    return state.epoch


def test_after_a_fall_back_the_damaged_one_is_no_longer_listed(tmp_path, capsys):
    """Else it would count among the newest that are kept, and push out a whole one."""
    saved(tmp_path, 1, 2, 3)
    flip(tmp_path / 'checkpoint' / 'epoch_3.pth')
    assert resumed(tmp_path, 'epoch_3.pth') == 2 and 'epoch_3.pth is damaged' in capsys.readouterr().err
    assert list(stored.listed(tmp_path)) == ['epoch_1.pth', 'epoch_2.pth']
    saved(tmp_path, 3, keep_last=2)
    assert list(stored.listed(tmp_path)) == ['epoch_2.pth', 'epoch_3.pth'] and resumed(tmp_path, 'epoch_3.pth') == 3


def test_only_damage_makes_a_resume_fall_back(tmp_path, monkeypatch):
    """No memory for a checkpoint that is whole is no reason to train its epochs again, or to begin anew."""
    saved(tmp_path, 1, 2)
    monkeypatch.setattr(torch, 'load', lambda *_, **__: (_ for _ in ()).throw(RuntimeError("DefaultCPUAllocator: can't allocate memory")))
    with pytest.raises(RuntimeError, match='allocate'):
        resumed(tmp_path, 'epoch_2.pth')
    assert list(stored.listed(tmp_path)) == ['epoch_1.pth', 'epoch_2.pth']


def test_what_a_kill_left_in_the_checkpoints_is_swept_away(tmp_path):
    """Half-written files, and whole ones that the list never had or has no longer; without a list nobody knows, and they stay."""
    saved(tmp_path, 1)
    place = tmp_path / 'checkpoint'
    for name in ('.epoch_2.pth.0123abcd.tmp', 'epoch_2.pth', 'epoch_2_train_7.pth', 'mine.pth'):
        (place / name).write_bytes(b'half')
    saved(tmp_path)
    assert {path.name for path in place.iterdir()} == {'epoch_1.pth', 'epoch_last.pth', 'mine.pth', stored.SUMS}
    (place / stored.SUMS).unlink()
    saved(tmp_path)
    assert (place / 'epoch_1.pth').exists()


def test_what_was_to_be_reported_after_a_failed_save_is_not(tmp_path):
    background, done = checkpoint.Background(), []
    background.submit(lambda: (_ for _ in ()).throw(OSError(28, 'No space left on device')))
    background.submit(done.append, 'reported')
    with pytest.raises(OSError):
        background.wait()
    background.submit(done.append, 'how it ended')
    background.wait()
    assert done == ['how it ended']


def test_a_kill_between_a_save_and_its_link_loses_neither_the_best_nor_a_link(tmp_path):
    """The list is what counts, and the record knows the best epoch; the links are made again from both."""
    place = tmp_path / 'checkpoint'
    saved(tmp_path, 1, 2, 3)
    (place / stored.BEST).symlink_to('epoch_1.pth')
    stored.write_sums(tmp_path, {name: digest for name, digest in stored.listed(tmp_path).items() if name != 'epoch_1.pth'})   # killed here
    saved(tmp_path, best='epoch_2.pth')
    assert (place / stored.BEST).readlink().name == 'epoch_2.pth' and (place / stored.LAST).readlink().name == 'epoch_3.pth'
    saved(tmp_path, 4, 5, keep_last=1, best='epoch_2.pth')
    assert list(stored.listed(tmp_path)) == ['epoch_2.pth', 'epoch_5.pth'] and stored.best(tmp_path) == 'epoch_2.pth'
