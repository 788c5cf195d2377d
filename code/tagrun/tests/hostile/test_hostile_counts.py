"""How many hostile inputs there are, over all files of them.

pytest -s test_hostile_counts.py        # prints the inputs of each class
"""

import importlib.util
from pathlib import Path

from hostile_inputs import COUNTS

AT_LEAST = 400


def test_there_are_at_least_four_hundred_inputs():
    for path in sorted(Path(__file__).parent.glob('test_hostile_*.py')):
        _load(path)  # counts its inputs, once
    print(
        '\n'.join(f'{kind:<40} {count:>5}' for kind, count in COUNTS.items()),
        f'\n{sum(COUNTS.values())} inputs',
    )
    assert sum(COUNTS.values()) >= AT_LEAST


def _load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
