"""The process of `tagrun predict`: it runs the predict.py of a run's own code, and writes its rows.

    python -c 'from tagrun.extra.loading import predict_worker; predict_worker.main()'

A line of JSON comes on stdin:

    {"root": …, "run": "first/0", "file": "epoch_3.pth", "paths": […], "output": "out.csv",
     "kind": "csv", "device": null, "shows": true}

The rows go to stdout, and all that the code prints to stderr. The process ends when stdin is
closed, for then the command is gone.
"""

import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

from tagrun.core.cli.messages import UserError, duration, echo, plural
from tagrun.extra.loading import restored
from tagrun.extra.loading.loaded_run import LoadedRun
from tagrun.extra.loading.path_feed import PathFeed
from tagrun.extra.loading.row_writer import RowWriter
from tagrun.store.run_ref import RunRef

DONE, SOME_BAD, FAILED, CTRL_C = 0, 1, 3, 130  # exit codes; after the first two the rows count
GRACE_S = 3  # for the run's code to end after an interrupt
TERMINAL_S, LINE_S = 0.2, 10  # between two lines of progress
# what a file's content causes; anything else may be an error in the code, and is shown in full
OF_CONTENT = (OSError, ValueError, EOFError)


def main() -> None:
    """Do what stdin asks for, and end the process with its exit code."""
    code = FAILED
    request = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_command, daemon=True).start()
    rows = os.fdopen(os.dup(1), 'w', encoding='utf-8', newline='')
    os.dup2(2, 1)
    try:
        code = predict(request, rows)
    except KeyboardInterrupt:
        code = CTRL_C
    except UserError as error:
        echo(f'tagrun: {error}')
    except BrokenPipeError:  # `predict … | head -1`: nobody reads on
        code = DONE
    except Exception as error:
        _show(error)
    # what could not be written is not tried again at the end
    os.dup2(os.open(os.devnull, os.O_WRONLY), rows.fileno())
    sys.exit(code)


def predict(request: dict[str, Any], rows: TextIO) -> int:
    """Write the rows of all paths; return the exit code."""
    ref = RunRef.parse(request['run'])
    assert ref is not None
    run = LoadedRun(Path(request['root']), ref, request['file'])
    function = _function(run)
    model, args = _model(run, request['device']), run.args
    feed, writer = PathFeed(request['paths']), RowWriter(rows, request['kind'])
    report = _Report(feed, writer, request['shows'])
    while not feed.is_empty():
        # after a bad file it is called again, for the files that remain
        for row in _rows(lambda: function(model, args, feed), feed, report):
            _write(writer, row)
            report.show_progress()
    _flush(rows)
    return report.end(request['output'])


def _write(writer: RowWriter, row: Any) -> None:
    try:
        writer.write(row)
    except (TypeError, ValueError) as error:
        raise UserError(str(error)) from None
    except OSError as error:
        raise _unwritten(error) from None


def _flush(rows: TextIO) -> None:
    try:
        rows.flush()
    except OSError as error:
        raise _unwritten(error) from None


def _unwritten(error: OSError) -> Exception:
    """Return what to raise where rows cannot be written; a closed pipe is not an error."""
    if isinstance(error, BrokenPipeError):
        return error
    return UserError(f'the rows cannot be written: {error.strerror or error}')


def _function(run: LoadedRun) -> Any:
    """Return the function predict of the run's predict.py. Raises UserError."""
    if not run.code.has('predict'):
        raise UserError(
            f'{run.ref}: its code has no predict.py, which is optional. Write code/predict.py '
            f"before you train, or use load('{run.ref}').model in Python"
        )
    function = getattr(run.module('predict'), 'predict', None)
    if function is None:
        raise UserError(f'{run.ref}: its predict.py has no function predict(model, args, paths)')
    return function


def _model(run: LoadedRun, device: str | None) -> Any:
    """Return the run's model on a device; its state where it has several networks."""
    import torch

    torch.set_num_threads(getattr(run.args, 'threads', torch.get_num_threads()))
    device = device or getattr(run.args, 'device', 'auto')
    if device == 'auto':
        device = 'cuda' if torch.cuda.is_available() else 'cpu'
    model = run.only_network()
    networks = [model] if model is not None else restored.networks(run.state).values()
    try:
        for network in networks:
            network.to(device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition('\n')[0]
        raise UserError(
            f'the device {device!r} cannot be used: {reason}. E.g. --device cpu'
        ) from None
    return run.state if model is None else model


def _rows(begin: Callable[[], Any], feed: PathFeed, report: '_Report') -> Iterator[Any]:
    """Yield the rows that `begin()` has, up to the end or to a file that raises; it is named."""
    try:
        for row in begin():
            feed.count_row()
            yield row
        report.name_unread()
    except Exception as error:
        report.name_bad(error)


class _Report:
    """What stderr shows: progress, and each bad file."""

    def __init__(self, feed: PathFeed, writer: RowWriter, shows: bool) -> None:
        is_terminal = sys.stderr.isatty() and os.environ.get('TERM') != 'dumb'
        self._feed, self._writer, self._shows = feed, writer, shows
        self._interval = TERMINAL_S if is_terminal else LINE_S
        self._clear = '\r\x1b[K' if is_terminal else ''
        self._start = time.monotonic()
        self._next = self._start + self._interval
        self._bad = 0
        self._has_traceback = False

    def show_progress(self) -> None:
        """Say how far it is, if it is time."""
        now = time.monotonic()
        if not self._shows or now < self._next:
            return
        self._next = now + self._interval
        count, total = self._feed.given, len(self._feed.paths)
        line = f'{self._rate(now)}, file {count:,} of {total:,}'
        print(f'{self._clear}{line}', end='' if self._clear else '\n', file=sys.stderr, flush=True)

    def name_bad(self, error: Exception) -> None:
        """Name the files that an exception is about, and why they are bad."""
        rows, paths = self._feed.rows, self._feed.suspects()
        self._bad += max(1, len(paths))
        reason = getattr(error, 'strerror', None) or str(error).strip() or 'no reason given'
        if not isinstance(error, OF_CONTENT):
            reason = f'{type(error).__name__}: {reason}'
            if not self._has_traceback:
                self._has_traceback = True
                _show(error)
        names = ', '.join(paths) or 'before the first file'
        together = ' (read together)' if len(paths) > 1 else ''
        written = f'; the {plural(rows, "row")} before it are written' if rows else ''
        self._say(f'tagrun: {names}{together}: {_on_one_line(reason)}{written}')

    def name_unread(self) -> None:
        """Name the files that predict.py has not asked for."""
        unread = list(self._feed)
        if unread:
            self._bad += len(unread)
            self._say(f'tagrun: predict.py ended before {", ".join(unread)}')

    def end(self, output: str | None) -> int:
        """Say what came out; return the exit code."""
        total, now = len(self._feed.paths), time.monotonic()
        if not self._writer.count:
            written = f'{output} is not written' if output else 'nothing is written'
            self._say(f'tagrun: not one row came out of {plural(total, "file")}: {written}')
            return FAILED
        name = f'{output}: ' if output else ''
        bad = f'; {plural(self._bad, "bad file")}' if self._bad else ''
        files, seconds = plural(total, 'file'), duration(now - self._start)
        self._say(f'{name}{self._rate(now)}, of {files}, in {seconds}{bad}')
        return SOME_BAD if self._bad else DONE

    def _say(self, text: str) -> None:
        """Print a line in place of the progress."""
        if self._clear:
            print(self._clear, end='', file=sys.stderr)
        echo(text)

    def _rate(self, now: float) -> str:
        rate = self._writer.count / max(1e-9, now - self._start)
        return f'{plural(self._writer.count, "row")}, {rate:,.0f} a second'


def _on_one_line(text: str) -> str:
    return ' '.join(text.split())


def _show(error: Exception) -> None:
    """Print the traceback of the run's code, without the frames of this file."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    traceback.print_exception(type(error), error, trace)


def _end_with_command() -> None:
    """Interrupt this process when stdin is closed: nobody would take the rows."""
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(GRACE_S)
    os._exit(CTRL_C)
