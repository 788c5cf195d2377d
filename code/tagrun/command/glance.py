"""What a run looks like at a glance: its state, how far it is, how good.

    seen = look(root, 't1', 0)           # seen.state, seen.best, seen.eta_s(now)

It reads statistic.json, and of a run that says running its lock; nothing else, so that ten thousand runs are looked at in half a second.
"""
import os
from datetime import datetime
from typing import NamedTuple

from tagrun.command.say import say
from tagrun.store import jsonfile, layout, statistic

UNREADABLE = 'unreadable'   # statistic.json is there and is none


class Seen(NamedTuple):
    tag: str
    id: int
    state: str          # as store/statistic.py names them, or UNREADABLE
    started: float      # Unix time in s
    content: dict       # of statistic.json; {} where it says nothing

    @property
    def name(self):
        return f'{self.tag}/{self.id}'

    @property
    def watch(self):
        return str(self.content.get('watch', ''))

    @property
    def best(self):
        """The watched metric at its best epoch, or None."""
        return jsonfile.number(self.content.get('metric', {}).get(self.watch))

    def eta_s(self, now):
        """Seconds until the last epoch ends, if it goes on as it did; None where that cannot be said."""
        time = self.content.get('time', {})
        done, epochs, seconds = (jsonfile.number(value) for value in (self.content.get('epoch'), self.content.get('epochs'), time.get('seconds')))
        if self.state != statistic.RUNNING or not done or not epochs or not seconds:
            return None
        return max(0.0, (epochs - done) * seconds / done - (now - unix_time(time.get('updated'), now)))


def look(root, tag, number):
    """The run as it stands; one that cannot be read is named on stderr."""
    folder, content, state = layout.run_folder(root, tag, number), {}, UNREADABLE
    try:
        content = statistic.read(folder)
        state = str(statistic.state(folder, content))
    except FileNotFoundError:
        state = statistic.state(folder)
    except (OSError, ValueError) as error:
        say(f'tagrun: {tag}/{number}: {statistic.NAME}: {getattr(error, "strerror", None) or error}')
    return Seen(tag, number, state, unix_time(content.get('time', {}).get('started')) or _made(folder), content)


def better(seen, other):
    """Whether a run's best metric beats another's, in the direction its config.py names; any number beats none, NaN beats no number."""
    if seen.best is None or seen.best != seen.best:
        return False
    if other.best is None or other.best != other.best:
        return True
    return seen.best < other.best if seen.content.get('mode') == 'min' else seen.best > other.best


def differences(seen, first):
    """{name: value} of the hyperparameters in which a run is not the same as another; None where it lacks one."""
    mine, theirs = seen.content.get('hparam', {}), first.content.get('hparam', {})
    if not mine or mine == theirs:
        return {}
    return {name: mine.get(name) for name in dict.fromkeys([*mine, *theirs]) if name not in mine or name not in theirs or mine[name] != theirs[name]}


def unix_time(text, default=0.0):
    """Of '2026-11-21T09:00:00Z'."""
    try:
        return datetime.fromisoformat(text.replace('Z', '+00:00')).timestamp()
    except (AttributeError, ValueError):
        return default


def _made(folder):
    try:
        return os.stat(folder).st_mtime
    except OSError:     # deleted while we look
        return 0.0
