"""What a run says of itself: what statistic.json holds, the line of an epoch, the lines of a failure.

    content = report(info, args, record, started); content = ended(content, 'failed', 'no room')     # statistic.json, while it runs and at its end
"""
import re
import sys
import traceback
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

from tagrun.store import checkpoints, run_json, statistic
from tagrun.training.signals import Pruned, Stopped

LONGEST = 400   # letters of an error message on the screen
HINTS = {       # what is found in an error: what to do about it
    r'^OutOfMemoryError|out of memory|^MemoryError|not enough memory|can.t allocate memory':
        ': a smaller batch_size needs less, and accumulate in config.py makes up for it; what was saved is whole',
    r'DataLoader worker .* (killed by signal|exited unexpectedly)|^(ConnectionResetError|EOFError)':
        ': a data worker was killed, often for lack of memory; fewer workers in config.py need less',
    r'DataLoader timed out': ': no batch came in that time (worker_timeout in config.py); where a sample may take so long, give it more',
}


def now():
    """'2026-11-21T09:00:00Z'."""
    return datetime.now(timezone.utc).isoformat(timespec='seconds').replace('+00:00', 'Z')


def report(info, args, record, started):
    """What statistic.json says of a run at this moment, while it runs. `record` may be None."""
    rows = record.history if record else []
    return {
        'run': run_json.name(info), 'status': statistic.RUNNING,
        'seed': info['seed'], 'commit': info['commit'], **({'variant': info['variant']} if 'variant' in info else {}),
        'epoch': len(rows), 'epochs': args.epochs, 'watch': args.watch, 'mode': args.watch_mode,
        'best_epoch': record.best_epoch if record else 0,
        'metric': record.at(record.best_epoch) if record else {},
        'last': record.at(len(rows)) if record else {},
        'hparam': {name: value for name, value in vars(args).items() if name != 'seed'},
        'digest': {},
        'time': {'started': started, 'updated': now(), 'seconds': sum(row['seconds'] for row in rows)},
    }


def ended(content, status, message=None):
    """The same, with how the run ended. What was reported before stays: an epoch that could not be saved never was."""
    rest = {name: value for name, value in content.items() if name not in ('run', 'status', 'time')}
    return {'run': content['run'], 'status': status, **({'message': message} if message else {}), **rest, 'time': {**content['time'], 'updated': now()}}


def epoch_line(record, epochs):
    """'epoch  3/40   train loss 0.81 acc 0.71   val loss 0.79 acc 0.702   0.4 s  best'."""
    row = record.history[-1]
    phases = {}
    for name, value in record.at(len(record.history)).items():
        phase, _, metric = name.partition('/')
        phases.setdefault(phase, []).append(f'{metric} {value:.4f}')
    parts = [f'{phase} {" ".join(metrics)}' for phase, metrics in phases.items()]
    best = '  best' if record.best_epoch == len(record.history) else ''
    return '   '.join([f'epoch {len(record.history):>{len(str(epochs))}}/{epochs}', *parts, f'{row["seconds"]:.1f} s']) + best


class Ending(NamedTuple):
    """How a run ended that did not finish."""
    status: str
    line: str           # what statistic.json says
    text: str           # what the screen says, after the run's name
    code: int           # the exit code
    traceback: str      # what the log keeps; '' where nothing went wrong


def describe(error, folder):
    """The Ending that an exception makes of the run in `folder`."""
    if isinstance(error, Stopped):
        line = f'stopped by {error}, saved as {checkpoints.newest(folder)}'
        return Ending(statistic.INTERRUPTED, line, line, error.code, '')
    if isinstance(error, Pruned):
        return Ending(statistic.PRUNED, str(error), f'pruned: {error}', 0, '')
    if isinstance(error, KeyboardInterrupt):
        line = f'stopped at once, without a save; the newest is {checkpoints.newest(folder) or "none yet"}'
        return Ending(statistic.INTERRUPTED, line, line, 130, '')
    trace = ''.join(traceback.format_exception(type(error), error, error.__traceback__))
    line = _sentence(error)
    line = line if len(line) <= LONGEST else line[:LONGEST] + ' …'
    text = f'failed: {line}{_place(trace, folder / "code")}\n  the whole traceback: {folder / "log"}'
    code = error.code if isinstance(error, SystemExit) and isinstance(error.code, int) and error.code else 1
    return Ending(statistic.FAILED, line, text, code, trace)


def _sentence(error):
    """What went wrong, in one line: of what a data worker raised its own last line, and a hint where there is one."""
    text = f'{type(error).__name__}: {error}'
    if 'Original Traceback' in text:
        text = text.strip().rpartition('\n')[2].removeprefix('tagrun.training.loader.')
    hint = next((hint for sign, hint in HINTS.items() if re.search(sign, text)), '')
    return ' '.join(text.split()) + hint


def _place(trace, code):
    """Where in the researcher's own files it happened: the innermost call in the code folder, the tool's left out.

    From the traceback's text, for a data worker sends nothing else. What comes first in it is what led to the rest.
    """
    main = Path(sys.modules['__main__'].__file__).parent if hasattr(sys.modules['__main__'], '__file__') else code
    for part in trace.split('\n\n'):
        for file, number, name, line in reversed(re.findall(r'File "(.+)", line (\d+), in (.+)\n *(.*)', part)):
            parts = Path(file).relative_to(main).parts if Path(file).is_relative_to(main) else ('tagrun',)
            if parts[0] != 'tagrun':
                return f'\n  in code/{"/".join(parts)}, line {number}, {name}: {line}'
    return ''


def tell(text):
    print(text, file=sys.stderr, flush=True)
