"""core/launch/training_process.py: the process of a training or an evaluation, and its end."""

import signal

import pytest

from tagrun.core.launch import training_process
from tagrun.core.launch.ownership import Owned
from tagrun.store import lock, run_json, statistic

MAIN = """\
import os, sys
from pathlib import Path
folder = Path(os.environ['TAGRUN_RUN'])
print('to stdout', flush=True)
seen = f"{os.getcwd()}|{os.environ['PYTHONHASHSEED']}|{sys.dont_write_bytecode}"
(folder / 'seen').write_text(seen)
sys.exit(int((folder / 'exit').read_text()))
"""


@pytest.fixture
def folder(root):
    """A run t1/0 whose main.py ends with the code in its file `exit`."""
    path = root / '__result__' / 't1' / '0'
    (path / 'code').mkdir(parents=True)
    (path / 'code' / 'main.py').write_text(MAIN)
    (path / 'exit').write_text('0')
    return path


def info(folder, **more):
    content = run_json.build(folder.parents[2], 't1', 0, 'c' * 40, 7, **more)
    run_json.write(folder, content)
    return content


def test_main_py_of_the_frozen_code_runs_in_the_project(root, folder, capfd, monkeypatch):
    monkeypatch.delenv('PYTHONDONTWRITEBYTECODE', raising=False)
    with Owned(folder) as owned:
        assert training_process.train(root, folder, owned, seed=7) == 0
    assert (folder / 'seen').read_text() == f'{root}|7|False'
    assert capfd.readouterr().out == 'to stdout\n'


def test_an_evaluation_has_the_runs_code_and_leaves_stdout_and_bytecode_alone(
    root, folder, capfd, monkeypatch
):
    monkeypatch.delenv('PYTHONDONTWRITEBYTECODE', raising=False)
    own = folder / 'evaluation' / '0'
    own.mkdir(parents=True)
    (own / 'exit').write_text('3')
    with Owned(own) as owned:
        assert training_process.train(root, folder, owned, seed=7) == 3
    assert (own / 'seen').read_text() == f'{root}|7|True' and not (folder / 'seen').exists()
    out, error = capfd.readouterr()
    assert (out, error) == ('', 'to stdout\n')


@pytest.mark.parametrize(
    'code, status, expected, message',
    [
        (1, statistic.RUNNING, statistic.FAILED, 'ended with exit code 1; the reason was printed'),
        (0, statistic.FINISHED, statistic.FINISHED, None),
        (1, statistic.INTERRUPTED, statistic.INTERRUPTED, None),
        (-9, statistic.RUNNING, statistic.KILLED, None),
    ],
)
def test_how_it_ended_is_written_where_training_could_not(folder, code, status, expected, message):
    statistic.write(folder, {'run': 't1/0', 'status': status})
    written = training_process.write_ending(folder, info(folder), code)
    assert written == (137 if code < 0 else code)
    assert statistic.state(folder) == expected
    assert statistic.read(folder).get('message') == message


def test_a_training_that_wrote_nothing_reads_as_failed(folder):
    training_process.write_ending(folder, info(folder), 4)
    content = statistic.read(folder)
    assert (content['status'], content['run'], content['seed']) == ('failed', 't1/0', 7)


def test_who_owns_the_run_is_seen(folder):
    assert not training_process.is_still_owned(folder, 1)
    held = lock.Lock(folder)
    assert training_process.is_still_owned(folder, 1)
    held.release()


def test_the_last_words_of_a_crash_are_shown_and_those_of_a_kill_are_not(folder, capsys):
    (folder / 'log').write_text('10:00:00 one\n10:00:01 Segmentation\n')
    training_process.say_last_words(folder, info(folder), -9)
    assert capsys.readouterr().err == ''
    training_process.say_last_words(folder, info(folder), -11)
    assert capsys.readouterr().err == (
        'tagrun: t1/0 died of SIGSEGV; its log ends:\n  one\n  Segmentation\n'
    )


@pytest.mark.parametrize(
    'status, code, expected',
    [
        (statistic.INTERRUPTED, 1, statistic.FAILED),
        (statistic.PRUNED, 3, statistic.FAILED),
        (statistic.INTERRUPTED, training_process.RESUMABLE, statistic.INTERRUPTED),
        (statistic.FINISHED, 1, statistic.FINISHED),
    ],
)
def test_a_start_that_wrote_nothing_changes_status_and_message_alone(
    folder, status, code, expected
):
    before = {'run': 't1/0', 'status': status, 'message': 'stopped', 'metric': {'val/acc': 0.5}}
    statistic.write(folder, before)
    training_process.write_ending(folder, info(folder), code, statistic.read(folder))
    content = statistic.read(folder)
    assert content['status'] == expected and content['metric'] == before['metric']
    assert (content['message'] != 'stopped') == (status != expected)


@pytest.mark.parametrize(
    'code, failed', [(1, True), (3, True), (-11, True), (0, False), (75, False), (130, False)]
)
def test_a_failure_is_neither_an_end_nor_a_stop_nor_a_kill(code, failed):
    assert training_process.failed_by_itself(code) is failed
    assert not training_process.failed_by_itself(-9) and not training_process.failed_by_itself(-15)


@pytest.mark.parametrize(
    'number, asked, code',
    [
        (signal.SIGKILL, [], 137),
        (signal.SIGSEGV, [], 139),
        (signal.SIGTERM, [], 75),
        (signal.SIGINT, [], 130),
        (signal.SIGKILL, [signal.SIGTERM], 75),
        (signal.SIGKILL, [signal.SIGTERM, signal.SIGINT], 130),
        (signal.SIGUSR1, [signal.SIGUSR1], 75),
    ],
)
def test_stopped_as_asked_and_killed_have_codes_of_their_own(number, asked, code):
    assert training_process.code_of_signal(number, asked) == code


@pytest.mark.parametrize('asked, expected', [([signal.SIGINT], 'interrupted'), ([], 'running')])
def test_what_was_stopped_before_it_could_save_is_interrupted(folder, asked, expected):
    statistic.write(folder, {'run': 't1/0', 'status': 'running'})
    training_process.write_ending(folder, info(folder), -signal.SIGKILL, asked=asked)
    assert statistic.read(folder)['status'] == expected
