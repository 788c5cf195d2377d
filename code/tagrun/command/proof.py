"""Break runs in every way we know, on this machine, and write the scoreboard: kills, signals, power cuts, damaged files, races, hostile input.

    tagrun proof                        # short, about ten minutes
    tagrun proof --full -o proof.md     # 1,000 kills, and so on: more than an hour
    tagrun proof --only 1 5 --kills 300

It brings what the tests need into .venv first. Exit code 1 if a figure misses its target; code/tagrun/bench/proof.py has the figures.
"""
import os

from tagrun.command import setup, test

PROOF = setup.CODE / 'tagrun' / 'bench' / 'proof.py'


def main(argv):
    if {'-h', '--help'} & {*argv}:      # before anything is installed
        return print(__doc__)
    test.bring()
    python = setup.python()
    os.execv(python, [python, str(PROOF), *argv])
