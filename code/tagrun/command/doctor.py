"""Say what a kill, a full disk or a deleted folder left half-made; with --fix, mend it.

Nothing is deleted that cannot be made again: locks and half-written copies that nothing has touched for ten minutes, empty folders,
bytecode, the trainings of a selftest. What only you can decide is said and left. Exit codes: 0 nothing is wrong, or all is mended; 1 something is left; 2 usage.
"""
from pathlib import Path

from tagrun.command import ailments, choose
from tagrun.command.git import Repository
from tagrun.command.say import Refusal, parser, plural, printable, say
from tagrun.store import jsonfile, layout

EXAMPLES = ('doctor                  what is half-made, and what --fix would do',
            'doctor --fix            mend it',
            'doctor first wide/2     of these runs alone; with the git folder and the lists')
ROOT = Path(__file__).resolve().parents[3]


def main(argv):
    options = parser('doctor', __doc__, EXAMPLES)
    options.add_argument('run', nargs='*', help='<tag> (all its runs), <tag>/<id>, @<set> or @last; without any, all')
    options.add_argument('--fix', action='store_true', help='mend what can be mended')
    options.add_argument('--json', action='store_true', help='for a program')
    options = options.parse_args(argv)
    repository = Repository.at(ROOT)
    runs = choose.several(ROOT, options.run) if options.run else _all()
    found = [_Case(ailment, options.fix) for ailment in ailments.of_project(repository, runs)]
    if options.json:
        print(jsonfile.dumps([case.plain() for case in found]), end='')
    else:
        for case in found:
            print(printable(case.line()).replace('\n', ' '))
    _tell(found, runs, options.fix)
    return 1 if any(case.is_left for case in found) else 0


class _Case:
    """An ailment, and what became of it."""

    def __init__(self, ailment, fix):
        self.ailment, self.mended, self.why_not = ailment, False, ''
        if fix and ailment.mend:
            try:
                ailment.mend()
                self.mended = True
            except (OSError, ValueError, Refusal) as error:
                self.why_not = str(error)

    @property
    def is_left(self):
        return not self.mended and not self.ailment.harmless

    def line(self):
        where, what, cure, mend, _ = self.ailment
        if self.mended:
            return f'{where}: {what}. Mended: --fix {cure}'
        if self.why_not:
            return f'{where}: {what}. It could not be mended: {self.why_not}'
        return f'{where}: {what}. {"--fix " if mend else ""}{cure}'

    def plain(self):
        where, what, cure, mend, harmless = self.ailment
        return {'where': where, 'what': what, 'cure': cure, 'can_be_mended': mend is not None, 'harmless': harmless,
                'mended': self.mended, 'why_not': self.why_not}


def _all():
    return [(tag, number) for tag in sorted(layout.tags(ROOT)) for number in layout.numbers(ROOT, tag)]


def _tell(found, runs, fix):
    wrong = [case for case in found if not case.ailment.harmless]
    curable = sum(case.ailment.mend is not None for case in wrong)
    if not wrong:
        say(f'nothing is half-made: {plural(len(runs), "run")} looked at')
    elif fix:
        left = sum(case.is_left for case in wrong)
        say(f'{len(wrong) - left} mended, {left} left')
    else:
        say(f'{plural(len(wrong), "finding")}' + (f': `tagrun doctor --fix` mends {curable}' if curable else ''))
