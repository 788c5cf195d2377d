"""training/data_split.py: another split of the same data, for a run that begins with another."""

import pytest

from tagrun.store import jsonfile, run_json
from tagrun.store.run_ref import RunRef
from tagrun.training import data_split

SOURCE = {'file': 'epoch_3.pth', 'sha256': 'a' * 64, 'what': 'weights'}


def data(train, val, test='t', samples=90):
    values = {'train': train, 'val': val, 'test': test}
    return {phase: {'samples': samples, 'digest': digest} for phase, digest in values.items()}


def made(root, tag, seed, content, **more):
    folder = RunRef(tag, 0).folder(root)
    folder.mkdir(parents=True)
    info = run_json.build(root, tag, 0, 'c' * 40, seed, **more)
    run_json.write(folder, info)
    jsonfile.write(folder / 'environment.json', {'data': content})
    return folder, info


@pytest.mark.parametrize(
    'one, other, phases',
    [
        (data('a', 'b'), data('c', 'd'), ['train', 'val']),
        (data('a', 'b'), data('a', 'b'), []),
        (data('a', 'b'), data('c', 'b'), []),
        (data('a', 'b'), data('a', 'd'), []),
        (data('a', 'b'), data('c', 'd', samples=91), []),
        (data('a', 'b'), {'train': 3, 'val': None}, []),
        ({}, data('a', 'b'), []),
    ],
)
def test_a_split_has_moved_where_as_many_samples_are_others(one, other, phases):
    assert data_split.moved(one, other) == phases


def test_it_is_said_once_for_each_run_with_what_to_type(tmp_path, capsys):
    made(tmp_path, 'pre', 7, data('a', 'b'))
    taken = {
        'pre/0': SOURCE,
        'pre/0:epoch_4.pth': {**SOURCE, 'file': 'epoch_4.pth'},
        'no/0': SOURCE,
    }
    folder, info = made(tmp_path, 'fine', 8, data('c', 'd'), inputs=taken)
    data_split.warn(tmp_path, folder, info)
    said = capsys.readouterr().err
    assert said.count('tagrun: train and val have as many samples as in pre/0, but others') == 1
    assert 'write its seed, 7, into\n  code/seed, and `run -f`\n' in said
    assert max(map(len, said.splitlines())) <= 80


def test_with_the_same_seed_or_other_data_nothing_is_said(tmp_path, capsys):
    made(tmp_path, 'pre', 7, data('a', 'b'))
    for tag, seed, content in (
        ('same', 7, data('c', 'd')),
        ('other', 8, data('c', 'd', samples=9)),
    ):
        folder, info = made(tmp_path, tag, seed, content, inputs={'pre/0': SOURCE})
        data_split.warn(tmp_path, folder, info)
    folder, info = made(tmp_path, 'none', 8, data('c', 'd'))
    data_split.warn(tmp_path, folder, info)
    assert capsys.readouterr().err == ''
