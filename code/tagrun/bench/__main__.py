"""Make all measurements of this folder, one after the other.

    pip install -r code/tagrun/bench/requirements-bench.txt     # what Tagrun is compared with
    python code/tagrun/bench                # a quarter of an hour; --quick: two minutes
    python code/tagrun/bench loop start     # these alone

They are ratios, each against something else in the same minutes, on a machine that does nothing
else. What is not installed is left out. proof.py is apart: it does not measure speed.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import machine
import torch

HERE = Path(__file__).resolve().parent
# title; the script, and its options; further options with --quick
PARTS = (
    ('A training step', 'loop.py --rounds 3', '--rounds 1 --epochs 15'),
    (
        '… of 7 times as many epochs: the history grows',
        'loop.py --rounds 3 --epochs 400 --ways bare Tagrun',
        '--rounds 1 --epochs 30',
    ),
    (
        '… with 70 times the parameters',
        'loop.py --rounds 3 --hidden 1000 --ways bare Tagrun',
        '--rounds 1 --epochs 10',
    ),
    ('… of two processes', 'loop.py --rounds 3 --nproc 2', '--rounds 1 --epochs 15'),
    ('A save of 12 MB each epoch', 'saving.py --rounds 5', '--rounds 1'),
    ('A save of 1.2 GB', 'saving.py --large --rounds 3', '--rounds 1'),
    ('The start of a run', 'start.py', '--rounds 3'),
    ('… in a repository with 100,000 runs', 'start.py --runs 100000', '--rounds 3 --runs 1000'),
    ('A sweep', 'sweep_cost.py', '--trials 20'),
    ('Tables of 10,000 runs', 'tables.py', '--quick'),
    ('Fetching one run among 10,000', 'sharing.py', '--quick'),
)
ON_A_GPU = (
    ('A training step on the GPU, small model', 'loop.py --rounds 3 --device cuda', '--rounds 1'),
    ('… bf16', 'loop.py --rounds 3 --device cuda --amp bf16', '--rounds 1'),
    ('… compiled', 'loop.py --rounds 3 --device cuda --compile', '--rounds 1'),
    ('… large model', 'loop.py --rounds 3 --device cuda --hidden 8000', '--rounds 1'),
    (
        '… bf16, compiled',
        'loop.py --rounds 3 --device cuda --hidden 8000 --amp bf16 --compile',
        '--rounds 1',
    ),
    ('A save of 1.2 GB from the GPU', 'saving.py --large --rounds 3 --device cuda', '--rounds 1'),
    ('Exact there, killed and continued, and run again?', '../../tagrun selftest', ''),
)


def main() -> bool:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'scripts',
        nargs='*',
        help='loop, saving, start, sweep, tables, sharing, tagrun; all if none is given',
    )
    parser.add_argument(
        '--quick',
        action='store_true',
        help='one round of everything: whether it works, not how fast',
    )
    args = parser.parse_args()
    print(machine.describe(), flush=True)
    has_failed = False
    for title, command, quick in PARTS + ON_A_GPU * torch.cuda.is_available():
        script, *words = command.split()
        if args.scripts and Path(script).stem not in args.scripts:
            continue
        print(f'\n{title}: {command}\n', flush=True)
        words += quick.split() if args.quick else []
        done = subprocess.run([sys.executable, HERE / script, *words])
        has_failed |= done.returncode != 0
    return has_failed


if __name__ == '__main__':
    sys.exit(main())
