"""training/import_failure.py: why main.py could not be imported stands in the log, too."""

import os
import subprocess
import sys

from project_factory import CODE

from tagrun.training import import_failure

FAIL = f"""
import sys; sys.path.append({str(CODE)!r})
from tagrun.training import import_failure
import_failure.keep_traceback()
raise ValueError('a broken slide rule')
"""


def fail(folder=None, stderr=subprocess.PIPE):
    environ = {name: value for name, value in os.environ.items() if name != 'TAGRUN_RUN'}
    if folder:
        environ['TAGRUN_RUN'] = str(folder)
    words = [sys.executable, '-c', FAIL]
    return subprocess.run(words, env=environ, stderr=stderr, text=True)


def test_the_screen_and_the_log_have_the_traceback(tmp_path):
    said = fail(tmp_path).stderr
    assert said.startswith('Traceback') and said.endswith('ValueError: a broken slide rule\n')
    assert (tmp_path / 'log').read_text() == said


def test_in_the_background_the_log_has_it_once(tmp_path):
    with open(tmp_path / 'log', 'a') as log:
        fail(tmp_path, log)
    assert (tmp_path / 'log').read_text().count('a broken slide rule') == 1


def test_by_hand_there_is_no_log(tmp_path):
    assert 'a broken slide rule' in fail().stderr and not list(tmp_path.iterdir())


def test_a_log_that_cannot_be_written_hides_nothing(tmp_path):
    assert 'a broken slide rule' in fail(tmp_path / 'gone').stderr


def test_outside_of_a_run_nothing_is_hooked(monkeypatch):
    monkeypatch.delenv('TAGRUN_RUN', raising=False)
    before = sys.excepthook
    import_failure.keep_traceback()
    assert sys.excepthook is before
