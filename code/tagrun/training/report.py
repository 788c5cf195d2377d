"""What a run says of itself: history.csv and statistic.json, the line of an epoch, the lines of a failure.

    job = report(folder, info, args, record, 'running'); job(digest)     # contents are taken now, written when job is called
"""
import sys
import traceback
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

from tagrun.store import checkpoints, history, run_json, statistic
from tagrun.training.signals import Stopped

LONGEST = 300   # letters of an error message on the screen


def now():
    """'2026-11-21T09:00:00Z'."""
    return datetime.now(timezone.utc).isoformat(timespec='seconds').replace('+00:00', 'Z')


def report(folder, info, args, record, started, status, message=None):
    """A function of the weights' SHA-256 (or None) that writes both files as things stand at this moment. `record` may be None."""
    rows = list(record.history) if record else []
    content = {
        'run': run_json.name(info), 'status': status, **({'message': message} if message else {}),
        'seed': info['seed'], 'commit': info['commit'],
        'epoch': len(rows), 'epochs': args.epochs, 'watch': args.watch, 'mode': args.watch_mode,
        'best_epoch': record.best_epoch if record else 0,
        'metric': record.at(record.best_epoch) if record else {},
        'last': record.at(len(rows)) if record else {},
        'hparam': {name: value for name, value in vars(args).items() if name != 'seed'},
        'digest': {},
        'time': {'started': started, 'updated': now(), 'seconds': sum(row['seconds'] for row in rows)},
    }

    def write(digest):
        if rows:
            history.write(folder, rows)
        if digest:
            content['digest']['weights'] = digest
        statistic.write(folder, content)
    return write


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
    if isinstance(error, KeyboardInterrupt):
        line = f'stopped at once, without a save; the newest is {checkpoints.newest(folder) or "none yet"}'
        return Ending(statistic.INTERRUPTED, line, line, 130, '')
    line = ' '.join(f'{type(error).__name__}: {error}'.split())
    line = line if len(line) <= LONGEST else line[:LONGEST] + ' …'
    text = f'failed: {line}{_place(error, folder / "code")}\n  the whole traceback: {folder / "log"}'
    code = error.code if isinstance(error, SystemExit) and isinstance(error.code, int) and error.code else 1
    trace = ''.join(traceback.format_exception(type(error), error, error.__traceback__))
    return Ending(statistic.FAILED, line, text, code, trace)


def _place(error, code):
    """Where in the researcher's own files it happened: the innermost frame in the code folder, the tool's left out."""
    main = Path(sys.modules['__main__'].__file__).parent if hasattr(sys.modules['__main__'], '__file__') else code
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        parts = Path(frame.filename).relative_to(main).parts if Path(frame.filename).is_relative_to(main) else ('tagrun',)
        if parts[0] != 'tagrun':
            return f'\n  in code/{"/".join(parts)}, line {frame.lineno}, {frame.name}: {frame.line}'
    return ''


def tell(text):
    print(text, file=sys.stderr, flush=True)
