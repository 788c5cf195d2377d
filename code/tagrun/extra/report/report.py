"""Write a set of runs as one HTML file, which you can send.

It has the table, the curves, and the details of each run. It needs no server and loads nothing.
Text from others is shown and never run. The set is a list of runs as in `table`, or tags and runs.
The file goes to __statistic__/report/, which git ignores, unless -o names a file. It shows a run's
files as they are now: make the report of running ones again. What looks like a key or token is
hidden, but look through it before you give it away.
"""

import os
import sys
from pathlib import Path

from tagrun.core.cli import selectors
from tagrun.core.cli.messages import UserError, echo, plural, quote
from tagrun.core.cli.parser import Parser, argument_parser
from tagrun.core.git.repository import Repository
from tagrun.core.project import CODE, ROOT
from tagrun.core.tables import sets
from tagrun.store import atomic, beneath, layout, names, run_json, statistic, table, title
from tagrun.store.run_ref import RunRef
from tagrun.store.table import Column, Run

GROUP = 'Look', 4
EXAMPLES = (
    'tagrun report                      all of record.txt, else of finished.txt',
    'tagrun report paper -o paper.html  a list of runs, into a file of one\'s own',
    'tagrun report base wide/2          the runs of a tag, and one more',
)
VERDICT = Column('run', 'verdict')
COLUMNS = 60  # of the table; the single runs have the rest
LAST = '@last'


def main(argv: list[str]) -> int:
    """Run `tagrun report`; return its exit code."""
    args = build_parser().parse_args(argv)
    _require_jinja()
    name, words = _name_and_words(args.run)
    runs = _load(words)
    content = _page(name, runs)
    if args.output == '-':
        sys.stdout.buffer.write(content)
        return 0
    path = layout.statistic(ROOT) / 'report' / f'{name}.html'
    if args.output:
        path = Path(os.path.realpath(args.output))
    _write(path, content)
    size = f'{plural(len(runs), "run")}, {len(content) / 1e6:.1f} MB'
    echo(f'{quote(os.path.relpath(path))}: {size}; open it in a browser, or send it')
    return 0


def build_parser() -> Parser:
    """Return the parser of the command line."""
    parser = argument_parser('report', __doc__, EXAMPLES)
    parser.add_argument(
        'run',
        metavar='set',
        nargs='*',
        help='a list of runs; or <tag>, <tag>/<id>, @last, several of them too',
    )
    parser.add_argument('-o', '--output', metavar='FILE', help='write it there, - for stdout')
    return parser


def _require_jinja() -> None:
    try:
        import jinja2  # noqa: F401  (whether it is installed)
    except ModuleNotFoundError:
        requirements = quote(CODE / 'requirements-report.txt')
        install = f'{quote(sys.executable)} -m pip install -r {requirements}'
        raise UserError(f'a report needs the package jinja2: {install}') from None


# --- which runs -----------------------------------------------------------------------------------


def _name_and_words(words: list[str]) -> tuple[str, list[str]]:
    """Return (what the report is called, words of selectors.several).

    A word that names a list means that list, as in `table`.
    """
    if not words:
        name = sets.name(ROOT, None)
        return name, [f'@{name}']
    meant = [f'@{word}' if _is_list(word) else word for word in words]
    if len(words) > 1:
        return 'report', meant
    name = meant[0].removeprefix('@')
    if names.check_set(name) or meant[0] == LAST:
        return 'report', meant
    return name, meant


def _is_list(word: str) -> bool:
    return not names.check_set(word) and layout.list_file(ROOT, word).is_file()


def _load(words: list[str]) -> list[Run]:
    """Return the runs of some words; each that cannot be read is named.

    Raises UserError if none can.
    """
    refs = selectors.several(ROOT, words)
    linked = [ref for ref in refs if _is_link(ref, statistic.NAME)]
    runs, damaged = table.load(ROOT, [ref for ref in refs if ref not in linked])
    damaged += [(str(ref), f'{statistic.NAME} is a link') for ref in linked]
    for name, reason in damaged[: sets.SHOWN]:
        echo(f'{name}: {reason}; left out')
    if len(damaged) > sets.SHOWN:
        echo(f'… and {len(damaged) - sets.SHOWN:,} more runs')
    if not runs:
        raise UserError('no run of these can be read')
    for run in runs:
        verdict = _verdict(run.ref)
        if verdict:
            run.values['run'][VERDICT.name] = verdict
    return runs


def _is_link(ref: RunRef, name: str) -> bool:
    return (ref.folder(ROOT) / name).is_symlink()


def _verdict(ref: RunRef) -> str:
    """Return 'the same as base/0' for a rerun with a verdict; the single run has the details."""
    if _is_link(ref, run_json.NAME):
        return ''
    try:
        info = run_json.read(ref.folder(ROOT))
    except (OSError, ValueError):
        return ''
    verdict = info.get('verdict')
    if not isinstance(verdict, dict):
        return ''
    words = 'the same' if verdict.get('same') is True else 'not the same'
    return f'{words} as {info.get("rerun_of")}'


# --- the page -------------------------------------------------------------------------------------


def _page(name: str, runs: list[Run]) -> bytes:
    from tagrun.extra.report import page_data, page_file

    columns = _columns(name, runs)
    shown, left_out = columns[:COLUMNS], max(0, len(columns) - COLUMNS)
    data = page_data.gather(ROOT, _repository(), runs, shown)
    return page_file.render(name, runs, shown, left_out, data)


def _repository() -> Repository | None:
    """Return None without git: the files of the runs are enough for a report."""
    try:
        return Repository.at(ROOT)
    except UserError as error:
        echo(f'without the code: {error}')
        return None


def _columns(name: str, runs: list[Run]) -> list[Column]:
    """Return the columns of the set's title file; without one, what differs and the metrics."""
    columns = [Column('run', 'status'), Column('run', 'seed')]
    columns += _titled_columns(name) or _differing_columns(runs)
    return list(dict.fromkeys(columns))


def _titled_columns(name: str) -> list[Column]:
    try:
        return list(title.read(ROOT, name)[0])
    except (OSError, ValueError) as error:
        reason = getattr(error, 'strerror', None) or error
        path = os.path.relpath(layout.title_file(ROOT, name))
        echo(f'{path}: {reason}; all columns')
        return []


def _differing_columns(runs: list[Run]) -> list[Column]:
    columns = [
        column
        for column in table.columns(runs)
        if column.group == 'metric' or table.differs(runs, column)
    ]
    columns += [Column('run', 'epoch'), Column('run', 'seconds')]
    if any(VERDICT.name in run.values['run'] for run in runs):
        columns.append(VERDICT)
    return columns


def _write(path: Path, content: bytes) -> None:
    if path.exists() and not path.is_file():
        raise UserError(f'{path} is not a file: name one, or - for stdout')
    try:
        if path.parent == layout.statistic(ROOT) / 'report':
            beneath.make_folder(path.parent)
        atomic.write(path, content)
    except OSError as error:
        raise UserError(f'{path} cannot be written: {error.strerror}') from None
