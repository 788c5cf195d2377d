"""Run the tool's own tests, with pytest, on this machine.

Words and options that are not below are pytest's. It first installs what the tests need into .venv.
It tests Tagrun, not your model: `tagrun selftest` does that.
"""

import os

from tagrun.core.check import lint
from tagrun.core.cli.messages import echo
from tagrun.core.cli.parser import Parser, argument_parser
from tagrun.core.environment import check, install
from tagrun.core.project import ROOT, TOOL

GROUP = 'Care', 5
EXAMPLES = (
    'tagrun test                         some minutes',
    'tagrun test -k continue             the tests with that word in their names',
    'tagrun test code/tagrun/tests/command/test_setup.py',
    'tagrun test --lint                  check the source with ruff, mypy and shellcheck',
)
TESTS = TOOL / 'tests'
# With one of these pytest runs in so many processes as they say, or must run in one.
OWN_PROCESSES = (
    '-n',
    '--numprocesses',
    '--dist',
    '-p',
    '-s',
    '--capture=no',
    '-x',
    '--pdb',
    '--trace',
)


def main(argv: list[str]) -> int:
    """Become pytest; with --lint, return 1 if the source is not clean."""
    if argv in (['-h'], ['--help']):
        build_parser().print_help()
        return 0
    install.install_for_tests()
    if argv == ['--lint']:
        return _lint()
    _become_pytest(argv)
    return 0


def build_parser() -> Parser:
    """Return the parser of the help; pytest reads the words."""
    parser = argument_parser('test', __doc__, EXAMPLES)
    parser.add_argument('word', nargs='*', help="a test file, or any other word of pytest's")
    parser.add_argument('--slow', action='store_true', help='the long campaigns too')
    parser.add_argument('--lint', action='store_true', help='check the source instead')
    return parser


def _lint() -> int:
    failed = lint.run_all(check.python())
    if failed:
        echo(f'tagrun: not clean: {", ".join(failed)}')
    return 1 if failed else 0


def _become_pytest(argv: list[str]) -> None:
    words = [_absolute(word) for word in argv]
    if not any(word.startswith(OWN_PROCESSES) for word in words):
        words = ['-n', '2', *words]
    if not any(os.path.isabs(word) for word in words):
        words = [str(TESTS), *words]
    os.chdir(ROOT)
    python = check.python()
    # One thread: the tests share the cores.
    environment = {**os.environ, 'OMP_NUM_THREADS': '1'}
    # exec, so that pytest gets the signals and sets the exit code.
    os.execve(python, [python, '-m', 'pytest', '-p', 'no:cacheprovider', *words], environment)


def _absolute(word: str) -> str:
    """Return a path (or path::test) as an absolute one; every other word as it is."""
    path = word.partition('::')[0]
    if word.startswith('-') or not os.path.exists(path):
        return word
    return os.path.abspath(path) + word[len(path) :]
