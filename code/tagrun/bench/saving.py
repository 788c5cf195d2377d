"""What saving costs: an epoch with Tagrun's checkpoint, with a plain torch.save, and with none.

    python code/tagrun/bench/saving.py [--rounds 5]
    python code/tagrun/bench/saving.py --large      # 1.2 GB: how long training stops, and loading

Tagrun's checkpoint is copied, then digested and synced beside training. A model of a million
parameters (12 MB with Adam's moments), epochs of 450 steps, about a second; a save takes the same
for longer ones. In one training every three epochs end in the three ways, in an order drawn anew;
from the end of one to the end of the next, its save and what goes on beside the training are
counted. The median over the threes: other work of the machine meets the three alike. --large: 100
million parameters with Adam's moments, against a synchronous torch.save with fsync, in turns.
--device cuda: of a model on the GPU.
"""

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CODE = Path(__file__).resolve().parents[2]
# with TRAIN this process imports the project's own code
if 'TRAIN' not in os.environ:
    sys.path[1:1] = [str(CODE), str(CODE / 'tagrun' / 'tests' / 'support')]
WAYS = ('no save', 'Tagrun', 'torch.save')
WARM_UP = 3  # epochs
THREES = 8  # in a training
MODEL = {
    'model': "'mlp'",
    'hidden': '1000',
    'epochs': str(WARM_UP + 3 * THREES + 1),
    'batch_size': '8',
    'phases': "('train',)",
    'monitor': "'train/loss'",
    'monitor_mode': "'min'",
    'keep_last': '1',
    'device': "'cpu'",
}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--large', action='store_true', help='1.2 GB: the stall, and loading')
    parser.add_argument('--device', default='cpu', help='where the large state lies: cpu or cuda')
    args = parser.parse_args()
    if args.large:
        return large(args.rounds, args.device)
    seconds = measure(args.rounds)
    plain = statistics.median(seconds['no save'])
    print(f'no save      {plain:.3f} s an epoch, the median of {len(seconds["no save"])}')
    for way in WAYS[1:]:
        more = added(seconds, way)
        low, _, high = statistics.quantiles(_differences(seconds, way))
        half = f'(half of them {1000 * low:+.0f} to {1000 * high:+.0f})'
        print(f'{way:<12} {1000 * more:+.1f} ms   {half}   {100 * more / plain:+.1f} %')


def measure(rounds):
    """Return {way: seconds of each epoch}, side by side as they were measured."""
    from project_factory import make_data, make_project

    seconds = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        data = make_data(Path(folder))
        project = make_project(Path(folder) / 'project', data, matrices=True, **MODEL)
        for number in range(rounds):
            done = subprocess.run(
                [sys.executable, __file__],
                cwd=project.root,
                capture_output=True,
                text=True,
                check=True,
                env={
                    **os.environ,
                    'PYTHONPATH': str(project.root / 'code'),
                    'OMP_NUM_THREADS': '1',
                    'TRAIN': str(number),
                },
            )
            lines = done.stdout.split('seconds:')[1].strip().splitlines()
            for way, times in zip(WAYS, lines, strict=True):
                seconds[way] += map(float, times.split())
    return seconds


def added(seconds, way):
    """Return by how many seconds this way of saving lengthens an epoch: the median."""
    return statistics.median(_differences(seconds, way))


def _differences(seconds, way):
    pairs = zip(seconds[way], seconds['no save'], strict=True)
    return [with_save - without for with_save, without in pairs]


def large(rounds, device):
    """Print the medians of how long 1.2 GB stop the training, and of how long loading takes."""
    import torch

    from tagrun.training import checkpoint

    torch.set_num_threads(1)
    content = _large_state(device)
    seconds = {
        'torch.save and fsync': [],
        'Tagrun: training stands still': [],
        'Tagrun: until it is on disk': [],
        'Tagrun: load': [],
        'torch.load': [],
    }
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / 'plain.pth'
        background = checkpoint.Background()
        saver = checkpoint.Checkpoints(folder, background, keep_last=1, keep_every=0)
        for number in range(rounds + 1):
            name = f'epoch_{number}.pth'
            times = (
                _timed(_plain_save, content, plain),
                _timed(saver.save, name, content),
                _timed(background.wait),
                _timed(checkpoint.load, folder, name),
                _timed(torch.load, plain),
            )
            # the first round makes the buffers
            for values, taken in zip(seconds.values(), times, strict=True):
                values += [taken] if number else []
    first = statistics.median(seconds['torch.save and fsync'])
    for name, values in seconds.items():
        median = statistics.median(values)
        print(f'{name:<32} {median:6.3f} s   {median / first:5.2f}')


def _large_state(device):
    import torch

    model = {f'layer {number}': torch.randn(1000, 4000, device=device) for number in range(25)}
    moments = {}
    for name, weight in model.items():
        moments[name] = {'exp_avg': weight.clone(), 'exp_avg_sq': weight.square()}
    return {'state': {'model': model, 'optimizer': moments}, 'random': None}


def _plain_save(content, path):
    import torch

    with open(path, 'wb') as file:
        torch.save(content, file)
        file.flush()
        os.fsync(file.fileno())


def _timed(function, *arguments):
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def train(seed):
    """Train by the project's own main(), each epoch saved in one of the ways.

    Prints the seconds of each epoch, a line a way.
    """
    from concurrent.futures import Future

    import torch

    import main as project_main
    from tagrun.training import checkpoint, run

    ends = []
    order = _draw_order(seed)
    end, save = run.Run.end_epoch, checkpoint.Checkpoints.save

    def end_epoch(self, state):
        ends.append(time.perf_counter())
        end(self, state)

    def save_in_turn(self, name, content, best=False):
        way = order[len(ends) - 1]
        if way == 'Tagrun':
            return save(self, name, content, best)
        if way == 'torch.save':
            torch.save(content, 'plain.pth')
        done = Future()
        done.set_result('0' * 64)
        return done

    run.Run.end_epoch, checkpoint.Checkpoints.save = end_epoch, save_in_turn
    project_main.main()
    print('seconds:')
    epochs = list(zip(ends, ends[1:], order, strict=False))
    for way in WAYS:
        print(*[end - start for start, end, saved_by in epochs if saved_by == way])


def _draw_order(seed):
    """Return how each epoch is saved: None while it warms up, then threes in any order."""
    draw, order = random.Random(seed), [None] * WARM_UP
    for _ in range(THREES):
        order += draw.sample(WAYS, len(WAYS))
    return [*order, 'no save']


if __name__ == '__main__':
    if 'TRAIN' in os.environ:
        train(int(os.environ['TRAIN']))
    else:
        main()
