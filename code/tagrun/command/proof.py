"""Break runs in every way we know, on this machine, and write the scoreboard of what did not come back.

    tagrun proof                        # short; --full: 1,000 kills and so on, more than an hour

It is code/tagrun/bench/proof.py, which `tagrun proof -h` lets speak. What the tests need is brought into .venv first.
"""
import os
import sys

from tagrun.command import setup, test

PROOF = setup.CODE / 'tagrun' / 'bench' / 'proof.py'


def main(argv):
    python = sys.executable
    if not {'-h', '--help'} & {*argv}:
        test.bring()
        python = setup.python()
    os.execv(python, [python, str(PROOF), *argv])
