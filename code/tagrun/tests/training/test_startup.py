"""training/startup.py: what is loaded is shown while it is, and its seconds are in the log."""

import re
import sys
import threading
from contextlib import redirect_stderr

import pytest
from emulated_terminal import Terminal
from project_factory import wait_for

from tagrun.training import startup
from tagrun.training.log import Log
from tagrun.training.startup import Loading, Startup


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv('TERM', 'xterm-256color')
    monkeypatch.setattr(startup, 'TICK_S', 0.001)
    monkeypatch.setattr(startup, 'loaded', {})
    terminal = Terminal()
    yield terminal
    terminal.close()


def test_the_seconds_move_while_something_is_loaded_and_then_the_line_is_gone(terminal):
    before = threading.active_count()
    with redirect_stderr(terminal), Loading('torch'):
        wait_for(lambda: len(set(terminal.writes)) > 1, what='another time')
        assert terminal.rows()[0].startswith('loading torch  0.')
    assert terminal.rows() == [] and startup.loaded['torch'] > 0
    assert threading.active_count() == before


def test_a_failing_import_clears_the_line_too(terminal):
    with redirect_stderr(terminal), pytest.raises(ImportError), Loading('torch'):
        raise ImportError('no torch')
    assert terminal.rows() == []


def test_without_a_terminal_or_where_another_process_is_shown_nothing_is(terminal, monkeypatch):
    with redirect_stderr(terminal), Loading('torch', is_shown=False):
        pass
    monkeypatch.setenv('TERM', 'dumb')
    with redirect_stderr(terminal), Loading('torch'):
        pass
    assert terminal.writes == []


def test_data_and_model_are_shown_until_they_are_there_and_the_log_has_the_times(
    terminal, tmp_path
):
    startup.loaded['torch'] = 1.25
    with redirect_stderr(terminal):
        log = Log(tmp_path / 'log', times=False)
        begun = Startup(log)
        assert terminal.rows() == ['loading the data and the model …']
        print('read 3 files', file=sys.stderr)
        assert terminal.rows() == ['read 3 files', 'loading the data and the model …']
        begun.end()
        before, times = terminal.rows()
        assert before == 'read 3 files'
        assert re.fullmatch(r'loaded torch 1\.2 s, the data and the model \d+\.\d s', times)
        log.close()
    assert (tmp_path / 'log').read_text() == f'read 3 files\n{times}\n'


def test_a_run_that_fails_meanwhile_clears_the_screen(terminal, tmp_path):
    with redirect_stderr(terminal):
        log = Log(tmp_path / 'log')
        begun = Startup(log)
        begun.clear()
        log.close()
    assert terminal.rows() == []
