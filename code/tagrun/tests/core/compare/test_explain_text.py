"""core/compare/explain_text.py: a comparison on one screen."""

import pytest

from tagrun.core.compare import explain_text, surroundings

SAME = {
    'runs': ['a/0', 'b/0'],
    'code': {'files': {}, 'tool': [], 'unknown': None},
    'config': {},
    'seed': None,
    'inputs': {},
    'packages': {},
    'hardware': {},
    'settings': {},
    'data': {},
    'data_unknown': [],
    'inputs_known': True,
    'surroundings_known': True,
    'unfinished': [],
    'compared': ['the traces', 'the last weights'],
    'first_difference': None,
    'metric': {},
}
METRIC = {
    'values': [0.5, 0.75],
    'difference': 0.25,
    'noise': 0.01,
    'seeds': [4, 1],
    'more_than_seeds': True,
}
SAMPLES = {'samples': 10, 'digest': 'aa'}


def lines(**more):
    return list(explain_text.lines({**SAME, **more}))


def test_two_runs_that_are_the_same_are_three_lines():
    assert lines() == [
        'a/0 and b/0: the same, bit for bit',
        'they part nowhere: the traces, the last weights are the same',
        'the same  code, config, seed, inputs, packages, hardware, settings, data',
    ]


def test_data_without_a_fingerprint_are_unknown():
    assert lines(data_unknown=['train', 'val'])[2:] == [
        'the same  code, config, seed, inputs, packages, hardware, settings',
        'unknown   whether the data of train, val differ: a fingerprint is missing',
    ]


@pytest.mark.parametrize(
    'more, sentence',
    [
        ({'config': {'lr': [1, 2]}}, 'they differ in lr, and came out the same, bit for bit'),
        (
            {'config': dict.fromkeys('abcde', [1, 2]), 'first_difference': {}, 'compared': []},
            'they differ in a, b, c, 2 more arguments',
        ),
        (
            {'seed': [1, 2], 'hardware': {'cpu': ['x', 'y']}, 'compared': []},
            'they differ in seed, hardware',
        ),
        ({'compared': []}, 'nothing known differs, but not all is known of both'),
        (
            {'first_difference': {'stream': 'loss'}},
            surroundings.unexplained('loss') + explain_text.SELFTEST,
        ),
        ({'inputs': {'pre/0': [{}, None]}, 'compared': []}, 'they differ in inputs'),
        (
            {'unfinished': ['b/0']},
            'the same, bit for bit, as far as both go (b/0 is not finished)',
        ),
        (
            {'code': {'files': {'code/a.py': []}, 'tool': ['code/tagrun/x'], 'unknown': None}},
            'they differ in code, the tool, and came out the same, bit for bit',
        ),
    ],
)
def test_the_first_line_names_what_differs(more, sentence):
    assert explain_text.summary({**SAME, **more}) == sentence


def test_a_part_has_its_name_once_and_is_cut():
    pairs = {f'package{number}': [None, '1'] for number in range(10)}
    shown = lines(packages=pairs)
    assert shown[1] == 'packages  package0: absent -> 1'
    assert shown[2] == '          package1: absent -> 1'
    assert shown[9] == '          … 2 more: --json has them'


def test_code_is_cut_and_the_command_for_the_rest_is_named():
    code = {'files': {'code/a.py': ['+x' * 100] * 30}, 'tool': ['t'], 'unknown': None}
    shown = lines(code=code)
    assert shown[1] == 'code      code/a.py' and len(shown[2]) == 10 + explain_text.WIDEST
    assert shown[19] == '          … 14 more lines: tagrun diff a/0 b/0'
    short = lines(code={'files': {'code/a.py': ['+x'] * 18}, 'tool': [], 'unknown': None})
    assert short[19] == '            +x' and '…' not in ''.join(short)
    assert lines(code={'files': {}, 'tool': [], 'unknown': 'no commit'})[1] == 'code      no commit'


def test_data_that_the_seed_splits_are_no_difference_of_their_own():
    data = {'train': [SAMPLES, {**SAMPLES, 'digest': 'bb'}]}
    shown = lines(data=data, seed=[1, 2])
    assert shown[0].startswith('a/0 and b/0: they differ in seed,')
    assert shown[1] == 'data      train: 10 samples, aa -> 10 samples, bb'
    assert shown[2] == '          the seed also chooses the train/validation split'
    other = {'train': [SAMPLES, {'samples': 9, 'digest': 'bb'}]}
    assert not explain_text.is_split({**SAME, 'data': other, 'seed': [1, 2]})
    assert not explain_text.is_split({**SAME, 'data': data})
    assert not explain_text.is_split({**SAME, 'data': {'train': [7, None]}, 'seed': [1, 2]})


def test_where_they_part_has_both_values():
    difference = {'stream': 'loss', 'epoch': '2', 'step': '3', 'here': '0.5', 'there': '0.6'}
    [line] = [line for line in lines(first_difference=difference) if line.startswith('they part')]
    assert line == 'they part at step 3 of epoch 2: the loss (0.5 in a/0, 0.6 in b/0)'
    assert any('they part unknown' in line for line in lines(compared=[]))


def test_a_metric_is_judged_beside_the_noise():
    text = '\n'.join(lines(metric={'val/acc': METRIC}))
    assert '0.5000  0.7500     +0.2500  ± 0.0100 (4+1 seeds): more than seeds do' in text
    text = '\n'.join(lines(metric={'val/acc': {**METRIC, 'more_than_seeds': False}}))
    assert 'as much as seeds do' in text
    alone = {**METRIC, 'noise': None, 'more_than_seeds': None, 'difference': 0, 'seeds': [1, 1]}
    shown = lines(metric={f'm{number}': alone for number in range(9)})
    assert '          … 1 more: --json has them' in shown
    assert '          the noise of the seed is not known: `rerun a/0 --seeds 4` shows it' in shown


def test_what_is_unknown_is_not_called_the_same():
    shown = lines(surroundings_known=False)
    assert shown[-2] == 'the same  code, config, seed, inputs'
    assert shown[-1] == (
        'unknown   packages, hardware, settings, data: one of the two has no environment.json'
    )


def test_inputs_come_before_all_else():
    shown = lines(
        inputs={'pre/0': [None, 'x']},
        code={'files': {'code/model.py': ['+ a']}, 'tool': [], 'unknown': None},
        config={'lr': [1, 2]},
        compared=[],
    )
    assert shown[0].startswith('a/0 and b/0: they differ in inputs, code, lr')
    assert shown[1] == 'inputs    pre/0: absent -> x' and shown[2].startswith('code ')
