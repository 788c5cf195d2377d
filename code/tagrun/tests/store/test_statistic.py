"""store/statistic.py: the content of statistic.json, of today's runs and of older ones, and what a
run is doing.
"""

import pytest

from tagrun.store import jsonfile, lock, statistic


@pytest.mark.parametrize(
    'content', [b'', b'{', b'[]', b'"x"', b'\xff\xfe', b'[' * 100_000, b'{"metric": 1}']
)
def test_what_is_no_json_of_ours_is_a_value_error(tmp_path, content):
    (tmp_path / 'statistic.json').write_bytes(content)
    with pytest.raises(ValueError):
        statistic.read(tmp_path)


def test_a_run_that_says_running_and_is_dead_was_killed(tmp_path):
    assert statistic.state(tmp_path) == 'created'
    statistic.write(tmp_path, {'status': 'running'})
    assert statistic.state(tmp_path) == 'killed'
    held = lock.Lock(tmp_path)
    assert statistic.state(tmp_path) == 'running'
    held.release()
    statistic.write(tmp_path, {'status': 'finished'})
    assert statistic.state(tmp_path) == 'finished'


def test_an_older_runs_watch_and_mode_are_read_as_monitor_and_monitor_mode(tmp_path):
    jsonfile.write(tmp_path / statistic.NAME, {'watch': 'val/loss', 'mode': 'min'})
    content = statistic.read(tmp_path)
    assert content['monitor'] == 'val/loss' and content['monitor_mode'] == 'min'
    assert 'watch' not in content and 'mode' not in content


def test_the_new_key_wins_where_a_file_has_both(tmp_path):
    jsonfile.write(tmp_path / statistic.NAME, {'watch': 'val/loss', 'monitor': 'val/acc'})
    assert statistic.read(tmp_path)['monitor'] == 'val/acc'


def test_what_a_file_lacks_is_there_when_it_is_read(tmp_path):
    jsonfile.write(tmp_path / statistic.NAME, {})
    content = statistic.read(tmp_path)
    assert content == {**{key: {} for key in statistic.OBJECTS}, 'status': statistic.KILLED}


def test_what_cannot_be_read_is_none(tmp_path):
    assert statistic.read_or_none(tmp_path) is None
    (tmp_path / statistic.NAME).write_text('{"time": 3}')
    assert statistic.read_or_none(tmp_path) is None
    statistic.write(tmp_path, {'status': 'finished'})
    assert statistic.read_or_none(tmp_path) == statistic.read(tmp_path)


def test_a_run_that_was_fetched_is_taken_at_its_word(tmp_path):
    statistic.write(tmp_path, {'status': 'running', 'fetched_from': 'origin'})
    assert statistic.state(tmp_path) == 'running'


def test_a_run_that_just_started_runs(tmp_path):
    held = lock.Lock(tmp_path)
    assert statistic.state(tmp_path) == 'running'
    held.release()
    assert statistic.state(tmp_path) == 'created'


def test_progress_is_the_epoch_of_all_or_alone_where_there_is_no_last_one():
    assert statistic.progress({'epoch': 3, 'epochs': 60}) == '3/60'
    assert statistic.progress({'epoch': 3, 'epochs': None}, ' of ') == '3'
    assert statistic.progress({'epoch': 3}) == '3/?' and statistic.progress({}) == ''


def test_only_a_finished_run_whose_hook_failed_says_so():
    failed = {'status': 'finished', 'message': f'{statistic.HOOK_FAILED}: OSError: no room'}
    assert statistic.hook_failed(failed)
    assert not statistic.hook_failed({**failed, 'status': 'failed'})
    assert not statistic.hook_failed({**failed, 'message': 'imported from MLflow'})
    assert not statistic.hook_failed({'status': 'finished'})


@pytest.mark.parametrize('status', ['running', 'interrupted', 'failed', 'pruned', 'killed'])
def test_a_run_that_is_started_again_is_running_before_its_training_wrote_anything(
    tmp_path, status
):
    statistic.write(tmp_path, {'status': status})
    held = lock.Lock(tmp_path)
    assert statistic.state(tmp_path) == statistic.RUNNING
    held.release()
    expected = statistic.KILLED if status == 'running' else status
    assert statistic.state(tmp_path) == expected
