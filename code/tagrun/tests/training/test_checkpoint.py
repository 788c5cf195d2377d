"""training/checkpoint.py: what is saved and verified, which checkpoints stay, which one a run goes
on from, and what a kill left between them.
"""

import errno
import random

import numpy as np
import pytest
import torch
from saved_checkpoints import flip, resumed, saved

from tagrun.store import checkpoints as stored
from tagrun.training import checkpoint


def make_checkpoints(folder, **options):
    return checkpoint.Checkpoints(
        folder, checkpoint.Background(), **{'keep_last': 2, 'keep_every': 0, **options}
    )


def content(number):
    return {'state': {'model': {'w': torch.full((1000,), float(number))}, 'epoch': number}}


def test_checkpoints_keep_the_last_the_best_and_every_nth(tmp_path):
    saver = make_checkpoints(tmp_path, keep_every=4)
    for number in range(1, 11):
        saver.save(f'epoch_{number}.pth', content(number), best=number == 3)
    saver.background.wait()
    assert list(stored.listed(tmp_path)) == [
        'epoch_3.pth',
        'epoch_4.pth',
        'epoch_8.pth',
        'epoch_9.pth',
        'epoch_10.pth',
    ]
    names = {path.name for path in (tmp_path / 'checkpoint').glob('*.pth')}
    assert names == {*stored.listed(tmp_path), 'epoch_last.pth', 'epoch_best.pth'}
    assert stored.best(tmp_path) == 'epoch_3.pth'
    assert checkpoint.load(tmp_path, 'epoch_9.pth')['state']['model']['w'][0] == 9


def test_what_is_saved_is_what_stood_at_the_call(tmp_path):
    saver, tensor = make_checkpoints(tmp_path), torch.zeros(2_000_000)
    for number in (1, 2, 3):
        tensor.fill_(number)
        digest = saver.save(
            f'epoch_{number}.pth', {'state': {'model': {'w': tensor}, 'list': [number]}}
        )
        expected = checkpoint.weights_digest({'w': tensor})
        tensor.fill_(-1)
        assert digest.result() == expected
    saver.background.wait()
    assert [
        checkpoint.load(tmp_path, f'epoch_{number}.pth')['state']['model']['w'][-1].item()
        for number in (2, 3)
    ] == [2, 3]


@pytest.mark.parametrize('damage', ['flip', 'cut', 'zero', 'empty'])
def test_a_damaged_checkpoint_is_never_loaded(tmp_path, damage):
    saver = make_checkpoints(tmp_path)
    saver.save('epoch_1.pth', content(1))
    saver.background.wait()
    path = tmp_path / 'checkpoint' / 'epoch_1.pth'
    whole = path.read_bytes()
    generator = random.Random(damage)
    for _ in range(50):
        at = generator.randrange(len(whole))
        path.write_bytes(
            {
                'flip': whole[:at]
                + bytes([whole[at] ^ 1 << generator.randrange(8)])
                + whole[at + 1 :],
                'cut': whole[:at],
                'zero': whole[:at] + bytes(min(64, len(whole) - at)) + whole[at + 64 :],
                'empty': b'',
            }[damage]
        )
        if path.read_bytes() != whole:
            with pytest.raises(ValueError, match='is damaged'):
                checkpoint.load(tmp_path, 'epoch_1.pth')


def test_a_full_disk_is_told_with_what_is_needed_and_the_save_before_stays(tmp_path, monkeypatch):
    saver = make_checkpoints(tmp_path)
    saver.save('epoch_1.pth', content(1))
    saver.background.wait()

    def full(self, data):
        self.error = OSError(28, 'No space left on device')
        raise self.error

    monkeypatch.setattr(checkpoint._Hashing, 'write', full)
    saver.save('epoch_2.pth', content(2))
    with pytest.raises(OSError, match='4,000 bytes are needed'):
        saver.background.wait()
    assert list(stored.listed(tmp_path)) == ['epoch_1.pth'] and checkpoint.load(
        tmp_path, 'epoch_1.pth'
    )
    assert not list((tmp_path / 'checkpoint').glob('.*'))


def test_after_a_fall_back_the_damaged_one_is_no_longer_listed(tmp_path, capsys):
    """Else it would count among the newest that are kept, and push out a whole one."""
    saved(tmp_path, 1, 2, 3)
    flip(tmp_path / 'checkpoint' / 'epoch_3.pth')
    assert (
        resumed(tmp_path, 'epoch_3.pth') == 2
        and 'epoch_3.pth is damaged' in capsys.readouterr().err
    )
    assert list(stored.listed(tmp_path)) == ['epoch_1.pth', 'epoch_2.pth']
    saved(tmp_path, 3, keep_last=2)
    assert (
        list(stored.listed(tmp_path)) == ['epoch_2.pth', 'epoch_3.pth']
        and resumed(tmp_path, 'epoch_3.pth') == 3
    )


def test_only_damage_makes_a_resume_fall_back(tmp_path, monkeypatch):
    """A lack of memory does not: the checkpoint is whole."""
    saved(tmp_path, 1, 2)
    monkeypatch.setattr(
        torch,
        'load',
        lambda *_, **__: (_ for _ in ()).throw(
            RuntimeError("DefaultCPUAllocator: can't allocate memory")
        ),
    )
    with pytest.raises(RuntimeError, match='allocate'):
        resumed(tmp_path, 'epoch_2.pth')
    assert list(stored.listed(tmp_path)) == ['epoch_1.pth', 'epoch_2.pth']


def test_what_a_kill_left_in_the_checkpoints_is_swept_away(tmp_path):
    """Half-written files go, and whole ones that are not listed. Without a list all stay."""
    saved(tmp_path, 1)
    folder = tmp_path / 'checkpoint'
    for name in ('.epoch_2.pth.0123abcd.tmp', 'epoch_2.pth', 'epoch_2_train_7.pth', 'mine.pth'):
        (folder / name).write_bytes(b'half')
    saved(tmp_path)
    assert {path.name for path in folder.iterdir()} == {
        'epoch_1.pth',
        'epoch_last.pth',
        'mine.pth',
        stored.SUMS,
    }
    (folder / stored.SUMS).unlink()
    saved(tmp_path)
    assert (folder / 'epoch_1.pth').exists()


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
    """The links are made again from the list and from the best epoch's name."""
    folder = tmp_path / 'checkpoint'
    saved(tmp_path, 1, 2, 3)
    (folder / stored.BEST).symlink_to('epoch_1.pth')
    # killed here
    stored.write_sums(
        tmp_path,
        {name: digest for name, digest in stored.listed(tmp_path).items() if name != 'epoch_1.pth'},
    )
    saved(tmp_path, best='epoch_2.pth')
    assert (folder / stored.BEST).readlink().name == 'epoch_2.pth' and (
        folder / stored.LAST
    ).readlink().name == 'epoch_3.pth'
    saved(tmp_path, 4, 5, keep_last=1, best='epoch_2.pth')
    assert (
        list(stored.listed(tmp_path)) == ['epoch_2.pth', 'epoch_5.pth']
        and stored.best(tmp_path) == 'epoch_2.pth'
    )


def test_a_name_that_is_saved_again_is_listed_once_as_the_newest(tmp_path):
    saved(tmp_path, 1, 2, 1)
    assert (
        list(stored.listed(tmp_path)) == ['epoch_2.pth', 'epoch_1.pth']
        and resumed(tmp_path, 'epoch_1.pth') == 1
    )


def test_where_no_checkpoint_is_whole_the_run_begins_anew_and_says_so(tmp_path, capsys):
    saved(tmp_path, 1, 2)
    for number in (1, 2):
        flip(tmp_path / 'checkpoint' / f'epoch_{number}.pth')
    assert resumed(tmp_path, 'epoch_2.pth') == 0
    assert 'no checkpoint is whole; training begins anew' in capsys.readouterr().err


def test_weights_digest_is_of_tensors_alone_and_sees_each():
    weights = {'w': torch.ones(3), 'extra': 'a string of get_extra_state'}
    digest = checkpoint.weights_digest(weights)
    assert (
        digest
        == checkpoint.weights_digest({**weights, 'extra': 'another'})
        != checkpoint.weights_digest({'w': torch.zeros(3)})
    )


def test_what_torch_itself_cannot_write_is_its_own_error_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(
        torch, 'save', lambda *_: (_ for _ in ()).throw(RuntimeError('a bug of torch'))
    )
    with pytest.raises(RuntimeError, match='a bug of torch'):
        saved(tmp_path, 1)
    assert stored.listed(tmp_path) == {} and not list((tmp_path / 'checkpoint').iterdir())


@pytest.mark.parametrize(
    'value', [np.float64(0.5), [object()], 'no dict'], ids=['NumPy', 'object', 'text']
)
def test_a_checkpoint_that_cannot_be_read_is_named_and_the_one_before_is_taken(
    tmp_path, capsys, value
):
    """As older versions wrote them: whole, by its SHA-256, and not to be read."""
    saved(tmp_path, 1, 2)
    path = tmp_path / 'checkpoint' / 'epoch_2.pth'
    torch.save(value if value == 'no dict' else {'state': {'f1': value}}, path)
    digest = stored.digest(path)
    stored.write_sums(tmp_path, {**stored.listed(tmp_path), 'epoch_2.pth': digest})
    with pytest.raises(checkpoint.Damaged, match=r'epoch_2\.pth cannot be read: \w+: '):
        checkpoint.load(tmp_path, 'epoch_2.pth')
    assert resumed(tmp_path, 'epoch_2.pth') == 1
    assert 'epoch_2.pth cannot be read' in capsys.readouterr().err


@pytest.mark.parametrize('error', [MemoryError(), OSError(errno.ENOMEM, 'Cannot allocate memory')])
def test_a_lack_of_memory_is_no_damage(tmp_path, monkeypatch, error):
    saved(tmp_path, 1)
    monkeypatch.setattr(torch, 'load', lambda *_, **__: (_ for _ in ()).throw(error))
    with pytest.raises(type(error)):
        checkpoint.load(tmp_path, 'epoch_1.pth')


def test_a_save_that_is_refused_leaves_the_checkpoints_before_it(tmp_path):
    saver = saved(tmp_path, 1, 2)
    with pytest.raises(TypeError, match=r'^state\.returns\[1\] is a numpy\.datetime64: '):
        state = {'model': {'w': torch.zeros(1000)}, 'returns': [1, np.datetime64('2020')]}
        saver.save('epoch_3.pth', {'state': state})
    assert list(stored.listed(tmp_path)) == ['epoch_1.pth', 'epoch_2.pth']
    assert resumed(tmp_path, 'epoch_2.pth') == 2
    assert checkpoint.load(tmp_path, 'epoch_2.pth')['state']['model']['w'][0] == 2
