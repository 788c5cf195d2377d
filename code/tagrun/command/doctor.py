"""Find what a kill or a full disk left half-made, and repair it.

A deleted folder is found, too. Only --fix repairs. --fix deletes only what can be recreated: locks
and half-written copies that nothing has touched for ten minutes, empty folders, bytecode, the
trainings of a selftest. Problems that need a decision are reported, not changed.

Exit codes: 0 nothing is wrong, or all of it is fixed; 1 something is left; 2 usage.
"""

from typing import Any

from tagrun.core.check import leftovers
from tagrun.core.check.finding import Finding
from tagrun.core.cli import selectors
from tagrun.core.cli.messages import UserError, echo, plural, printable, put
from tagrun.core.cli.parser import Parser, argument_parser
from tagrun.core.git.repository import Repository
from tagrun.core.project import ROOT
from tagrun.store import jsonfile, layout
from tagrun.store.run_ref import RunRef

GROUP = 'Care', 3
EXAMPLES = (
    'tagrun doctor                  what is half-made, and what --fix would do',
    'tagrun doctor --fix            repair it',
    'tagrun doctor first wide/2     of these runs alone; with the git folder and the lists',
)


def main(argv: list[str]) -> int:
    """Print the findings, and fix them if asked to; return 1 if something is left."""
    args = build_parser().parse_args(argv)
    repository = Repository.at(ROOT)
    runs = selectors.several(ROOT, args.run) if args.run else _all_runs()
    cases = [_Case(finding, args.fix) for finding in leftovers.find(repository, runs)]
    if args.json:
        put(jsonfile.dumps([case.as_json() for case in cases]), end='')
    else:
        for case in cases:
            put(printable(case.line()).replace('\n', ' '))
    _summarize(cases, len(runs), args.fix)
    return 1 if any(case.is_left for case in cases) else 0


def build_parser() -> Parser:
    """Return the parser of the command line."""
    parser = argument_parser('doctor', __doc__, EXAMPLES)
    parser.add_argument(
        'run', nargs='*', help='<tag> (all its runs), <tag>/<id>, @<set> or @last; without any, all'
    )
    parser.add_argument('--fix', action='store_true', help='repair what can be repaired')
    parser.add_argument('--json', action='store_true', help='for a program')
    return parser


class _Case:
    """A finding, and what became of it."""

    def __init__(self, finding: Finding, is_to_be_fixed: bool) -> None:
        self.finding = finding
        self.is_fixed = False
        self.error = ''
        if is_to_be_fixed and finding.fix:
            try:
                finding.fix()
                self.is_fixed = True
            except (OSError, ValueError, UserError) as error:
                self.error = str(error)

    @property
    def is_left(self) -> bool:
        return not self.is_fixed and not self.finding.is_harmless

    def line(self) -> str:
        start = f'{self.finding.where}: {self.finding.what}.'
        if self.is_fixed:
            return f'{start} Fixed: --fix {self.finding.remedy}'
        if self.error:
            return f'{start} It could not be fixed: {self.error}'
        option = '--fix ' if self.finding.fix else ''
        return f'{start} {option}{self.finding.remedy}'

    def as_json(self) -> dict[str, Any]:
        return {
            'where': self.finding.where,
            'what': self.finding.what,
            'remedy': self.finding.remedy,
            'can_be_fixed': self.finding.fix is not None,
            'harmless': self.finding.is_harmless,
            'fixed': self.is_fixed,
            'why_not': self.error,
        }


def _all_runs() -> list[RunRef]:
    runs = []
    for tag in sorted(layout.tags(ROOT)):
        runs += [RunRef(tag, number) for number in layout.numbers(ROOT, tag)]
    return runs


def _summarize(cases: list[_Case], run_count: int, is_fixing: bool) -> None:
    wrong = [case for case in cases if not case.finding.is_harmless]
    if not wrong:
        echo(f'nothing is half-made: {plural(run_count, "run")} looked at')
        return
    if is_fixing:
        left = sum(case.is_left for case in wrong)
        echo(f'{len(wrong) - left} fixed, {left} left')
        return
    fixable = sum(case.finding.fix is not None for case in wrong)
    hint = f': `tagrun doctor --fix` fixes {fixable}' if fixable else ''
    echo(f'{plural(len(wrong), "finding")}{hint}')
