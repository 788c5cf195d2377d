"""Names, layout, JSON, locks, statuses, histories, traces and checkpoint lists as they are on disk."""
import json
import math
import os
import subprocess
import sys

import pytest

from conftest import wait_for
from tagrun.store import checkpoints, history, jsonfile, layout, lock, names, run_json, statistic, trace


def test_a_run_name_is_two_parts_the_second_a_number():
    assert names.split_run('t1/12') == ('t1', 12) and names.split_run('t1') == ('t1', None) and names.split_run('scratch/0') == ('scratch', 0)
    for word in ('t1/', 't1/x', 't1/01', 't1/-1', 't1/0/1', '../0', '/abs/0', 't1/../..', '', 't1/9999999999'):
        assert names.split_run(word) is None, word


def test_ids_are_claimed_once_and_rise(tmp_path):
    (tmp_path / '__result__' / 't1' / 'notes').mkdir(parents=True)
    code = 'import sys; from tagrun.store import layout\nfor _ in range(25): print(layout.claim(sys.argv[1], "t1")[0])'
    env = {**os.environ, 'PYTHONPATH': str(layout.Path(layout.__file__).parents[2])}
    processes = [subprocess.Popen([sys.executable, '-c', code, tmp_path], env=env, stdout=subprocess.PIPE, text=True) for _ in range(8)]
    claimed = [int(line) for process in processes for line in process.communicate()[0].split()]
    assert sorted(claimed) == list(range(200)) == layout.numbers(tmp_path, 't1')


def test_json_is_strict_and_numbers_that_are_none_come_back(tmp_path):
    jsonfile.write(tmp_path / 'a.json', {'x': float('nan'), 'y': [float('inf'), (1, 2)], 'z': 0.1 + 0.2})
    text = (tmp_path / 'a.json').read_text()
    json.loads(text, parse_constant=lambda name: pytest.fail(f'{name} is no JSON'))
    read = jsonfile.read(tmp_path / 'a.json')
    assert math.isnan(jsonfile.number(read['x'])) and jsonfile.number(read['y'][0]) == math.inf and read['z'] == 0.1 + 0.2
    assert jsonfile.number(True) is None and jsonfile.number('1') is None


@pytest.mark.parametrize('content', [b'', b'{', b'[]', b'"x"', b'\xff\xfe', b'[' * 100_000, b'{"metric": 1}'])
def test_what_is_no_json_of_ours_is_a_value_error(tmp_path, content):
    (tmp_path / 'statistic.json').write_bytes(content)
    with pytest.raises(ValueError):
        statistic.read(tmp_path)


def test_the_lock_tells_who_and_is_free_when_its_owner_is_killed(tmp_path):
    code = f'import sys, time; sys.path.append({str(lock.Path(lock.__file__).parents[2])!r})\nfrom tagrun.store import lock\nheld = lock.Lock("."); print("taken", flush=True); time.sleep(60)'
    holder = subprocess.Popen([sys.executable, '-c', code], cwd=tmp_path, stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b'taken\n'
    assert lock.owner(tmp_path)['pid'] == holder.pid
    with pytest.raises(lock.Held, match=f'process {holder.pid}'):
        lock.Lock(tmp_path)
    holder.kill()
    holder.wait()
    assert lock.owner(tmp_path) is None
    lock.Lock(tmp_path).release()


def test_a_child_that_outlives_the_owner_does_not_hold_the_lock_on(tmp_path):
    code = (f'import os, sys, time; sys.path.append({str(lock.Path(lock.__file__).parents[2])!r})\nfrom tagrun.store import lock\nheld = lock.Lock(".")\n'
            'if os.fork() == 0: time.sleep(5); os._exit(0)\nprint("forked", flush=True); os.kill(os.getpid(), 9)')
    holder = subprocess.Popen([sys.executable, '-c', code], cwd=tmp_path, stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b'forked\n'
    holder.wait()
    wait_for(lambda: lock.owner(tmp_path) is None, timeout_s=4, what='the child to begin, and let go')
    assert holder.returncode == -9


def test_a_lock_that_is_a_link_is_refused(tmp_path):
    (tmp_path / 'canary').write_text('sings')
    (tmp_path / 'lock').symlink_to(tmp_path / 'canary')
    with pytest.raises(OSError):
        lock.Lock(tmp_path)
    assert (tmp_path / 'canary').read_text() == 'sings'


def test_a_run_that_says_running_and_is_dead_was_killed(tmp_path):
    assert statistic.state(tmp_path) == 'created'
    statistic.write(tmp_path, {'status': 'running'})
    assert statistic.state(tmp_path) == 'killed'
    held = lock.Lock(tmp_path)
    assert statistic.state(tmp_path) == 'running'
    held.release()
    statistic.write(tmp_path, {'status': 'finished'})
    assert statistic.state(tmp_path) == 'finished'


@pytest.mark.parametrize('content', [{}, {'contract': 1, 'tag': 't', 'id': '0', 'seed': 1}, {'contract': 1, 'tag': 't', 'id': 0}])
def test_a_run_json_that_lacks_a_key_is_refused(tmp_path, content):
    jsonfile.write(tmp_path / 'run.json', content)
    with pytest.raises(ValueError, match='is missing or wrong'):
        run_json.read(tmp_path)


def test_a_history_keeps_every_digit_and_new_columns(tmp_path):
    rows = [{'epoch': 1, 'val/acc': 1 / 3, 'seconds': 0.1}, {'epoch': 2, 'val/acc': float('nan'), 'val/f1': 1e-300, 'seconds': 0.2}]
    history.write(tmp_path, rows)
    assert (tmp_path / 'history.csv').read_text().splitlines()[0] == 'epoch,val/acc,val/f1,seconds'
    read = history.read(tmp_path)
    assert float(read[0]['val/acc']) == 1 / 3 and read[0]['val/f1'] == '' and read[1]['val/acc'] == 'nan' and float(read[1]['val/f1']) == 1e-300


def test_a_history_that_grows_is_the_same_text_as_one_that_is_written_at_once(tmp_path):
    rows = [{'epoch': 1, 'a': 0.5, 'seconds': 0.1}, {'epoch': 2, 'a': 0.25, 'seconds': 0.2}, {'epoch': 3, 'b': 1.5, 'a': 2.0, 'seconds': 0.3}, {'epoch': 4, 'a': 1.0, 'seconds': 0.4}]
    text, whole = history.Text(), history.Text()
    assert [text.of(rows[:count]) for count in range(1, 5)][-1] == whole.of(rows) == 'epoch,a,b,seconds\n1,0.5,,0.1\n2,0.25,,0.2\n3,2.0,1.5,0.3\n4,1.0,,0.4\n'


def test_the_first_difference_is_named_by_step_and_stream():
    one = ['1,1,aa,bb,2.5,', '1,2,aa,bb,2.25,', '1,,,,,cafe']
    assert trace.first_difference(one, one[:2]) is None
    assert trace.first_difference(one, [one[0], '1,2,aa,bc,2.25,'])['stream'] == 'batch'
    assert trace.first_difference(one, [one[0], '1,2,ab,bc,2.25,']) == {'epoch': '1', 'step': '2', 'stream': 'order', 'here': 'aa', 'there': 'ab'}
    assert trace.first_difference(one, one[:2] + ['1,,,,,babe'])['step'] == 'end'


def test_a_torn_last_line_of_a_trace_is_not_there_yet(tmp_path):
    (tmp_path / 'trace.csv').write_text(trace.HEADER + '1,1,aa,bb,2.5,\n1,2,a')
    assert trace.lines(tmp_path)[0] == ['1,1,aa,bb,2.5,']
    offset = trace.lines(tmp_path)[1]
    with open(tmp_path / 'trace.csv', 'a') as file:
        file.write('a,bb,2.25,\n')
    assert trace.lines(tmp_path, offset)[0] == ['1,2,aa,bb,2.25,']


def test_only_listed_checkpoints_that_are_there_count(tmp_path):
    place = tmp_path / 'checkpoint'
    place.mkdir()
    assert checkpoints.listed(tmp_path) == {} and checkpoints.newest(tmp_path) is None
    for name in ('epoch_1.pth', 'epoch_2.pth', 'epoch_3.pth'):
        (place / name).write_bytes(name.encode())
    checkpoints.write_sums(tmp_path, {name: checkpoints.digest(place / name) for name in ('epoch_1.pth', 'epoch_2.pth')})
    assert list(checkpoints.listed(tmp_path)) == ['epoch_1.pth', 'epoch_2.pth'] and checkpoints.newest(tmp_path) == 'epoch_2.pth'
    (place / 'epoch_2.pth').unlink()
    assert checkpoints.newest(tmp_path) == 'epoch_1.pth'
    (place / 'epoch_best.pth').symlink_to('epoch_2.pth')
    assert checkpoints.best(tmp_path) is None
