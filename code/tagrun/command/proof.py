"""Break runs in many ways on this machine, and write a table of what did not come back.

    tagrun proof                        # short; --full: 1,000 kills and so on, more than an hour

It starts code/tagrun/bench/proof.py, which takes the options: `tagrun proof -h` lists them. It
first installs what the tests need into .venv.
"""

import os
import sys

from tagrun.core.environment import check, install
from tagrun.core.project import TOOL

PROOF = TOOL / 'bench' / 'proof.py'


def main(argv: list[str]) -> None:
    """Become bench/proof.py."""
    python = sys.executable
    # -h answers before anything is installed
    if not {'-h', '--help'} & {*argv}:
        install.install_for_tests()
        python = check.python()
    os.execv(python, [python, str(PROOF), *argv])
