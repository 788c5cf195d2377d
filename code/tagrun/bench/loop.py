"""A training step of Tagrun's whole loop, against a bare PyTorch loop, one by hand, and frameworks.

    python code/tagrun/bench/loop.py [--rounds 5] [--epochs 60] [--hidden 100] [--ways bare Tagrun]
    python code/tagrun/bench/loop.py --nproc 2      # against DistributedDataParallel by torchrun
    python code/tagrun/bench/loop.py --device cuda --hidden 4000 --amp bf16 --compile
    pip install -r code/tagrun/bench/requirements-bench.txt     # Lightning, Ignite, Accelerate

MNIST-1D's MLP, batches of 100, AdamW, one thread, all 4,000 samples: 40 steps an epoch. Tagrun:
bars, running loss and accuracy, TensorBoard at each step, trace, history, a synced and digested
checkpoint each epoch, signals handled. `by hand`: bars, the same metrics, TensorBoard at each step,
torch.save each epoch. The frameworks: loss and accuracy, no checkpoint. All but Tagrun read with
torch's default DataLoader. Each way is a process of its own, all in turns; wall time from epoch's
end to epoch's end, the first five left out; medians. With several processes, on a GPU, with AMP or
torch.compile: the bare loop and Tagrun, both with them. What each way does is in loop_ways.py.
"""

import argparse
import importlib.util
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from loop_ways import ANYWHERE, WAYS

HERE = Path(__file__).resolve().parent
CODE = HERE.parents[1]
sys.path[1:1] = [str(CODE), str(CODE / 'tagrun' / 'tests' / 'support')]
SETTINGS = {
    'model': "'mlp'",
    'phases': "('train',)",
    'monitor': "'train/loss'",
    'monitor_mode': "'min'",
    'val_fraction': '0.0',
    'dropout': '0.0',
    'schedule': "'constant'",
    'batch_size': '100',
}
WARM_UP = 5  # epochs
STEPS = 40  # in an epoch


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--epochs', type=int, default=60)
    parser.add_argument(
        '--hidden',
        type=int,
        default=100,
        help="of the MLP's layers: how the ratio grows with the work of a step",
    )
    parser.add_argument(
        '--ways', nargs='+', choices=WAYS, help='these alone; the first one is 1.00'
    )
    parser.add_argument('--nproc', type=int, default=1, help='processes that share each batch')
    parser.add_argument('--device', default='cpu', choices=('cpu', 'cuda'))
    parser.add_argument('--amp', default='off', choices=('off', 'bf16'))
    parser.add_argument('--compile', action='store_true')
    args = parser.parse_args()
    settings = {
        'epochs': args.epochs,
        'hidden': args.hidden,
        'device': args.device,
        'amp': args.amp,
        'torch_compile': args.compile,
    }
    ways = args.ways or _possible_ways(args)
    medians = measure(ways, args.rounds, args.nproc, **settings)
    for way, (median, lowest, highest) in medians.items():
        range_text = f'({1e6 * lowest:.0f} to {1e6 * highest:.0f})'
        ratio = median / medians[ways[0]][0]
        print(f'{way:<24} {1e6 * median:7.0f} µs a step   {range_text}   {ratio:5.2f}')


def _possible_ways(args: argparse.Namespace) -> list[str]:
    """Return the ways that are installed and know these options."""
    is_plain = (args.nproc, args.device, args.amp, args.compile) == (1, 'cpu', 'off', False)
    ways = WAYS if is_plain else ANYWHERE
    packages = {way: WAYS[way].package for way in ways}
    return [
        way for way, package in packages.items() if not package or importlib.util.find_spec(package)
    ]


def measure(
    ways: list[str], rounds: int, processes: int, **settings: object
) -> dict[str, tuple[float, float, float]]:
    """Return {way: (median, lowest, highest of the rounds' medians)}, in seconds a step."""
    from project_factory import make_data, make_project

    texts = {name: repr(value) for name, value in settings.items()}
    values: dict[str, list[float]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as folder:
        data = make_data(Path(folder))
        project = make_project(Path(folder) / 'project', data, matrices=True, **SETTINGS, **texts)
        for _ in range(rounds):
            for way in ways:
                values[way].append(_seconds_a_step(project.root, way, processes))
    return {way: (statistics.median(one), min(one), max(one)) for way, one in values.items()}


def _seconds_a_step(root: Path, way: str, processes: int) -> float:
    """Train once, in a process of its own; return the median over the epochs."""
    done = subprocess.run(
        [sys.executable, *_torchrun(way, processes), HERE / 'loop_ways.py'],
        cwd=root,
        capture_output=True,
        text=True,
        env={
            **os.environ,
            'PYTHONPATH': str(root / 'code'),
            'OMP_NUM_THREADS': '1',
            'WAY': way,
            'PROCESSES': str(processes),
        },
    )
    line = re.search('^ends:(.*)$', done.stdout, re.MULTILINE)
    if done.returncode or not line:
        sys.exit(f'{way}: {done.stderr[-2000:]}')
    ends = [float(word) for word in line[1].split()][WARM_UP:]
    pairs = zip(ends, ends[1:], strict=False)
    return statistics.median((end - start) / STEPS for start, end in pairs)


def _torchrun(way: str, processes: int) -> list[str]:
    """Return the words that start several processes; Tagrun starts its own."""
    if processes == 1 or way == 'Tagrun':
        return []
    rendezvous = ['--rdzv-backend=c10d', '--rdzv-endpoint=127.0.0.1:0', '--local-addr=127.0.0.1']
    return ['-m', 'torch.distributed.run', f'--nproc-per-node={processes}', *rendezvous]


if __name__ == '__main__':
    main()
