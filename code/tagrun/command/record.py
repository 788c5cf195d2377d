"""Take runs up into a list, which `title` and `table` then go by: __statistic__/exper-list/record.txt.

A bare tag stands for all its runs; without any, it is the latest run of the commit you stand on. The list is yours to edit: one
<tag>/<id> a line, # comments. Nothing is added twice. Exit codes: 0 done, 1 refused, 2 usage.
"""
import os
from pathlib import Path

from tagrun.command import choose, here
from tagrun.command.say import Refusal, parser, plural, quote, say
from tagrun.store import experlist, layout, names, statistic

EXAMPLES = ("record                   the latest run recorded from the commit you stand on",
            "record five wide/2       all runs of `five`, and one of `wide`",
            "record five --to paper   into another list; `table paper` shows it")
ROOT = Path(__file__).resolve().parents[3]


def main(argv):
    options = parser('record', __doc__, EXAMPLES)
    options.add_argument('run', nargs='*', help='<tag>, <tag>/<id>, @last, or @<set>')
    options.add_argument('--to', metavar='SET', default='record', help='the list to add to (%(default)s)')
    options = options.parse_args(argv)
    if names.check_set(options.to):
        raise Refusal(f'{options.to!r} cannot be a set: {names.check_set(options.to)}')
    runs = choose.several(ROOT, [word.removesuffix('/*') for word in options.run]) or [_latest_of_head()]
    path = layout.list_file(ROOT, options.to)
    try:
        added = experlist.add(ROOT, options.to, runs)
    except OSError as error:
        raise Refusal(f'{path}: {error.strerror}') from None
    _tell(path, runs, added)
    return 0


def _latest_of_head():
    """(tag, id) of the run made last from the commit one stands on. Raises Refusal if there is none."""
    from tagrun.command.git import Repository   # here: `record <tag>` need not load GitPython
    repository = Repository.at(ROOT)
    found = here.runs(repository)
    if not found:
        raise Refusal(f'no run here was recorded from the commit you stand on ({(repository.resolve("HEAD") or "none yet")[:10]}): '
                      '`run <tag>` makes one, `record <tag>` takes up another')
    return found[-1]


def _tell(path, runs, added):
    new = set(added)
    there = [run for run in runs if run not in new]
    if there:
        say(f'there already: {experlist.compact(there)}')
    if added:
        say(f'added: {experlist.compact(added)}')
    for tag, number in added:
        state = _state(layout.run_folder(ROOT, tag, number))
        if state != statistic.FINISHED:
            say(f'  {tag}/{number} is not finished: {state}')
    total = len(experlist.read(ROOT, path.stem).runs)
    say(f'{quote(os.path.relpath(path))}: {plural(total, "run")}')


def _state(folder):
    try:
        return statistic.state(folder)
    except (OSError, ValueError) as error:
        return f'its statistic.json cannot be read ({error})'
