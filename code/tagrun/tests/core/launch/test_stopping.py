"""core/launch/stopping.py: who is asked to stop, and who is not."""

import socket

import pytest
from run_factory import run

from tagrun.core.cli.messages import UserError
from tagrun.core.launch import stopping
from tagrun.store import lock
from tagrun.store.run_ref import RunRef


def test_runs_that_nobody_trains_are_refused(tmp_path):
    run(tmp_path, 't1/0')
    with pytest.raises(UserError, match='not queued, and not training: t1/0'):
        stopping.stop(tmp_path, [RunRef('t1', 0)])


def test_a_training_of_another_machine_is_refused_with_where_it_is(tmp_path, monkeypatch):
    folder = run(tmp_path, 't1/0')
    monkeypatch.setattr(socket, 'gethostname', lambda: 'elsewhere')
    held = lock.Lock(folder)
    monkeypatch.undo()
    try:
        with pytest.raises(UserError, match='on elsewhere, which cannot be stopped from here'):
            stopping.stop(tmp_path, [RunRef('t1', 0)])
    finally:
        held.release()
