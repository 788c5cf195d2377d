"""training/run_inputs.py: what a run begins with, and what its own code asks for."""

import json

import pytest
import torch
from small_state import SmallState, network, same, save

from tagrun.store import checkpoints, inputs, run_json
from tagrun.store.inputs import CHECKPOINT, CODE, WEIGHTS, Input
from tagrun.store.run_ref import RunRef
from tagrun.training.group import Alone
from tagrun.training.input_weights import InputError
from tagrun.training.output import Files
from tagrun.training.run_inputs import RunInputs

PRE, FINE = RunRef('pre', 0), RunRef('fine', 0)


@pytest.fixture
def root(tmp_path):
    """A project with pre/0, whose second epoch is the best and whose third is the last."""
    root = tmp_path / "a 'b; c"
    state = SmallState(seed=1)
    for number, accuracy in enumerate((0.2, 0.9, 0.4), 1):
        state.train(accuracy)
        save(PRE.folder(root), state, f'epoch_{number}.pth', number == 2)
        state.model['head'].weight.data += 1
    FINE.folder(root).mkdir(parents=True)
    return root


def begun(root, *taken, resume=None, run=FINE):
    """The RunInputs of fine/0, which takes these."""
    run.folder(root).mkdir(parents=True, exist_ok=True)
    info = run_json.build(root, run.tag, run.number, 'c' * 40, 1) | {'resume': resume}
    info['inputs'] = inputs.dump(list(taken))
    run_json.write(run.folder(root), info)
    return RunInputs(root, run.folder(root), info, Alone(), Files(run.folder(root)))


def pre(root, name, what, **more):
    return Input(PRE, name, checkpoints.listed(PRE.folder(root))[name], what, **more)


def saved_weights(root, name):
    path = PRE.folder(root) / 'checkpoint' / name
    return torch.load(path, weights_only=True)['state']['model']


def break_file(root, name):
    path = PRE.folder(root) / 'checkpoint' / name
    path.write_bytes(path.read_bytes()[:-1] + b'x')


# ---- what it begins with ----


def test_with_a_checkpoint_everything_is_restored_and_its_own(root, capsys):
    state = SmallState(seed=5)
    saved = begun(root, pre(root, 'epoch_3.pth', CHECKPOINT)).restore(state)
    assert saved['name'] == 'epoch_3.pth' and saved['trace'] == 0
    assert state.epoch == 3 and state.step == 30 and state.history.best_epoch == 2
    assert same(dict(state.model.state_dict()), saved_weights(root, 'epoch_3.pth'))
    assert list(checkpoints.listed(FINE.folder(root))) == ['epoch_2.pth', 'epoch_3.pth']
    assert 'begins with pre/0:epoch_3.pth and everything in it' in capsys.readouterr().err


def test_with_weights_the_optimizer_is_fresh_and_the_epoch_zero(root):
    state = SmallState(seed=5)
    assert begun(root, pre(root, 'epoch_2.pth', WEIGHTS)).restore(state) == {}
    assert same(dict(state.model.state_dict()), saved_weights(root, 'epoch_2.pth'))
    assert state.epoch == 0 and not state.optimizer.state and not state.history.rows


@pytest.mark.parametrize('what', [CHECKPOINT, WEIGHTS])
def test_a_run_that_goes_on_takes_its_own_checkpoint_even_if_the_input_is_gone(root, what):
    own = SmallState(seed=8)
    own.train(0.5)
    save(FINE.folder(root), own, 'epoch_1.pth')
    each = pre(root, 'epoch_3.pth', what)
    (PRE.folder(root) / 'checkpoint' / 'epoch_3.pth').unlink()
    state = SmallState(seed=5)
    begun(root, each, resume='epoch_1.pth').restore(state)
    assert same(state.weights(), own.weights()) and state.epoch == 1


@pytest.mark.parametrize('what', [CHECKPOINT, WEIGHTS])
def test_where_its_own_checkpoints_are_damaged_it_begins_with_its_input_again(root, what, capsys):
    save(FINE.folder(root), SmallState(seed=8), 'epoch_1.pth')
    (FINE.folder(root) / 'checkpoint' / 'epoch_1.pth').write_bytes(b'damaged')
    state = SmallState(seed=5)
    begun(root, pre(root, 'epoch_3.pth', what), resume='epoch_1.pth').restore(state)
    assert same(dict(state.model.state_dict()), saved_weights(root, 'epoch_3.pth'))


@pytest.mark.parametrize('what', [CHECKPOINT, WEIGHTS])
def test_a_changed_and_a_missing_input_are_refused_by_name(root, what):
    each = pre(root, 'epoch_3.pth', what)
    break_file(root, 'epoch_3.pth')
    with pytest.raises(InputError, match='input pre/0 epoch_3.pth has changed: .*fine/0 takes'):
        begun(root, each).restore(SmallState())
    (PRE.folder(root) / 'checkpoint' / 'epoch_3.pth').unlink()
    with pytest.raises(InputError, match='input pre/0 epoch_3.pth is not here'):
        begun(root, each).restore(SmallState())
    assert checkpoints.listed(FINE.folder(root)) == {}


def test_a_checkpoint_that_does_not_fit_is_refused_with_what_to_type(root):
    each = pre(root, 'epoch_3.pth', CHECKPOINT)
    wider = SmallState(width=4)
    with pytest.raises(InputError, match='pre/0:epoch_3.pth does not fit this code: .*size mism'):
        begun(root, each).restore(wider)
    more = SmallState()
    more.ema = network()
    with pytest.raises(InputError) as refused:
        begun(root, each).restore(more)
    assert "it has no 'ema', which the state has now; --weights-from pre/0:ep" in str(refused.value)
    assert checkpoints.listed(FINE.folder(root)) == {}


def test_other_networks_than_the_states_are_refused_and_not_strict_said(root, capsys):
    each = pre(root, 'epoch_2.pth', WEIGHTS)
    state = SmallState(model=network(seed=5), ema=network(seed=6))
    before = state.weights()
    with pytest.raises(InputError) as refused:
        begun(root, each).restore(state)
    assert 'has model, and the state has model, ema: --no-strict takes' in str(refused.value)
    assert same(before, state.weights())
    begun(root, each._replace(strict=False)).restore(state)
    assert same(dict(state.model.state_dict()), saved_weights(root, 'epoch_2.pth'))
    said = capsys.readouterr().err
    assert "pre/0:epoch_2.pth has no network 'ema': it stays as it was made" in said


def test_what_the_state_has_no_network_for_is_not_taken_and_said(root, capsys):
    two = SmallState(model=network(seed=1), critic=network(seed=2))
    two.train(0.1)
    save(PRE.folder(root), two, 'epoch_9.pth')
    state = SmallState(seed=5)
    begun(root, pre(root, 'epoch_9.pth', WEIGHTS, strict=False)).restore(state)
    assert 'not taken from pre/0:epoch_9.pth: critic' in capsys.readouterr().err
    assert same(dict(state.model.state_dict()), dict(two.model.state_dict()))


def test_several_networks_are_taken_by_their_names(root):
    two = SmallState(generator=network(seed=1), critic=network(seed=2))
    two.train(0.1)
    save(PRE.folder(root), two, 'epoch_9.pth')
    state = SmallState(critic=network(seed=3), generator=network(seed=4))
    begun(root, pre(root, 'epoch_9.pth', WEIGHTS)).restore(state)
    weights = two.weights()
    assert same(state.weights(), {name: weights[name] for name in state.weights()})


def test_a_file_from_elsewhere_is_the_models_and_for_several_networks_refused(root):
    torch.save({'state_dict': network(seed=9).state_dict()}, root / 'x.pth')
    each = Input(None, 'x.pth', checkpoints.digest(root / 'x.pth'), WEIGHTS)
    state = SmallState(seed=5)
    begun(root, each).restore(state)
    assert same(dict(state.model.state_dict()), dict(network(seed=9).state_dict()))
    with pytest.raises(InputError, match=r"generator, critic: .*weights_of\('x.pth', into=state"):
        begun(root, each).restore(SmallState(generator=network(), critic=network()))


# ---- what its code asks for ----


def recorded(root):
    return json.loads((FINE.folder(root) / 'run.json').read_text())['inputs']


def test_what_the_code_asks_for_is_recorded_kept_and_given(root):
    taken = begun(root)
    weights = taken.weights_of('pre/0:best', '', None, True)
    assert same(weights, saved_weights(root, 'epoch_2.pth'))
    assert recorded(root) == {
        'pre/0': {
            'file': 'epoch_2.pth',
            'sha256': checkpoints.listed(PRE.folder(root))['epoch_2.pth'],
            'what': 'code',
            'asked': ['best'],
        }
    }
    needed = (PRE.folder(root) / 'checkpoint' / 'NEEDED').read_text()
    assert needed.split() == [recorded(root)['pre/0']['sha256'], 'epoch_2.pth', 'fine/0']


def test_a_part_goes_into_a_module(root):
    model = network(seed=5)
    head = model['head'].weight.clone()
    begun(root).weights_of('pre/0:3', 'encoder', model['encoder'], True)
    assert torch.equal(model['head'].weight, head)
    expected = saved_weights(root, 'epoch_3.pth')['encoder.0.weight']
    assert torch.equal(model['encoder'][0].weight, expected)
    with pytest.raises(InputError, match='pre/0:epoch_3.pth, encoder does not fit: missing'):
        begun(root).weights_of('pre/0:3', 'encoder', model, True)


def test_without_a_word_it_is_the_best_and_several_have_keys_of_their_own(root):
    taken = begun(root)
    for word in ('pre/0', 'pre/0:last', 'pre/0:epoch_1', 'pre/0:2'):
        taken.weights_of(word, '', None, True)
    assert {key: value['file'] for key, value in recorded(root).items()} == {
        'pre/0': 'epoch_2.pth',
        'pre/0:epoch_3.pth': 'epoch_3.pth',
        'pre/0:epoch_1.pth': 'epoch_1.pth',
    }


def test_a_rerun_and_the_run_itself_take_what_is_recorded_though_best_has_moved(root):
    begun(root).weights_of('pre/0:best', '', None, True)
    state = SmallState(seed=11)
    state.train(0.99)
    save(PRE.folder(root), state, 'epoch_4.pth', best=True)
    assert checkpoints.best(PRE.folder(root)) == 'epoch_4.pth'
    again = begun(root, *inputs.parse(recorded(root)))
    assert same(again.weights_of('pre/0:best', '', None, True), saved_weights(root, 'epoch_2.pth'))
    assert list(recorded(root)) == ['pre/0']
    fresh = begun(root, run=RunRef('fine', 1)).weights_of('pre/0:best', '', None, True)
    assert same(fresh, dict(state.model.state_dict()))


def test_what_the_command_recorded_stays_what_the_run_begins_with(root):
    """The code asks for the same file by another word: the record is one, and is of the command."""
    taken = begun(root, pre(root, 'epoch_2.pth', WEIGHTS, strict=False))
    taken.weights_of('pre/0:best', '', None, True)
    record = recorded(root)['pre/0']
    assert record['what'] == 'weights' and record['strict'] is False and record['asked'] == ['best']


def test_what_code_read_is_not_loaded_when_a_rerun_begins(root):
    state = SmallState(seed=5)
    before = state.weights()
    begun(root, pre(root, 'epoch_2.pth', CODE)).restore(state)
    assert same(before, state.weights())


def test_a_file_in_the_project_or_elsewhere(root, tmp_path):
    (root / 'weights').mkdir()
    for path in (root / 'weights' / 'x.pth', tmp_path / 'y.pth'):
        torch.save(network(seed=9).state_dict(), path)
    taken = begun(root)
    words = ('weights/x.pth', str(root / 'weights' / 'x.pth'), str(tmp_path / 'y.pth'))
    for word in words:
        assert same(taken.weights_of(word, '', None, True), dict(network(seed=9).state_dict()))
    assert list(recorded(root)) == ['weights/x.pth', str(tmp_path / 'y.pth')]
    (root / 'weights' / 'x.pth').write_bytes(b'other')
    again = begun(root, *inputs.parse(recorded(root)))
    with pytest.raises(InputError, match='input weights/x.pth has changed'):
        again.weights_of('weights/x.pth', '', None, True)


@pytest.mark.parametrize(
    'word, reason',
    [
        ('pre/0:7', "input pre/0 has no checkpoint '7': it has epoch_1, epoch_2, epoch_3"),
        ('gone/0:best', "input gone/0 has no checkpoint 'best': it has no checkpoint here"),
        ('pre', "'pre' is not a checkpoint, e.g. pre/0:best with the id of the run"),
        ('pre:best', "'pre:best' is not a checkpoint, e.g. pre/0:best"),
        ('no.pth', "'no.pth' is not a checkpoint"),
        ('', "'' is not a checkpoint"),
        ('fine/0:best', 'fine/0:best is this run itself'),
    ],
)
def test_what_is_not_there_is_refused_by_name_and_not_recorded(root, word, reason):
    with pytest.raises(InputError) as refused:
        begun(root).weights_of(word, '', None, True)
    assert reason in str(refused.value) and recorded(root) == {}


def test_a_changed_input_of_the_code_is_refused_by_name_and_not_used(root):
    begun(root).weights_of('pre/0:best', '', None, True)
    break_file(root, 'epoch_2.pth')
    again = begun(root, *inputs.parse(recorded(root)))
    with pytest.raises(InputError, match='input pre/0 epoch_2.pth has changed'):
        again.weights_of('pre/0:best', '', None, True)
    with pytest.raises(InputError, match='input pre/0 epoch_2.pth has changed'):
        begun(root).weights_of('pre/0:best', '', None, True)


def test_an_evaluation_takes_what_its_run_took_and_notes_what_it_takes_itself(root):
    begun(root).weights_of('pre/0:best', '', None, True)
    folder = FINE.folder(root) / 'evaluation' / '0'
    folder.mkdir(parents=True)
    evaluate = {'id': 0, 'checkpoint': 'epoch_1.pth', 'sha256': 'a' * 64, 'phases': None, 'set': {}}
    more = {'inputs': recorded(root), run_json.EVALUATE: {**evaluate, 'rerun_of': None}}
    info = run_json.build(root, 'fine', 0, 'c' * 40, 1, **more)
    run_json.write(folder, info)
    taken = RunInputs(root, folder, info, Alone())
    assert same(taken.weights_of('pre/0:best', '', None, True), saved_weights(root, 'epoch_2.pth'))
    taken.weights_of('pre/0:1', '', None, True)
    assert list(run_json.read(folder)['inputs']) == ['pre/0', 'pre/0:epoch_1.pth']
    assert list(recorded(root)) == ['pre/0']
