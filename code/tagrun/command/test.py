"""Run the tool's own tests, with pytest, on this machine.

    tagrun test                         # some minutes; --slow runs the long campaigns too
    tagrun test -k continue             # all further words are pytest's
    tagrun test code/tagrun/tests/test_setup.py

It brings what the tests need into .venv first. It tests Tagrun, not your model: `tagrun selftest` does that.
"""
import os

from tagrun.command import setup
from tagrun.store import layout

TESTS = setup.CODE / 'tagrun' / 'tests'
# Then the number of processes is chosen already, or must be one.
OWN_PROCESSES = ('-n', '--numprocesses', '--dist', '-p', '-s', '--capture=no', '-x', '--pdb', '--trace')


def bring():
    """What all tests need, into .venv: without its packages an extra's tests are skipped."""
    extras = [] if setup.is_yours() else sorted(setup.CODE.glob('requirements-*.txt'))
    setup.bring([setup.REQUIREMENTS, *(extras or [setup.FOR_TESTS])])


def main(argv):
    if argv in (['-h'], ['--help']):
        print(__doc__)
        return
    bring()
    words = [_absolute(word) for word in argv]
    if not any(word.startswith(OWN_PROCESSES) for word in words):
        words = ['-n', '2', *words]
    if not any(os.path.isabs(word) for word in words):
        words = [str(TESTS), *words]
    python = setup.python()
    os.chdir(layout.root_of(setup.CODE))
    # One thread: the tests share the cores. exec, so that pytest has the last word, the signals and the exit code.
    os.execve(python, [python, '-m', 'pytest', '-p', 'no:cacheprovider', *words], {**os.environ, 'OMP_NUM_THREADS': '1'})


def _absolute(word):
    """A path (or path::test) as seen from any folder; every other word as it is."""
    path = word.partition('::')[0]
    return os.path.abspath(path) + word[len(path):] if os.path.exists(path) and not word.startswith('-') else word
