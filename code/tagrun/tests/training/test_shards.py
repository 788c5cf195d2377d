"""training/shards.py: weights that are divided over processes (FSDP2), as one process sees them.
test_distributed.py trains, kills and continues them.
"""

import os
import pickle

import pytest
import torch

from tagrun.store import checkpoints as stored
from tagrun.training import checkpoint, distributed, shards


def divided(folder):
    """A checkpoint of one process whose model says that it is divided; its file of shards."""
    saver = checkpoint.Checkpoints(folder, checkpoint.Background(), keep_last=2, keep_every=0)
    shards = folder / 'checkpoint' / 'epoch_1.shards'
    shards.mkdir()
    (shards / '__0_0.distcp').write_bytes(b'weights')
    (shards / '.metadata').write_bytes(b'')
    saver.save(
        'epoch_1.pth',
        {
            'state': {
                'model': {},
                'shards': {'__0_0.distcp': stored.digest(shards / '__0_0.distcp')},
            }
        },
    )
    saver.background.wait()
    return saver, shards


def test_a_torn_file_of_divided_weights_is_refused_like_a_torn_checkpoint(tmp_path):
    _, folder = divided(tmp_path)
    assert checkpoint.load(tmp_path, 'epoch_1.pth')
    (folder / '__0_0.distcp').write_bytes(b'weight')
    with pytest.raises(checkpoint.Damaged, match='epoch_1.shards/__0_0.distcp'):
        checkpoint.load(tmp_path, 'epoch_1.pth')


def test_divided_weights_go_when_their_checkpoint_goes_and_what_a_kill_left_too(tmp_path):
    saver, folder = divided(tmp_path)
    for number in (2, 3):
        saver.save(f'epoch_{number}.pth', {'state': {'model': {}}})
    saver.background.wait()
    assert not folder.exists() and not (tmp_path / 'checkpoint' / 'epoch_1.pth').exists()
    for name in ('epoch_9.shards', '.epoch_4.shards.tmp'):
        (tmp_path / 'checkpoint' / name).mkdir()
    checkpoint.Checkpoints(tmp_path, checkpoint.Background(), keep_last=2, keep_every=0)
    assert not list((tmp_path / 'checkpoint').glob('*.shards')) and not list(
        (tmp_path / 'checkpoint').glob('.*')
    )


def test_a_hostile_description_of_divided_weights_runs_nothing(tmp_path):
    class Planted:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / 'planted'),)

    _, folder = divided(tmp_path)
    for planted in (
        pickle.dumps(Planted()),
        b'\x80\x04\x8c\x25torch.distributed.checkpoint.metadata\x8c\x02os\x93.',
    ):
        (folder / '.metadata').write_bytes(planted)
        with pytest.raises(checkpoint.Damaged, match='metadata names'):
            shards.load_sharded(
                tmp_path, 'epoch_1.pth', checkpoint.load(tmp_path, 'epoch_1.pth')['state']
            )
    assert not (tmp_path / 'planted').exists()


def test_whole_weights_are_loaded_as_they_are(tmp_path):
    saver = checkpoint.Checkpoints(tmp_path, checkpoint.Background(), keep_last=2, keep_every=0)
    saver.save('epoch_1.pth', {'state': {'model': {'w': torch.ones(2)}, 'epoch': 1}})
    saver.background.wait()
    saved = shards.load(tmp_path, 'epoch_1.pth')
    assert saved['name'] == 'epoch_1.pth' and saved['state']['epoch'] == 1
    assert torch.equal(saved['state']['model']['w'], torch.ones(2))


def test_whole_weights_are_not_loaded_into_a_divided_model(tmp_path, monkeypatch):
    monkeypatch.setattr(distributed, 'device_mesh', object())
    with pytest.raises(ValueError, match='epoch_1.pth holds whole weights, and this model is div'):
        shards.load_sharded(tmp_path, 'epoch_1.pth', {'model': {}})


def test_the_digest_of_a_part_is_that_of_its_weights():
    weights = {'w': torch.ones(3), 'b': torch.zeros(1)}
    assert shards.weights(weights) == checkpoint.weights_digest(weights)
    assert shards.weights(weights) != shards.weights({**weights, 'b': torch.ones(1)})
