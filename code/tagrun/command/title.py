"""Collect every hyperparameter and metric of a set's runs as the columns of its table, in __statistic__/title/<set>.json.

Put // before a line there to leave its column out of the table. A second `title` adds what is new and keeps every edit, and says which
columns no run has any more. Exit codes: 0 done, 1 refused, 2 usage.
"""
import os
from pathlib import Path

from tagrun.command import sets
from tagrun.command.say import Refusal, parser, plural, quote, say
from tagrun.store import atomic, layout, table, title
from tagrun.store.table import Column

EXAMPLES = ("title               of record.txt, else of finished.txt",
            "title paper         of the set `paper`: exper-list/paper.txt",
            "title --changed     of the hyperparameters only those that differ within the set; the others stand in comments")
SHOWN = 20      # columns named before '…'
ROOT = Path(__file__).resolve().parents[3]


def main(argv):
    options = parser('title', __doc__, EXAMPLES)
    options.add_argument('set', nargs='?', help='record (if it is there), finished, or any other list of runs')
    options.add_argument('--changed', action='store_true', help='put the hyperparameters that are the same in all runs into comments')
    options = options.parse_args(argv)
    name = sets.name(ROOT, options.set)
    runs = sets.load(ROOT, name)
    path = layout.title_file(ROOT, name)
    try:
        before, text = title.read(ROOT, name)
        after, new = _content(name, runs, text, options.changed)
        if after != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic.write(path, after.encode('utf-8', 'backslashreplace'))
    except OSError as error:
        raise Refusal(f'{path}: {error.strerror}') from None
    except ValueError as error:
        raise Refusal(f'{os.path.relpath(path)}: {error}') from None
    _tell(path, title.parse(after), new, before, runs)
    return 0


def _content(name, runs, text, changed):
    """(the file's text, the columns that are new in it)."""
    columns = table.columns(runs)
    same = [column for column in columns if column.group == 'hparam' and not table.differs(runs, column)] if changed and len(runs) > 1 else []
    if text is None:
        facts = [Column('run', fact) for fact in table.OF_RUN if fact not in ('tag', 'id', 'status')]
        return title.build(name, [*columns, *facts], [*same, *facts]), columns
    return title.merge(text, columns, same, same)


def _tell(path, columns, new, before, runs):
    there = set(table.columns(runs, table.GROUPS))
    gone = [column.name for column in before if column not in there]
    if before and new:
        say(f'new: {_some([column.name for column in new])}')
    if gone:
        say(f'no run has any more: {_some(gone)}')
    say(f'{quote(os.path.relpath(path))}: {plural(len(columns), "column")} of {plural(len(runs), "run")}')


def _some(names):
    return ', '.join(names[:SHOWN]) + (f' and {len(names) - SHOWN} more' if len(names) > SHOWN else '')
