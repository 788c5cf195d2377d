"""weights_file.py: which weights, what is known of them, and both formats."""

import json

import pytest
import torch

from tagrun.core.cli.messages import UserError
from tagrun.extra.loading import weights_file
from tagrun.store import checkpoints
from tagrun.training import checkpoint

safetensors = pytest.importorskip('safetensors')
from safetensors.torch import load_file  # noqa: E402


def read(path):
    """(weights, metadata) of a file."""
    if path.suffix == '.pt':
        content = torch.load(path, weights_only=True)
        return content['weights'], content['metadata']
    with safetensors.safe_open(path, 'pt') as file:
        return load_file(path), file.metadata()


KINDS = pytest.mark.parametrize('kind', ['.pt', '.safetensors'])


@KINDS
def test_the_file_has_the_weights_and_where_they_are_from(load, trained, tmp_path, kind):
    run = load('second/0', 'epoch_1.pth')
    path, weights = tmp_path / f'model{kind}', weights_file.weights_of(run)
    weights_file.write(path, kind, weights, weights_file.metadata_of(run, weights))
    loaded, metadata = read(path)
    run.module('model').build_model(run.args).load_state_dict(loaded)
    assert (
        checkpoint.weights_digest({name: loaded[name] for name in weights}) == metadata['weights']
    )
    assert metadata['weights'].startswith(run.trace['weights'][run.trace['epoch'] == 1].iloc[-1])
    assert (metadata['run'], metadata['commit']) == ('second/0', run.commit)
    assert metadata['checkpoint'] == 'epoch_1.pth' and metadata['epoch'] == '1'
    assert metadata['sha256'] == checkpoints.digest(run.folder / 'checkpoint' / 'epoch_1.pth')
    assert json.loads(metadata['args'])['hidden'] == 8
    assert json.loads(metadata['metric'])['val/acc'] == run.history['val/acc'][0]


@KINDS
def test_tied_weights_views_and_empty_tensors_come_back(tmp_path, kind):
    table = torch.randn(5, 3)
    weights = {
        'embedding': table,
        'head': table,
        'part': table[1:3],
        'turned': torch.arange(6.0).reshape(2, 3).T,
        'half': torch.ones(2, dtype=torch.bfloat16),
        'count': torch.tensor(7),
        'none': torch.zeros(0),
        'none2': torch.zeros(0),
    }
    path = tmp_path / f'model{kind}'
    weights_file.write(path, kind, weights, {'run': 't1/0'})
    loaded, metadata = read(path)
    assert metadata == {'run': 't1/0'} and loaded.keys() == weights.keys()
    for name, tensor in weights.items():
        assert loaded[name].dtype == tensor.dtype and torch.equal(loaded[name], tensor), name


def test_what_safetensors_cannot_hold_is_said_and_pt_holds_it(tmp_path, capsys):
    weights = {'a': torch.ones(2), 'extra': {'seen': 3}}
    weights_file.write(tmp_path / 'm.safetensors', '.safetensors', weights, {})
    assert 'left out, for they are not tensors: extra' in capsys.readouterr().err
    assert list(read(tmp_path / 'm.safetensors')[0]) == ['a']
    weights_file.write(tmp_path / 'm.pt', '.pt', weights, {})
    assert read(tmp_path / 'm.pt')[0]['extra'] == {'seen': 3}
    sparse = {'a': torch.eye(2).to_sparse()}
    with pytest.raises(UserError, match='cannot hold these weights.*sparse.*-o a .pt file'):
        weights_file.write(tmp_path / 'n.safetensors', '.safetensors', sparse, {})
    assert not (tmp_path / 'n.safetensors').exists()


def test_several_networks_have_their_names_before_the_weights(load):
    run = load('first/0')
    saved = run.checkpoint.content['state']
    run.state.critic = torch.nn.Linear(2, 1)
    saved['critic'] = run.state.critic.state_dict()
    run.checkpoint.content['weights'] = 'another digest'
    weights = weights_file.weights_of(run)
    assert 'model.layers.0.weight' in weights and 'critic.bias' in weights
    # state.py makes one network alone, and its digest is of divided weights
    del run.state.critic
    assert list(weights_file.weights_of(run)) == list(saved['model'])


def test_the_digest_is_that_of_training():
    weights = {'a': torch.randn(3, 2).T, 'b': torch.ones(2, dtype=torch.bfloat16), 'c': 'text'}
    assert weights_file.digest(weights) == checkpoint.weights_digest(weights)


def test_a_place_that_cannot_be_written_is_one_sentence():
    with pytest.raises(UserError, match='/proc/m.pt cannot be written'):
        weights_file.write(weights_file.Path('/proc/m.pt'), '.pt', {}, {})
