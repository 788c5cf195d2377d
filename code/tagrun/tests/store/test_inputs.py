"""store/inputs.py: what run.json may say of the files that a run takes."""

import os

import pytest

from tagrun.store import checkpoints, inputs, run_json
from tagrun.store.inputs import CHECKPOINT, CODE, WEIGHTS, Input
from tagrun.store.run_ref import RunRef

SHA = 'a' * 64
PRE = RunRef('pre', 0)
GOOD = {'file': 'epoch_3.pth', 'sha256': SHA, 'what': 'weights'}


def test_what_is_recorded_comes_back():
    some = [
        Input(PRE, 'epoch_3.pth', SHA, CHECKPOINT, asked=('last',)),
        Input(PRE, 'epoch_5_train_20.pth', SHA, CODE),
        Input(None, 'weights/a b.pth', SHA, WEIGHTS, strict=False),
        Input(None, '/elsewhere/x.safetensors', SHA, WEIGHTS),
    ]
    record = inputs.dump(some)
    assert list(record) == [
        'pre/0',
        'pre/0:epoch_5_train_20.pth',
        'weights/a b.pth',
        '/elsewhere/x.safetensors',
    ]
    assert inputs.parse(record) == some
    assert record['pre/0'] == {
        'file': 'epoch_3.pth',
        'sha256': SHA,
        'what': 'checkpoint',
        'asked': ['last'],
    }
    assert inputs.names(record).startswith('pre/0:epoch_3.pth, pre/0:epoch_5_train_20.pth, weigh')


HOSTILE = [
    ('a list', [], 'not an object of inputs'),
    ('a text', 'pre/0', 'not an object of inputs'),
    ('not an object', {'pre/0': 'epoch_3.pth'}, "'pre/0' is not an object"),
    ('a file out of the folder', {'pre/0': {**GOOD, 'file': '../x.pth'}}, 'not a checkpoint'),
    ('another name', {'pre/0': {**GOOD, 'file': 'id_rsa'}}, 'not a checkpoint of a run'),
    ('a number', {'pre/0': {**GOOD, 'file': 3}}, 'not a checkpoint of a run'),
    ('no run', {'../..': GOOD}, 'not a checkpoint of a run'),
    ('an option', {'--help/0': GOOD}, 'not a checkpoint of a run'),
    ('no id', {'pre': GOOD}, 'not a checkpoint of a run'),
    ('another file', {'pre/0:epoch_4.pth': GOOD}, 'not a checkpoint of a run'),
    ('a link up', {'../x.pth': {**GOOD, 'file': '../x.pth'}}, 'not the path of a file'),
    ('dots within', {'a/../x': {**GOOD, 'file': 'a/../x'}}, 'not the path of a file'),
    ('a folder', {'x/': {**GOOD, 'file': 'x/'}}, 'not the path of a file'),
    ('no path', {'': {**GOOD, 'file': ''}}, 'not the path of a file'),
    ('a NUL', {'x\0': {**GOOD, 'file': 'x\0'}}, 'not the path of a file'),
    ('an escape', {'x\x1b[2J': {**GOOD, 'file': 'x\x1b[2J'}}, 'not the path of a file'),
    ('a long path', {'x' * 9999: {**GOOD, 'file': 'x' * 9999}}, 'not the path of a file'),
    ('a short digest', {'pre/0': {**GOOD, 'sha256': 'a' * 63}}, 'not a SHA-256'),
    ('capitals', {'pre/0': {**GOOD, 'sha256': 'A' * 64}}, 'not a SHA-256'),
    ('no digest', {'pre/0': {'file': 'epoch_3.pth', 'what': 'weights'}}, 'not a SHA-256'),
    ('an unknown use', {'pre/0': {**GOOD, 'what': 'run'}}, 'not one of checkpoint, weights, code'),
    ('a list as use', {'pre/0': {**GOOD, 'what': []}}, 'not one of checkpoint, weights, code'),
    ('strict as text', {'pre/0': {**GOOD, 'strict': 'no'}}, 'not true or false'),
    ('a word', {'pre/0': {**GOOD, 'asked': ['worst']}}, 'other words than best and last'),
    ('words', {'pre/0': {**GOOD, 'asked': 'best'}}, 'other words than best and last'),
    ('nested words', {'pre/0': {**GOOD, 'asked': [['best']]}}, 'other words than best and last'),
    ('many', {f'pre/{number}': GOOD for number in range(1001)}, 'not an object of inputs'),
]


@pytest.mark.parametrize(
    'record, reason', [case[1:] for case in HOSTILE], ids=[case[0] for case in HOSTILE]
)
def test_anything_else_is_refused_with_a_reason_and_nothing_is_opened(
    tmp_path, monkeypatch, record, reason
):
    folder = tmp_path / '__result__' / 'fine' / '0'
    folder.mkdir(parents=True)
    info = run_json.build(tmp_path, 'fine', 0, 'c' * 40, 1)
    run_json.write(folder, {**info, 'inputs': record})
    content = (folder / 'run.json').read_bytes()

    def opened(*arguments, **_):
        raise AssertionError(f'opened {arguments}')

    monkeypatch.setattr(run_json.jsonfile.safe_read, 'read_bytes', lambda _: content)
    monkeypatch.setattr(os, 'open', opened)
    with pytest.raises(ValueError, match=reason) as refused:
        run_json.read(folder)
    assert len(str(refused.value)) < 200 and str(refused.value).isprintable()
    assert inputs.known(record) == []


def test_keys_of_later_versions_are_no_harm_and_an_older_run_has_no_inputs(tmp_path):
    assert inputs.parse({'pre/0': {**GOOD, 'more': 1}}) == [Input(PRE, 'epoch_3.pth', SHA, WEIGHTS)]
    folder = tmp_path / '__result__' / 'old' / '0'
    folder.mkdir(parents=True)
    info = run_json.build(tmp_path, 'old', 0, 'c' * 40, 1)
    del info['inputs']
    run_json.write(folder, info)
    assert inputs.known(run_json.read(folder).get('inputs')) == []


def test_a_word_means_what_is_recorded_for_it():
    best = Input(PRE, 'epoch_3.pth', SHA, CODE, asked=('best',))
    other = Input(PRE, 'epoch_5.pth', SHA, CODE)
    file = Input(None, 'x.pth', SHA, CODE)
    some = [best, other, file]
    for word in ('best', '3', 'epoch_3', 'epoch_3.pth'):
        assert inputs.matching(some, PRE, word) == best
    assert inputs.matching(some, PRE, '5') == other
    assert inputs.matching(some, PRE, 'last') is None
    assert inputs.matching(some, RunRef('pre', 1), 'best') is None
    assert inputs.matching(some, None, 'x.pth') == file
    assert inputs.matching(some, None, 'epoch_3.pth') is None


def test_the_file_of_an_input_is_the_one_with_its_digest(tmp_path):
    folder = PRE.folder(tmp_path)
    (folder / checkpoints.FOLDER).mkdir(parents=True)
    each = Input(PRE, 'epoch_3.pth', SHA, WEIGHTS)
    assert each.path(tmp_path) is None
    for name in ('epoch_3.pth', 'epoch_3_aaaaaaaa.pth'):
        (folder / checkpoints.FOLDER / name).write_bytes(b'')
    checkpoints.write_sums(folder, {'epoch_3_aaaaaaaa.pth': SHA, 'epoch_3.pth': 'b' * 64})
    assert each.path(tmp_path).name == 'epoch_3_aaaaaaaa.pth'
    checkpoints.write_sums(folder, {'epoch_3.pth': 'b' * 64})
    assert each.path(tmp_path).name == 'epoch_3.pth'
    assert Input(None, 'x.pth', SHA, WEIGHTS).path(tmp_path) is None


def test_how_inputs_were_asked_for_makes_no_difference_and_their_order_neither():
    one, other = Input(PRE, 'epoch_3.pth', SHA, WEIGHTS), Input(None, 'x.pth', SHA, CODE)
    assert inputs.contents([one, other]) == inputs.contents([other, one._replace(asked=('best',))])
    assert inputs.contents([one]) != inputs.contents([one._replace(sha256='b' * 64)])
