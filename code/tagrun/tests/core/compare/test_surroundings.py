"""core/compare/surroundings.py: arguments, inputs and environment of two runs, as recorded."""

from pathlib import Path

from tagrun.core.compare import surroundings
from tagrun.core.compare.run_files import RunFiles
from tagrun.store.run_ref import RunRef

ENVIRONMENT = {
    'torch': '2.13.0',
    'threads': 1,
    'world_size': 1,
    'cpu': 'EPYC',
    'determinism': {'algorithms': 'error', 'matmul_precision': 'highest'},
    'string_hashes': {'PYTHONHASHSEED': '7', 'seeded': True},
    'data': {'train': {'samples': 10, 'digest': 'aa'}},
    'packages': {'numpy': '2.0.0'},
}


def files(hparam=None, seed=7, inputs=None, environment=ENVIRONMENT, **info):
    statistic = {'hparam': hparam or {}, 'seed': seed}
    info = {'seed': seed, 'inputs': inputs or {}, **info}
    return RunFiles(RunRef('t1', 0), Path(), statistic, info, environment)


def differing(one, other):
    return {name: pairs for name, pairs in surroundings.differences(one, other).items() if pairs}


def test_runs_that_were_trained_alike_differ_in_nothing():
    assert differing(files({'lr': 0.1}), files({'lr': 0.1})) == {}


def test_each_group_names_what_differs_with_both_values():
    other = {
        **ENVIRONMENT,
        'torch': '2.14.0',
        'threads': 2,
        'world_size': 4,
        'determinism': {'algorithms': 'default', 'matmul_precision': 'highest'},
        'string_hashes': {'PYTHONHASHSEED': None, 'seeded': False},
        'data': {'train': {'samples': 10, 'digest': 'bb'}},
        'packages': {'numpy': '2.1.0', 'new': '1'},
    }
    source = {'file': 'epoch_3.pth', 'sha256': 'ab'}
    groups = differing(
        files({'lr': 0.1}), files({'lr': 0.2}, inputs={'pre/0': source}, environment=other)
    )
    assert groups == {
        'config': {'lr': [0.1, 0.2]},
        'inputs': {'pre/0': [None, source]},
        'packages': {
            'torch': ['2.13.0', '2.14.0'],
            'numpy': ['2.0.0', '2.1.0'],
            'new': [None, '1'],
        },
        'hardware': {'threads': [1, 2], 'world_size': [1, 4]},
        'settings': {
            'algorithms': ['error', 'default'],
            'PYTHONHASHSEED': ['7', None],
            'string hashes seeded': [True, False],
        },
        'data': {'train': [{'samples': 10, 'digest': 'aa'}, {'samples': 10, 'digest': 'bb'}]},
    }


def test_a_hash_seed_that_follows_from_another_seed_is_no_difference():
    other = {**ENVIRONMENT, 'string_hashes': {'PYTHONHASHSEED': '8', 'seeded': True}}
    assert differing(files(), files(seed=8, environment=other)) == {}
    other['string_hashes'] = {'PYTHONHASHSEED': None, 'seeded': False}
    groups = differing(files(), files(seed=8, environment=other))
    assert groups == {'settings': {'string hashes seeded': [True, False]}}


def test_what_an_older_run_did_not_record_is_unknown_and_no_difference():
    older = {'torch': '2.13.0', 'data': None, 'packages': [], 'determinism': 3}
    assert differing(files(), files(environment=older)) == {}
    assert differing(files(), files(environment={})) == {}
    assert differing(files({'lr': 1}), files()) == {}


def test_a_missing_fingerprint_is_unknown_and_no_difference():
    phases = {'train': {'samples': 10, 'digest': None}, 'val': None, 'test': 7}
    one = {**ENVIRONMENT, 'data': phases}
    known = dict.fromkeys(phases, {'samples': 10, 'digest': 'aa'})
    other = {**ENVIRONMENT, 'data': known}
    for pair in ((one, other), (other, one), (one, one)):
        pair = [files(environment=each) for each in pair]
        assert differing(*pair) == {} and surroundings.data_unknown(*pair) == list(phases)
    assert surroundings.data_unknown(files(), files()) == []
    longer = {**ENVIRONMENT, 'data': {'train': {'samples': 11, 'digest': None}}}
    assert list(differing(files(), files(environment=longer))) == ['data']


def test_a_checkpoint_that_a_run_began_with_is_an_input():
    groups = differing(files(), files(continued_from='pre/0'))
    assert groups == {'inputs': {'pre/0': [None, 'a checkpoint']}}
    fetched = files(continued_from='pre/0')
    del fetched.info['inputs']
    assert differing(files(), fetched) == {}
    assert not surroundings.inputs_known(files(), fetched)


def test_a_guess_follows_from_what_differs_first_and_an_operator_is_the_last():
    guesses = [surroundings.unexplained(stream) for stream in ('order', 'batch', 'loss', None)]
    assert ['operator' in guess for guess in guesses] == [False, False, True, True]
    assert guesses[2].index('a file') < guesses[2].index('operator')


def test_a_value_is_shown_on_one_line():
    assert surroundings.value_text({'samples': 3, 'digest': 'ab'}) == '3 samples, ab'
    assert surroundings.value_text({'samples': 3, 'digest': None}) == '3 samples, no fingerprint'
    assert surroundings.value_text(None) == 'absent'
    assert len(surroundings.value_text('x' * 999)) == surroundings.LONGEST + 2


def test_inputs_are_named_first_and_by_which_word_they_were_asked_for_is_no_difference():
    source = {'file': 'epoch_3.pth', 'sha256': 'ab' * 32, 'what': 'weights'}
    one = files({'lr': 0.1}, inputs={'pre/0': {**source, 'asked': ['best']}})
    assert differing(one, files({'lr': 0.1}, inputs={'pre/0': source})) == {}
    changed = {**source, 'sha256': 'cd' * 32}
    groups = differing(one, files({'lr': 0.2}, inputs={'pre/0': changed}))
    assert list(groups) == ['inputs', 'config']
    texts = [surroundings.value_text(value) for value in groups['inputs']['pre/0']]
    assert texts == ['weights epoch_3.pth abababababab', 'weights epoch_3.pth cdcdcdcdcdcd']
    loose = surroundings.value_text({**source, 'strict': False})
    assert loose == 'weights epoch_3.pth abababababab, as far as they fit'
