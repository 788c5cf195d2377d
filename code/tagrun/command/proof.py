"""Break runs in many ways, and count what does not come back.

It starts code/tagrun/bench/proof.py, which takes the options. It first installs what the tests need
into .venv.
"""

import os
import runpy
import sys
from collections.abc import Callable

from tagrun.core.cli.parser import Parser
from tagrun.core.environment import check, install
from tagrun.core.project import TOOL

GROUP = 'Care', 6
PROOF = TOOL / 'bench' / 'proof.py'


def main(argv: list[str]) -> None:
    """Become bench/proof.py. -h and wrong usage are answered before anything is installed."""
    build_parser().parse_args(argv)
    install.install_for_tests()
    python = check.python()
    os.execv(python, [python, str(PROOF), *argv])


def build_parser() -> Parser:
    """Return the parser of bench/proof.py."""
    # as Python does that runs this file
    sys.path.insert(0, str(PROOF.parent))
    make: Callable[[], Parser] = runpy.run_path(str(PROOF))['build_parser']
    return make()
