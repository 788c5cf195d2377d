"""How many hostile inputs there are, over all files of them.

    pytest -s test_hostile_counts.py        # prints the inputs of each class
"""
import importlib
from pathlib import Path

from hostile import COUNTS

AT_LEAST = 400


def test_there_are_at_least_four_hundred_inputs():
    for path in sorted(Path(__file__).parent.glob('test_hostile_*.py')):
        importlib.import_module(path.stem)      # counts its inputs, once
    print('\n'.join(f'{kind:<40} {count:>5}' for kind, count in COUNTS.items()), f'\n{sum(COUNTS.values())} inputs')
    assert sum(COUNTS.values()) >= AT_LEAST
