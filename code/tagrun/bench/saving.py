"""What saving costs: an epoch with Tagrun's checkpoint (copied, digested, synced, beside training), with a plain torch.save, and with none.

    python code/tagrun/bench/saving.py [--rounds 5]
    python code/tagrun/bench/saving.py --large          # how long training stands still for a state of 1.2 GB, and how long it takes to load

A model of a million parameters (12 MB with Adam's moments), epochs of 450 steps, about a second; what a save takes is the same for longer ones.
In one training every three epochs end in the three ways, in an order drawn anew; from the end of one to the end of the next, its save and what goes on
beside the training are counted. The median over the threes: what happens on the machine besides meets the three alike.
--large: 100 million parameters with Adam's moments, against a synchronous torch.save with fsync, in turns. --device cuda: of a model on the GPU.
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
if 'TRAIN' not in os.environ:     # else it is the project's own code that is imported
    sys.path[1:1] = [str(CODE), str(CODE / 'tagrun' / 'tests')]
WAYS = ('no save', 'Tagrun', 'torch.save')
FIRST, THREES = 3, 8     # epochs that warm up; threes in a training
MODEL = {'model': "'mlp'", 'hidden': '1000', 'epochs': str(FIRST + 3 * THREES + 1), 'batch_size': '8', 'phases': "('train',)", 'watch': "'train/loss'", 'watch_mode': "'min'",
         'keep_last': '1', 'device': "'cpu'"}


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument('--rounds', type=int, default=5)
    options.add_argument('--large', action='store_true', help='1.2 GB: the stall, and loading')
    options.add_argument('--device', default='cpu', help='where the large state lies: cpu or cuda')
    found = options.parse_args()
    if found.large:
        return large(found.rounds, found.device)
    seconds = measure(found.rounds)
    plain = statistics.median(seconds['no save'])
    print(f'no save      {plain:.3f} s an epoch, the median of {len(seconds["no save"])}')
    for way in WAYS[1:]:
        more, (low, _, high) = added(seconds, way), statistics.quantiles(_differences(seconds, way))
        print(f'{way:<12} {1000 * more:+.1f} ms   (half of them {1000 * low:+.0f} to {1000 * high:+.0f})   {100 * more / plain:+.1f} %')


def measure(rounds):
    """{way: seconds of each epoch}, side by side as they were measured."""
    from conftest import make_data, make_project
    seconds = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        project = make_project(Path(folder) / 'project', make_data(Path(folder)), **MODEL)
        for number in range(rounds):
            done = subprocess.run([sys.executable, __file__], cwd=project.root, capture_output=True, text=True, check=True,
                                  env={**os.environ, 'PYTHONPATH': str(project.root / 'code'), 'OMP_NUM_THREADS': '1', 'TRAIN': str(number)})
            for way, times in zip(WAYS, done.stdout.split('seconds:')[1].strip().splitlines()):
                seconds[way] += map(float, times.split())
    return seconds


def added(seconds, way):
    """Seconds that an epoch takes longer with this way of saving than its neighbour without: the median."""
    return statistics.median(_differences(seconds, way))


def _differences(seconds, way):
    return [with_it - without for with_it, without in zip(seconds[way], seconds['no save'])]


def large(rounds, device):
    """Print the medians of what a save of 1.2 GB takes from training, and of what loading it takes."""
    import torch
    from tagrun.training import checkpoint
    torch.set_num_threads(1)
    model = {f'layer {number}': torch.randn(1000, 4000, device=device) for number in range(25)}
    moments = {name: {'exp_avg': weight.clone(), 'exp_avg_sq': weight.square()} for name, weight in model.items()}
    content = {'state': {'model': model, 'optimizer': moments}, 'random': None}
    seconds = {'torch.save and fsync': [], 'Tagrun: training stands still': [], 'Tagrun: until it is on disk': [], 'Tagrun: load': [], 'torch.load': []}
    with tempfile.TemporaryDirectory() as folder:
        background = checkpoint.Background()
        saver = checkpoint.Checkpoints(folder, background, keep_last=1, keep_every=0)
        for number in range(rounds + 1):
            times = _timed(lambda: _plain_save(content, Path(folder) / 'plain.pth')), _timed(lambda: saver.save(f'epoch_{number}.pth', content)), \
                _timed(background.wait), _timed(lambda: checkpoint.load(folder, f'epoch_{number}.pth')), _timed(lambda: torch.load(Path(folder) / 'plain.pth'))
            for each, taken in zip(seconds.values(), times):
                each += [taken] * bool(number)      # the first makes the buffers
    first = statistics.median(next(iter(seconds.values())))
    for name, times in seconds.items():
        print(f'{name:<32} {statistics.median(times):6.3f} s   {statistics.median(times) / first:5.2f}')


def _plain_save(content, path):
    import torch
    with open(path, 'wb') as file:
        torch.save(content, file)
        file.flush()
        os.fsync(file.fileno())


def _timed(function):
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def train(seed):
    """The project's own main(), each epoch saved in one of the ways; prints the seconds of each, a line a way."""
    from concurrent.futures import Future

    import main as researchers
    import torch
    from tagrun.training import checkpoint, run
    draw, ends = random.Random(seed), []
    order = [None] * FIRST + [way for _ in range(THREES) for way in draw.sample(WAYS, len(WAYS))] + ['no save']
    end, save = run.Run.end_epoch, checkpoint.Checkpoints.save

    def end_epoch(self, state):
        ends.append(time.perf_counter())
        end(self, state)

    def saved(self, name, content, best=False):
        way = order[len(ends) - 1]
        if way == 'Tagrun':
            return save(self, name, content, best)
        if way == 'torch.save':
            torch.save(content, self._place / 'plain.pth')
        done = Future()
        done.set_result('0' * 64)
        return done
    run.Run.end_epoch, checkpoint.Checkpoints.save = end_epoch, saved
    researchers.main()
    print('seconds:')
    for way in WAYS:
        print(*(next_end - this for this, next_end, how in zip(ends, ends[1:], order) if how == way))


if __name__ == '__main__':
    train(int(os.environ['TRAIN'])) if 'TRAIN' in os.environ else main()
