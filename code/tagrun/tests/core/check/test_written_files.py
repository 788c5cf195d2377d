"""core/check/written_files.py: which files of the project a training wrote."""

import os

from tagrun.core.check import written_files


def test_new_and_changed_files_are_named_outside_code_data_and_runs(tmp_path):
    for folder in ('code', '__data__', '__result__/t1', 'logs', '.git'):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / 'same.txt').write_text('x')
    (tmp_path / 'logs' / 'log.txt').write_text('x')
    before = written_files.look(tmp_path)
    assert set(before) == {'same.txt', os.path.join('logs', 'log.txt')}
    for name in ('code/x', '__data__/x', '__result__/t1/x', '.git/x', '.x', 'cache.pt'):
        (tmp_path / name).write_text('x')
    (tmp_path / 'logs' / 'log.txt').write_text('xy')
    after = written_files.look(tmp_path)
    assert written_files.changed(before, after) == ['cache.pt', os.path.join('logs', 'log.txt')]


def test_it_looks_at_a_limited_number_of_files(tmp_path, monkeypatch):
    monkeypatch.setattr(written_files, 'MOST', 3)
    for number in range(5):
        (tmp_path / str(number)).touch()
    assert len(written_files.look(tmp_path)) == 3
