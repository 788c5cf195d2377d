"""What is read of a run's folder."""

import json

from tagrun.extra.report import run_files


def test_what_is_missing_or_damaged_is_empty(tmp_path):
    empty = run_files.RunFiles({}, {}, [], (None, {}), {})
    assert run_files.read(tmp_path) == empty
    for name in ('statistic.json', 'run.json', 'environment.json', 'confusion.json'):
        (tmp_path / name).write_text('[' * 5000)
    assert run_files.read(tmp_path) == empty


def test_the_files_of_a_run_are_read(tmp_path):
    (tmp_path / 'environment.json').write_text('{"python": "3.12"}')
    (tmp_path / 'history.csv').write_text('epoch,acc\n1,0.5\n')
    counts = {'epoch': 3, 'matrices': {'m': {'classes': ['a'], 'counts': [[1]]}}}
    (tmp_path / 'confusion.json').write_text(json.dumps(counts))
    files = run_files.read(tmp_path)
    assert files.environment == {'python': '3.12'}
    assert files.history == [{'epoch': '1', 'acc': '0.5'}]
    assert files.matrices == (3, {'m': (['a'], [[1]])})


def test_nothing_that_a_link_leads_to_is_read(tmp_path):
    (tmp_path / 'secret').write_text('{"python": "3.12"}\n')
    folder = tmp_path / 'run'
    folder.mkdir()
    for name in ('environment.json', 'history.csv', 'run.json', 'statistic.json', 'log'):
        (folder / name).symlink_to(tmp_path / 'secret')
    assert run_files.read(folder) == run_files.RunFiles({}, {}, [], (None, {}), {})
    assert run_files.log_end(folder, 100) is None


def test_the_end_of_a_log_begins_with_a_whole_line(tmp_path):
    (tmp_path / 'log').write_bytes(b'first\nsecond\nth\xffird\n')
    assert run_files.log_end(tmp_path, 100) == 'first\nsecond\nth\ufffdird'
    assert run_files.log_end(tmp_path, 10) == '…\nth\ufffdird'
    (tmp_path / 'log').unlink()
    assert run_files.log_end(tmp_path, 10) is None
