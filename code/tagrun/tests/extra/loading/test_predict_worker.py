"""predict_worker.py: rows of good files, the names of bad ones, and its exit codes."""

import csv
import io
import re

import numpy as np
import pytest
import torch

from tagrun.core.cli.messages import UserError
from tagrun.extra.loading import predict_worker
from tagrun.extra.loading.predict_worker import DONE, FAILED, SOME_BAD
from tagrun.extra.loading.row_writer import CSV


@pytest.fixture
def predict(trained, monkeypatch, tmp_path):
    """A function that returns (exit code, rows) of a run and paths."""
    monkeypatch.chdir(tmp_path)

    def predicted(run, *paths, file='epoch_2.pth', device=None):
        rows = io.StringIO()
        request = {'root': str(trained.root), 'run': run, 'file': file, 'paths': list(paths)}
        more = {'output': 'out.csv', 'kind': CSV, 'device': device, 'shows': True}
        code = predict_worker.predict({**request, **more}, rows)
        return code, list(csv.DictReader(io.StringIO(rows.getvalue())))

    return predicted


def test_the_rows_are_what_the_runs_model_says(predict, load):
    x = np.random.default_rng(1).normal(size=(30, 40)).astype('float32')
    np.save('a.npy', x)
    code, rows = predict('first/0', 'a.npy')
    with torch.no_grad():
        expected = load('first/0', 'epoch_2.pth').model(torch.from_numpy(x)).softmax(1)
    found = torch.tensor([[float(row[f'p{digit}']) for digit in range(10)] for row in rows])
    assert code == DONE and torch.equal(found, expected)
    assert [int(row['digit']) for row in rows] == expected.argmax(1).tolist()
    _, others = predict('first/0', 'a.npy', file='epoch_1.pth', device='cpu')
    assert others[0]['p0'] != rows[0]['p0']


def test_each_bad_file_is_named_and_the_others_go_on(predict, capsys):
    x = np.ones((1100, 40))
    np.save('good.npy', x)
    x[1050, 7] = np.nan
    np.save('nan.npy', x)
    np.save('wide.npy', np.ones((2, 41)))
    open('empty.csv', 'w').close()
    names = ['missing.npy', 'nan.npy', 'wide.npy', 'empty.csv', 'good.npy', 'a.png', '.']
    code, rows = predict('first/0', *names)
    assert code == SOME_BAD and [row['file'] for row in rows[1000:]] == ['good.npy'] * 1100
    *said, last = capsys.readouterr().err.splitlines()
    assert said == [
        'tagrun: missing.npy: No such file or directory',
        'tagrun: nan.npy: it has a NaN or an infinite value; the 1,000 rows before it are written',
        'tagrun: wide.npy: its shape is (2, 41); (40,) or (N, 40) is read',
        'tagrun: empty.csv: it has no signal',
        'tagrun: a.png: neither .npy nor .csv',
        'tagrun: .: neither .npy nor .csv',
    ]
    assert re.fullmatch(
        r'out\.csv: 2,100 rows, [\d,]+ a second, of 7 files, in \d+\.\d s; 6 bad files', last
    )


def test_without_a_row_nothing_counts(predict, capsys):
    assert predict('first/0', 'missing.npy') == (FAILED, [])
    assert 'not one row came out of 1 file: out.csv is not written' in capsys.readouterr().err


def test_it_is_the_runs_own_predict_with_its_own_modules(predict):
    code, rows = predict('second/0', 'a', 'b')
    assert code == DONE and rows == [
        {'file': name, 'hidden': '8', 'training': 'False', 'x': '-3'} for name in 'ab'
    ]


def test_a_bug_is_shown_once_with_its_traceback_and_names_each_file(predict, capsys):
    code, rows = predict('second/0', 'a', 'bug', 'b', 'bug')
    said = capsys.readouterr().err
    assert code == SOME_BAD and [row['file'] for row in rows] == ['a', 'b']
    assert said.count('Traceback') == 1 and 'predict.py", line' in said
    assert 'predict_worker.py' not in said
    assert said.count("tagrun: bug: NameError: name 'undefined_name' is not defined") == 2


@pytest.mark.parametrize('device', ['abacus', 'cuda:99'])
def test_a_device_that_is_not_here_is_one_sentence(predict, device):
    with pytest.raises(UserError, match=f"the device '{device}' cannot be used: .*--device cpu"):
        predict('second/0', 'a', device=device)


def test_what_is_not_a_row_ends_it(predict):
    with pytest.raises(UserError, match='predict.py yielded a list; a row is a dict'):
        predict('second/0', 'list')


def test_files_that_it_did_not_ask_for_are_named(predict, capsys):
    code, rows = predict('second/0', 'early', 'b', 'c')
    assert code == SOME_BAD and len(rows) == 1
    assert 'tagrun: predict.py ended before b, c\n' in capsys.readouterr().err


def test_a_run_without_predict_py_is_one_sentence(trained, monkeypatch, predict):
    from tagrun.extra.loading.frozen_import import FrozenCode

    monkeypatch.setattr(FrozenCode, 'has', lambda *_: False)
    with pytest.raises(UserError, match=r"first/0: its code has no predict.py.*load\('first/0'\)"):
        predict('first/0', 'a.npy')
