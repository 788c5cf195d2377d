"""core/launch/evaluation_verdict.py: an evaluation that was made again, compared with the first."""

import pytest
from run_factory import run

from tagrun.core.launch import evaluation_verdict
from tagrun.store import confusion, evaluations, jsonfile, run_json, safe_read, statistic

METRIC = {'test/loss': 0.25, 'test/acc': 0.9, 'test/odd': 'nan'}
DATA = {'test': {'samples': 1000, 'digest': '5d0c6a9f'}}


@pytest.fixture
def folders(root):
    """Two evaluations of t1/0 that are the same, the second one an exact rerun of the first."""
    run_folder = run(root, 't1/0')
    return [_evaluation(run_folder, rerun_of) for rerun_of in (None, 0)]


def _evaluation(run_folder, rerun_of):
    number, folder = evaluations.claim(run_folder)
    request = {'id': number, 'checkpoint': 'epoch_3.pth', 'sha256': 'f' * 64, 'rerun_of': rerun_of}
    content = run_json.build('/root', 't1', 0, 'c' * 40, 7, evaluate=request)
    run_json.write(folder, content)
    statistic.write(
        folder,
        {
            'run': 't1/0',
            'status': 'finished',
            'metric': METRIC,
            'hparam': {'lr': 0.1},
            'digest': {'weights': 'e' * 64},
        },
    )
    jsonfile.write(folder / 'environment.json', {'torch': '2.13.0', 'data': DATA})
    confusion.write(folder, 3, {'test/confusion': (None, [[3, 1], [0, 4]])})
    return folder


def verdict(root, folder):
    return evaluation_verdict.report(root, folder, run_json.read(folder))


def change(folder, **values):
    statistic.write(folder, {**statistic.read(folder), **values})


def test_the_same_is_said_so_and_written(root, folders, capsys):
    assert verdict(root, folders[1]) == 0
    said = capsys.readouterr().err
    assert said == 'the same as t1/0/evaluation/0, bit for bit: 3 metrics\n'
    assert run_json.read(folders[1])['verdict'] == {'same': True}


@pytest.mark.parametrize(
    'changed, stream',
    [
        ({'metric': {**METRIC, 'test/acc': 0.9000000000000001}}, 'test/acc'),
        ({'metric': {**METRIC, 'test/odd': 1.0}}, 'test/odd'),
        ({'metric': {'test/loss': 0.25}}, 'test/acc'),
        ({'digest': {'weights': 'd' * 64}}, 'weights'),
    ],
)
def test_the_first_value_that_differs_is_named(root, folders, capsys, changed, stream):
    change(folders[1], **changed)
    assert verdict(root, folders[1]) == evaluation_verdict.DIFFERS
    assert f'not the same as t1/0/evaluation/0: {stream} (' in capsys.readouterr().err
    written = run_json.read(folders[1])['verdict']
    assert not written['same'] and written['first_difference']['stream'] == stream


def test_counts_of_a_matrix_are_compared_too(root, folders):
    confusion.write(folders[1], 3, {'test/confusion': (None, [[3, 1], [1, 3]])})
    assert verdict(root, folders[1]) == evaluation_verdict.DIFFERS
    difference = run_json.read(folders[1])['verdict']['first_difference']
    assert difference['stream'] == 'test/confusion'


def test_what_differs_in_the_surroundings_is_said(root, folders, capsys):
    other = {'test': {'samples': 1000, 'digest': '00000000'}}
    jsonfile.write(folders[1] / 'environment.json', {'torch': '2.14.0', 'data': other})
    change(folders[1], metric={**METRIC, 'test/loss': 0.5})
    assert verdict(root, folders[1]) == 3
    said = capsys.readouterr().err
    assert 'test/loss (0.5 here, 0.25 there)' in said
    assert 'torch: 2.13.0 there, 2.14.0 here' in said and 'data test: 1000 samples' in said
    assert set(run_json.read(folders[1])['verdict']['differs']) == {'packages', 'data'}


def test_where_nothing_recorded_differs_there_is_a_guess(root, folders, capsys):
    change(folders[1], metric={**METRIC, 'test/loss': 0.5})
    assert verdict(root, folders[1]) == 3
    assert 'nothing recorded differs: something that is not recorded' in capsys.readouterr().err


def test_without_a_finished_first_one_there_is_no_verdict(root, folders, capsys):
    change(folders[0], status='failed')
    assert verdict(root, folders[1]) == 0
    assert 'did not finish: there is nothing to compare with' in capsys.readouterr().err
    assert 'verdict' not in run_json.read(folders[1])


def broken_reads(monkeypatch, name, times):
    """Let the next `times` reads of a file of the second evaluation fail."""
    left, real = [times], safe_read.open_file

    def open_file(path):
        if str(path).endswith(f'1/{name}'):
            left[0] -= 1
            if left[0] >= 0:
                raise OSError(5, 'Input/output error')
        return real(path)

    monkeypatch.setattr(safe_read, 'open_file', open_file)


@pytest.mark.parametrize('name', ['statistic.json', 'confusion.json'])
def test_a_read_that_fails_is_no_difference(root, folders, monkeypatch, capsys, name):
    with monkeypatch.context() as moment:
        broken_reads(moment, name, 1)
        assert verdict(root, folders[1]) == 0
    broken_reads(monkeypatch, name, 99)
    assert verdict(root, folders[1]) == 1
    said = capsys.readouterr().err
    assert f'evaluation/1/{name} cannot be read (Input/output error)' in said
    assert 'not the same' not in said
