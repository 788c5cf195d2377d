"""Run the tool's own tests, with pytest, on this machine.

    tagrun test                         # some minutes; --slow runs the long campaigns too
    tagrun test -k continue             # all further words are pytest's
    tagrun test code/tagrun/tests/command/test_setup.py
    tagrun test --lint                  # instead: check the source with ruff, mypy and shellcheck

It first installs what the tests need into .venv. It tests Tagrun, not your model: `tagrun selftest`
does that.
"""

import os

from tagrun.core.check import lint
from tagrun.core.cli.messages import echo
from tagrun.core.environment import check, install
from tagrun.core.project import ROOT, TOOL

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
        print(__doc__)
        return 0
    install.install_for_tests()
    if argv == ['--lint']:
        return _lint()
    _become_pytest(argv)
    return 0


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
