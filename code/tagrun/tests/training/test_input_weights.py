"""training/input_weights.py: the weights of another run, and of files from elsewhere."""

import pickle

import pytest
import torch
from small_state import SmallState, network, same, save

from tagrun.store import checkpoints
from tagrun.store.inputs import WEIGHTS, Input
from tagrun.store.run_ref import RunRef
from tagrun.training import input_weights
from tagrun.training.input_weights import ANY, InputError

PRE = RunRef('pre', 0)


def of_run(root, state, name='epoch_3.pth'):
    return Input(PRE, name, save(PRE.folder(root), state, name), WEIGHTS)


def of_file(root, content, name='x.pth'):
    torch.save(content, root / name)
    return Input(None, name, checkpoints.digest(root / name), WEIGHTS)


def test_the_networks_of_a_run_are_found_whatever_they_are_called(tmp_path):
    average = torch.optim.swa_utils.AveragedModel(network(seed=2))
    state = SmallState(generator=network(seed=1), critic=network(seed=3), ema=average)
    state.train(0.1)
    networks = input_weights.read(tmp_path, of_run(tmp_path, state))
    assert list(networks) == ['generator', 'critic', 'ema']
    assert same(networks['critic'], state.critic.state_dict())
    assert same(networks['ema'], state.ema.state_dict())


def test_a_part_is_a_module_or_a_network_and_its_names_begin_there():
    networks = {
        name: dict(network(seed=seed).state_dict()) for seed, name in enumerate(('model', 'ema'))
    }
    whole = input_weights.part(networks, '', 'pre/0')
    assert whole is networks['model']
    assert list(input_weights.part(networks, 'head', 'pre/0')) == ['weight', 'bias']
    encoder = input_weights.part(networks, 'encoder', 'pre/0')
    assert torch.equal(encoder['0.weight'], networks['model']['encoder.0.weight'])
    assert input_weights.part(networks, 'ema', 'pre/0') == networks['ema']
    head = input_weights.part(networks, 'ema.head', 'pre/0')
    assert torch.equal(head['bias'], networks['ema']['head.bias'])
    with pytest.raises(InputError, match="pre/0 has no part 'hea': it has encoder, head, model, e"):
        input_weights.part(networks, 'hea', 'pre/0')


def test_of_several_networks_without_a_model_all_names_begin_with_the_networks():
    networks = {'a': {'w': 1}, 'b': {'w': 2}}
    assert input_weights.part(networks, '', 'pre/0') == {'a.w': 1, 'b.w': 2}
    assert input_weights.part(networks, 'b', 'pre/0') == {'w': 2}
    assert input_weights.part({'b': {'w': 2}}, '', 'pre/0') == {'w': 2}


WRAPPED = {
    'plain': lambda weights: weights,
    'state_dict': lambda weights: {'state_dict': weights, 'epoch': 3},
    'model': lambda weights: {'model': weights, 'optimizer': {'state': {}, 'param_groups': []}},
    'model_state_dict': lambda weights: {'epoch': 1, 'model_state_dict': weights},
    'in two': lambda weights: {'model': {'state_dict': weights}},
    'module.': lambda weights: {f'module.{name}': value for name, value in weights.items()},
    'compiled': lambda weights: {
        'state_dict': {f'module._orig_mod.{name}': value for name, value in weights.items()}
    },
    "Tagrun's": lambda weights: {'state': {'model': weights, 'epoch': 3}, 'trace': 0},
    'with a number': lambda weights: {**weights, 'epoch': 3},
}


@pytest.mark.parametrize('how', WRAPPED)
def test_what_others_save_is_unwrapped(tmp_path, how):
    weights = dict(network().state_dict())
    each = of_file(tmp_path, WRAPPED[how](weights))
    assert same(input_weights.read(tmp_path, each)[ANY], weights)


@pytest.mark.parametrize(
    'content, what',
    [
        ({'optimizer': {'state': {}}}, 'but a dict with optimizer'),
        ([torch.zeros(1)], 'but a list'),
        (torch.zeros(1), 'but a Tensor'),
        ({}, 'but a dict with '),
        ({1: torch.zeros(1)}, 'but a dict with 1'),
    ],
)
def test_a_file_without_weights_is_refused_with_what_it_holds(tmp_path, content, what):
    with pytest.raises(InputError, match=rf'input x\.pth holds no weights by their names, {what}'):
        input_weights.read(tmp_path, of_file(tmp_path, content))


class Evil:
    def __reduce__(self):
        return exec, ("open('evil', 'w')",)


def test_a_file_that_would_run_code_is_refused_and_runs_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    each = of_file(tmp_path, {'w': Evil()})
    with pytest.raises(InputError, match='it holds other things than tensors and plain values'):
        input_weights.read(tmp_path, each)
    (tmp_path / 'x.pth').write_bytes(pickle.dumps(Evil(), 2))
    with pytest.raises(InputError, match=r'input x\.pth cannot be read'):
        input_weights.read(tmp_path, each)
    assert not (tmp_path / 'evil').exists()


def test_safetensors_are_read_by_that_package_and_torn_ones_refused(tmp_path):
    save_file = pytest.importorskip('safetensors.torch').save_file
    weights = dict(network().state_dict())
    path = tmp_path / 'x.safetensors'
    save_file(weights, path)
    each = Input(None, path.name, checkpoints.digest(path), WEIGHTS)
    assert same(input_weights.read(tmp_path, each)[ANY], weights)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match=r'input x\.safetensors cannot be read: Safetensor'):
        input_weights.read(tmp_path, each)


def test_a_missing_package_is_named_with_what_to_type(tmp_path, monkeypatch):
    path = tmp_path / 'x.safetensors'
    path.write_bytes(b'')

    def missing(_):
        raise ModuleNotFoundError("No module named 'safetensors'")

    monkeypatch.setattr(input_weights, '_safetensors', missing)
    with pytest.raises(InputError, match='pip install -r code/requirements-safetensors.txt'):
        input_weights.read(tmp_path, Input(None, path.name, 'a' * 64, WEIGHTS))


def test_the_recorded_content_is_verified_and_another_one_named(tmp_path):
    each = of_run(tmp_path, SmallState())
    path = PRE.folder(tmp_path) / 'checkpoint' / 'epoch_3.pth'
    assert input_weights.verify(tmp_path, each, 'fine/0') == path
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    digest = checkpoints.digest(path)
    with pytest.raises(
        InputError,
        match=rf'^input pre/0 epoch_3\.pth has changed: its SHA-256 is {digest[:12]}…, and fine/0 '
        f'takes the one with {each.sha256[:12]}…$',
    ):
        input_weights.verify(tmp_path, each, 'fine/0')
    # whatever the list says
    with pytest.raises(InputError, match='input pre/0 epoch_3.pth cannot be read: .*is damaged'):
        input_weights.read(tmp_path, each)
    path.unlink()
    for look in (
        lambda: input_weights.verify(tmp_path, each, 'fine/0'),
        lambda: input_weights.read(tmp_path, each),
    ):
        with pytest.raises(InputError, match=r'input pre/0 epoch_3\.pth is not here'):
            look()


def test_a_checkpoint_without_a_network_is_refused(tmp_path):
    state = SmallState()
    del state.model
    with pytest.raises(InputError, match='holds no network'):
        input_weights.read(tmp_path, of_run(tmp_path, state))


def test_copies_have_memory_of_their_own():
    weights = {'w': torch.zeros(2), 'extra': 'text'}
    copied = input_weights.copied(weights)
    weights['w'].fill_(1)
    assert copied['w'].sum() == 0 and copied['extra'] == 'text'
