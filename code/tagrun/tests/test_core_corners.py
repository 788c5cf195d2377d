"""Corners of saving and resuming that no kill of the campaign is sure to meet, each met on purpose.

With test_saving.py and test_training_parts.py it is what lets bench/proof.py say how much of the saving core the tests take.
"""
import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import time
import types

import numpy as np
import pytest
import torch
from conftest import CODE
from test_saving import flip, resumed, saved
from torch.utils.data import DataLoader, TensorDataset

from tagrun.store import atomic, checkpoints, lock
from tagrun.training import checkpoint, run, seeding
from tagrun.training.run import Run
from tagrun.training.trace import EVERY, Trace, batch_digest
from tagrun.training.writer import Writer


def in_python(code, *arguments, **options):
    """Run code in a Python of its own that finds the tool; (exit code, stderr)."""
    done = subprocess.run([sys.executable, '-c', code, *arguments], env={**os.environ, 'PYTHONPATH': str(CODE)}, stderr=subprocess.PIPE, text=True,
                          timeout=120, **options)
    return done.returncode, done.stderr


# --- what is on disk ----------------------------------------------------------------------------------------------------

def test_a_pipe_under_a_lists_name_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / 'finished.txt')
    with pytest.raises(OSError, match='not a regular file'):
        atomic.append_line(tmp_path / 'finished.txt', 't1/0')


def test_a_pipe_under_the_sums_name_lists_nothing_and_what_cannot_be_read_is_an_error(tmp_path):
    (tmp_path / 'checkpoint').mkdir()
    os.mkfifo(tmp_path / 'checkpoint' / checkpoints.SUMS)
    assert checkpoints.listed(tmp_path) == {}
    with pytest.raises(OSError) as caught:
        checkpoints.listed(tmp_path / ('x' * 300))      # "there is none" would begin the run anew
    assert caught.value.errno == errno.ENAMETOOLONG


def test_an_owner_that_says_nothing_is_an_owner_and_a_lock_is_let_go_once(tmp_path):
    held = lock.Lock(tmp_path)
    os.truncate(tmp_path / lock.NAME, 0)
    assert lock.owner(tmp_path) == {}
    with pytest.raises(lock.Held):
        lock.Lock(tmp_path)
    held.release()
    held.release()
    assert lock.owner(tmp_path) is None


# --- checkpoints ----------------------------------------------------------------------------------------------------------

def test_a_name_that_is_saved_again_is_listed_once_as_the_newest(tmp_path):
    saved(tmp_path, 1, 2, 1)
    assert list(checkpoints.listed(tmp_path)) == ['epoch_2.pth', 'epoch_1.pth'] and resumed(tmp_path, 'epoch_1.pth') == 1


def test_where_no_checkpoint_is_whole_the_run_begins_anew_and_says_so(tmp_path, capsys):
    saved(tmp_path, 1, 2)
    for number in (1, 2):
        flip(tmp_path / 'checkpoint' / f'epoch_{number}.pth')
    assert resumed(tmp_path, 'epoch_2.pth') == 0
    assert 'no checkpoint is whole; training begins anew' in capsys.readouterr().err


def test_weights_digest_is_of_tensors_alone_and_sees_each():
    weights = {'w': torch.ones(3), 'extra': 'a string of get_extra_state'}
    digest = checkpoint.weights_digest(weights)
    assert digest == checkpoint.weights_digest({**weights, 'extra': 'another'}) != checkpoint.weights_digest({'w': torch.zeros(3)})


def test_what_torch_itself_cannot_write_is_its_own_error_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(torch, 'save', lambda *_: (_ for _ in ()).throw(RuntimeError('a bug of torch')))
    with pytest.raises(RuntimeError, match='a bug of torch'):
        saved(tmp_path, 1)
    assert checkpoints.listed(tmp_path) == {} and not list((tmp_path / 'checkpoint').iterdir())


# --- trace.csv --------------------------------------------------------------------------------------------------------------

def test_a_trace_is_written_by_the_thousand_and_ends_at_a_loss_that_is_no_number(tmp_path):
    trace = Trace(tmp_path, EVERY, stop_on_nan=True)
    trace.close()       # before it was opened: an error came first
    trace.open(0)
    for step in range(1, EVERY + 1):
        trace.step(1, step, 'aa', 'bb', 0.5)
    assert (tmp_path / 'trace.csv').read_text().count('\n') == EVERY + 1
    trace.step(1, EVERY + 1, 'aa', 'bb', torch.tensor(float('nan')))
    trace.step(1, EVERY + 2, 'aa', 'bb', 0.5)
    with pytest.raises(FloatingPointError, match=f'the loss is nan at step {EVERY + 1}, in epoch 1'):
        trace.show()
    assert (tmp_path / 'trace.csv').read_text().endswith(f'1,{EVERY + 1},aa,bb,nan,\n')


def test_a_batch_digest_reads_bfloat16_and_leaves_out_what_is_not_numbers_or_not_here():
    one = batch_digest(torch.ones(4, dtype=torch.bfloat16))
    assert one != batch_digest(torch.zeros(4, dtype=torch.bfloat16))
    assert batch_digest([np.array(['a', 'b']), torch.ones(2, device='meta'), torch.eye(2).to_sparse(), None]) == batch_digest([])


# --- the run ------------------------------------------------------------------------------------------------------------------

def test_all_tensors_of_a_batch_are_moved_and_all_else_passes():
    batch = {'x': (torch.ones(2), [torch.ones(3), 'a name']), 'n': 5}
    moved = run._moved(batch, torch.device('meta'))
    assert moved['x'][0].is_meta and moved['x'][1][0].is_meta and (moved['x'][1][1], moved['n']) == ('a name', 5)
    assert type(moved['x']) is tuple and type(moved['x'][1]) is list


def test_a_loader_without_a_length_has_none():
    assert run._length(iter([])) == 0 and run._length([1, 2]) == 2


def test_a_phase_without_a_loader_is_named():
    with pytest.raises(ValueError, match="phases has 'validate', but build_loaders gave only 'train', 'val'"):
        run._check_phases(['train', 'validate'], {'train': None, 'val': None})


def test_a_plain_loader_is_read_to_where_the_run_stood():
    """One that knows no epochs and no places: what was trained is read once more, and dropped."""
    here = types.SimpleNamespace(args=types.SimpleNamespace(seed=1), _random_state=None, _stream=lambda: (),
                                 _bars=types.SimpleNamespace(phase=lambda *_: None))
    loader = DataLoader(TensorDataset(torch.arange(10)), batch_size=2, shuffle=True)
    state = types.SimpleNamespace(epoch=3, batch=0)
    whole = [batch[0].tolist() for batch in Run._from_here(here, state, loader, 'train')]
    state.batch, here._random_state = 3, seeding.random_state()
    assert [batch[0].tolist() for batch in Run._from_here(here, state, loader, 'train')] == whole[3:] and here._random_state is None


def test_other_surroundings_than_at_the_first_start_are_named(tmp_path, capsys):
    here = types.SimpleNamespace(folder=tmp_path, device=torch.device('cpu'))
    Run._write_environment(here, {})
    assert capsys.readouterr().err == ''
    path = tmp_path / 'environment.json'
    path.write_text(json.dumps({**json.loads(path.read_text()), 'torch': '1.0.0'}))
    Run._write_environment(here, {})
    assert 'not as at the first start of this run: torch' in capsys.readouterr().err


@pytest.mark.parametrize('example, why', [({'x': 1}, ''), ((torch.ones(2, 3),), 'no graph in TensorBoard')])
def test_a_model_that_has_no_graph_is_trained_without_one(tmp_path, example, why):
    class Untraceable(torch.nn.Module):
        def forward(self, x):
            raise ValueError('not like this')
    logged = []
    here = types.SimpleNamespace(_writer=Writer(tmp_path, None), device=torch.device('cpu'), _log=types.SimpleNamespace(only_file=logged.append))
    Run._draw_graph(here, types.SimpleNamespace(model=Untraceable()), {'val': [example]})
    here._writer.close()
    assert why in ''.join(logged) and bool(logged) == bool(why)


def ended(folder, error, finish=None, wanted=None, report=None):
    """[status, Ending] of a run that leaves its block with `error`; `report` is still to come then."""
    found, background = [], checkpoint.Background()
    if report:
        background.submit(report, found)
        background._flying.clear()      # as Ctrl-C may, just after it was handed over
    stop = types.SimpleNamespace(wanted=wanted, leaving=lambda: None, now=lambda: run.Stop.now(stop))
    here = types.SimpleNamespace(_stop=stop, folder=folder, _closing=contextlib.ExitStack(), _background=background, _finish=finish,
                                 _end=lambda status, line: found.append(status), _leave=found.append)
    Run.__exit__(here, type(error), error, None)
    return found


def test_a_last_save_that_finds_no_room_fails_the_run(tmp_path):
    def finish():
        raise OSError(errno.ENOSPC, 'No space left on device')
    status, ending = ended(tmp_path, None, finish)
    assert status == ending.status == 'failed' and ending.code == 1 and 'No space left' in ending.text


def test_a_worker_that_the_same_signal_took_is_no_failure(tmp_path):
    """A scheduler signals every process of a job; what training meets then is the loss of a worker."""
    error = RuntimeError('DataLoader worker (pid 7) is killed by signal: Terminated.')
    assert ended(tmp_path, error, wanted=signal.SIGTERM)[1].code == 75
    assert ended(tmp_path, error)[1].code == 1


def test_how_it_ended_is_written_after_a_report_that_nobody_waits_for(tmp_path):
    def report(found):
        time.sleep(0.3)
        found.append('running')
    assert ended(tmp_path, KeyboardInterrupt(), wanted=signal.SIGINT, report=report)[:2] == ['running', 'interrupted']


# --- signals ---------------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('presses, code', [(1, 5), (2, 1), (4, 130)])
def test_a_second_ctrl_c_stops_at_once_and_two_more_cut_the_leaving_short(presses, code):
    """5: it asked and nothing more; 1: KeyboardInterrupt; 130: gone in the middle of what it says."""
    told = ('import os, signal, sys; from tagrun.training.signals import Stop\nstop = Stop()\n'
            f'try:\n    for _ in range({presses} - (2 if {presses} > 2 else 0)): os.kill(os.getpid(), signal.SIGINT)\n'
            f'except KeyboardInterrupt:\n    if {presses} == 2: sys.exit(1)\n    os.kill(os.getpid(), signal.SIGINT); os.kill(os.getpid(), signal.SIGINT)\nsys.exit(5)')
    assert in_python(told)[0] == code


def test_nohup_stays_nohup_in_training_and_in_its_workers():
    told = ('import os, signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\nfrom tagrun.training.signals import Stop\nstop = Stop()\n'
            'os.kill(os.getpid(), signal.SIGHUP); assert stop.wanted is None\nchild = os.fork()\nos.kill(os.getpid(), signal.SIGHUP)\n'
            'if not child: os._exit(3)\nassert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3')
    assert in_python(told)[0] == 0


def test_a_data_worker_outlives_sigterm_a_while_so_that_training_can_save():
    told = ('import os, signal; from tagrun.training import signals\nsignals.in_worker(0)\nsignals.WORKER_S = 1\n'
            'os.kill(os.getpid(), signal.SIGTERM); os.kill(os.getpid(), signal.SIGUSR1); print("alive", flush=True); signal.pause()')
    assert in_python(told)[0] == -signal.SIGALRM


@pytest.mark.parametrize('begun', [True, False], ids=['a worker', 'any process, to know that the test can fail'])
def test_a_worker_whose_training_went_while_it_took_a_batch_says_nothing(begun):
    told = ('import sys, time; from multiprocessing import process, resource_sharer; from multiprocessing.connection import Client\n'
            'from tagrun.training import signals\nif sys.argv[1] == "True": signals.in_worker(0)\nshared = resource_sharer.DupFd(0)\n'
            'Client(shared._id[0], authkey=process.current_process().authkey).close()\ntime.sleep(0.5)')
    assert in_python(told, str(begun)) == (0, '') if begun else 'EOFError' in in_python(told, str(begun))[1]


def test_a_worker_still_tells_of_every_other_error():
    told = 'from tagrun.training import signals\nsignals.in_worker(0)\nraise ValueError("a bug of mine")'
    code, said = in_python(told)
    assert code == 1 and 'ValueError: a bug of mine' in said
