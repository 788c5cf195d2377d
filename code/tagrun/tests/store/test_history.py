"""store/history.py: one line an epoch."""

import pytest

from tagrun.store import history


def test_a_history_keeps_every_digit_and_new_columns(tmp_path):
    rows = [
        {'epoch': 1, 'val/acc': 1 / 3, 'seconds': 0.1},
        {'epoch': 2, 'val/acc': float('nan'), 'val/f1': 1e-300, 'seconds': 0.2},
    ]
    history.write(tmp_path, rows)
    assert (tmp_path / 'history.csv').read_text().splitlines()[0] == 'epoch,val/acc,val/f1,seconds'
    read = history.read(tmp_path)
    assert (
        float(read[0]['val/acc']) == 1 / 3
        and read[0]['val/f1'] == ''
        and read[1]['val/acc'] == 'nan'
        and float(read[1]['val/f1']) == 1e-300
    )


def test_a_history_that_grows_is_the_same_text_as_one_that_is_written_at_once(tmp_path):
    rows = [
        {'epoch': 1, 'a': 0.5, 'seconds': 0.1},
        {'epoch': 2, 'a': 0.25, 'seconds': 0.2},
        {'epoch': 3, 'b': 1.5, 'a': 2.0, 'seconds': 0.3},
        {'epoch': 4, 'a': 1.0, 'seconds': 0.4},
    ]
    text, whole = history.Text(), history.Text()
    assert (
        [text.of(rows[:count]) for count in range(1, 5)][-1]
        == whole.of(rows)
        == 'epoch,a,b,seconds\n1,0.5,,0.1\n2,0.25,,0.2\n3,2.0,1.5,0.3\n4,1.0,,0.4\n'
    )


def test_seconds_are_last_and_an_empty_history_has_a_head(tmp_path):
    assert history.Text().of([]) == 'seconds\n'
    assert history.Text().of([{'seconds': 1, 'a': 2}]) == 'a,seconds\n2,1\n'


def test_what_is_not_csv_is_a_value_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        history.read(tmp_path)
    (tmp_path / history.NAME).write_text('epoch,a\n1,' + 'x' * 200_000)
    with pytest.raises(ValueError, match='not CSV'):
        history.read(tmp_path)
