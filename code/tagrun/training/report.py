"""What a run says: what statistic.json holds, the line of an epoch, the lines of a failure.

content = report(info, args, epochs, started)       # of statistic.json, while it runs
content = ended(content, 'failed', 'no room')       # and at its end
ending = describe([error], folder)                  # what an exception makes of the run
"""

import re
import sys
import traceback
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any, NamedTuple

from tagrun.store import checkpoints, first_step, run_json, statistic
from tagrun.training.epoch_history import EpochHistory
from tagrun.training.signals import Pruned, Stopped

NOTHING: Mapping[str, Any] = MappingProxyType({})
WIDTH = 71  # of an epoch's line: with the time before it, the log's has 80
LONGEST = 400  # characters of an error message on the screen
GAP = ' ' * 3
HINTS = {  # a pattern in an error: what to do about it
    r'^OutOfMemoryError|out of memory|^MemoryError|not enough memory|can.t allocate memory': (
        ': a smaller batch_size needs less, and grad_accum_steps in config.py makes up for it; '
        'what was saved is whole'
    ),
    # before the next: torch's sentence has both
    r'Bus error|shared memory\(shm\)|/torch_\S+: No space left': (
        ': /dev/shm, by which data workers send batches, is full: make it larger (docker run '
        '--shm-size=8g), or set a smaller num_workers or batch_size in config.py'
    ),
    r'AF_UNIX path too long|torch_shm_manager': (
        ': data workers need a shorter path for temporary files: set TMPDIR=/tmp'
    ),
    r'Too many open files|received 0 items of ancdata': (
        ': `ulimit -n 65536` allows more; a smaller num_workers in config.py needs less'
    ),
    r'DataLoader worker .* (killed by signal|exited unexpectedly)'
    r'|^(ConnectionResetError|EOFError)': (
        ': a data worker was killed, often for lack of memory; a smaller num_workers in config.py '
        'needs less'
    ),
    r'DataLoader timed out': (
        ': no batch came in that time (worker_timeout in config.py); where a sample may take '
        'so long, give it more'
    ),
}


def info(text: str) -> None:
    """Print a message of Tagrun's own to stderr."""
    print(text, file=sys.stderr, flush=True)


def now() -> str:
    """Return '2026-11-21T09:00:00Z'."""
    return datetime.now(timezone.utc).isoformat(timespec='seconds').replace('+00:00', 'Z')


def first_start(folder: Path) -> str | None:
    """Return when the run was first started, or None if this is the first time."""
    try:
        return statistic.read(folder)['time'].get('started')
    except (OSError, ValueError):
        return None


def report(
    run_info: dict[str, Any],
    args: SimpleNamespace,
    epochs: EpochHistory | None,
    started: str,
    former: Mapping[str, Any] = NOTHING,
) -> dict[str, Any]:
    """Return what statistic.json says of a run now, while it runs. epochs: None before the first.

    run_info: the content of its run.json. former: arguments that had another value at an earlier
    start, {name: value}.
    """
    content = {
        'run': run_json.name(run_info),
        'status': statistic.RUNNING,
        'seed': run_info['seed'],
        'commit': run_info['commit'],
    }
    if 'variant' in run_info:
        content['variant'] = run_info['variant']
    if run_info.get('inputs'):
        content['inputs'] = run_info['inputs']
    before = {'hparam_before': dict(former)} if former else {}
    rows = epochs.rows if epochs else []
    return {
        **content,
        'epoch': len(rows),
        'epochs': args.epochs,
        'monitor': args.monitor,
        'monitor_mode': args.monitor_mode,
        'best_epoch': epochs.best_epoch if epochs else 0,
        'metric': epochs.at(epochs.best_epoch) if epochs else {},
        'last': epochs.at(len(rows)) if epochs else {},
        'hparam': {name: value for name, value in vars(args).items() if name != 'seed'},
        **before,
        'digest': {},
        'time': {
            'started': started,
            'updated': now(),
            'seconds': sum(row['seconds'] for row in rows),
        },
    }


def ended(content: dict[str, Any], status: str, message: str | None = None) -> dict[str, Any]:
    """Return the same, with how the run ended.

    What was reported before stays: an epoch that could not be saved never was.
    """
    first = {'run': content['run'], 'status': status}
    if message:
        first['message'] = message
    replaced = ('run', 'status', 'message', 'time')
    rest = {name: value for name, value in content.items() if name not in replaced}
    return {**first, **rest, 'time': {**content['time'], 'updated': now()}}


def epoch_line(epochs: EpochHistory, total: int | None) -> str:
    """Return 'epoch  3/40   train loss 0.81 acc 0.71   val loss 0.79 acc 0.702   0.4 s  best'."""
    number = len(epochs.rows)
    phases: dict[str, list[str]] = {}
    for name, value in epochs.at(number).items():
        phase, _, metric = name.partition('/')
        phases.setdefault(phase, [phase]).append(f'{metric} {value:.4f}')
    head = f'epoch {number:>4}'
    if total:
        head = f'epoch {number:>{len(str(total))}}/{total}'
    seconds = f'{epochs.rows[-1]["seconds"]:.1f} s'
    best = '  best' if epochs.best_epoch == number else ''
    parts = [' '.join(words) for words in phases.values()]
    return _in_lines(head, [*parts, seconds + best])


def _in_lines(head: str, parts: Sequence[str]) -> str:
    """Return the head and the parts in a line; where that is too long, in several."""
    lines = [head]
    for part in parts:
        if len(lines[-1]) + len(GAP) + len(part) > WIDTH and lines[-1].strip():
            lines.append(' ' * len(head))
        lines[-1] += GAP + part
    return '\n'.join(lines)


class Ending(NamedTuple):
    """How a run ended that did not finish."""

    status: str
    cause: str  # the error that came first, in a line
    line: str  # what statistic.json says: the cause, and what failed while the run closed
    text: str  # what the screen says, after the run's name
    code: int  # the exit code
    traceback: str  # what the log keeps; '' where nothing went wrong


def describe(errors: Sequence[BaseException], folder: Path) -> Ending:
    """Return how the run in `folder` ended.

    errors: first what ended it, then what failed while it closed.
    """
    ending = _describe(errors[0], folder)
    if len(errors) == 1:
        return ending
    closing = '; '.join(_shortened(error) for error in errors[1:])
    line = f'{ending.line}; then, while the run closed: {closing}'
    text = ending.text.replace(ending.line, line, 1)
    if ending.status != statistic.FAILED:
        text += _whole_traceback(folder)
    later = ''.join(f'\nThen, while the run closed:\n\n{_trace(error)}' for error in errors[1:])
    return ending._replace(line=line, text=text, traceback=ending.traceback + later)


def _describe(error: BaseException, folder: Path) -> Ending:
    if isinstance(error, Stopped):
        line = f'stopped by {error}, saved as {_newest(folder)}'
        return Ending(statistic.INTERRUPTED, line, line, line, error.code, '')
    if isinstance(error, Pruned):
        line = str(error)
        return Ending(statistic.PRUNED, line, line, f'pruned: {line}', 0, '')
    if isinstance(error, KeyboardInterrupt):
        line = f'stopped at once, without a save; the newest is {_newest(folder)}'
        return Ending(statistic.INTERRUPTED, line, line, line, 130, '')
    trace, line, code = _trace(error), _shortened(error), 1
    if isinstance(error, SystemExit) and isinstance(error.code, int) and error.code:
        code = error.code
    text = f'failed: {line}{_position(trace)}{_whole_traceback(folder)}'
    return Ending(statistic.FAILED, line, line, text, code, trace)


def _newest(folder: Path) -> str:
    try:
        return checkpoints.newest(folder) or 'none yet'
    except (OSError, ValueError) as error:
        return f'unknown ({error})'


def _whole_traceback(folder: Path) -> str:
    """Return the line that names the log.

    A command that waits for a run moves the log of one that trained nothing, and names it.
    """
    info = run_json.read_or_none(folder)
    if info and info['commit'] and run_json.EVALUATE not in info and not first_step.is_done(folder):
        return ''
    return f'\n  the whole traceback: {folder / "log"}'


def _trace(error: BaseException) -> str:
    return ''.join(traceback.format_exception(type(error), error, error.__traceback__))


def _shortened(error: BaseException) -> str:
    line = sentence(error)
    return line if len(line) <= LONGEST else line[:LONGEST] + ' …'


def sentence(error: BaseException) -> str:
    """Return what went wrong, in one line, with a hint where there is one.

    Of what a data worker raised it is the worker's own last line.
    """
    try:
        text = f'{type(error).__name__}: {error}'
    except Exception:  # its __str__ is the researcher's too
        text = f'{type(error).__name__} (it cannot be printed)'
    if 'Original Traceback' in text:
        text = text.strip().rpartition('\n')[2].removeprefix('tagrun.training.loader.')
    hint = next((hint for sign, hint in HINTS.items() if re.search(sign, text)), '')
    return ' '.join(text.split()) + hint


def _position(trace: str) -> str:
    """Return where in the researcher's own files it happened.

    That is the innermost call in the code folder, from the traceback's text, for a data worker
    sends nothing else. The first part of it is what led to the rest.
    """
    # main.py's folder; a notebook has none, and then that of this copy of Tagrun
    main = getattr(sys.modules['__main__'], '__file__', None)
    roots = [Path(main).parent] if main else []
    roots.append(Path(__file__).resolve().parents[2])
    for part in trace.split('\n\n'):
        calls = re.findall(r'File "(.+)", line (\d+), in (.+)\n *(.*)', part)
        for file, number, name, line in reversed(calls):
            path = Path(file)
            inside = [path.relative_to(root) for root in roots if path.is_relative_to(root)]
            if inside and inside[0].parts[0] != 'tagrun':
                where = inside[0].as_posix()
                return f'\n  in code/{where}, line {number}, {name}: {line}'
    return ''
