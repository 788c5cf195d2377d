"""What saving costs: an epoch with Tagrun's checkpoint (copied, digested, synced, beside training), with a plain torch.save, and with none.

    python code/tagrun/bench/saving.py [--rounds 5]
    python code/tagrun/bench/saving.py --large          # how long training stands still for a state of 1.2 GB, and how long it takes to load

One project, one model of a million parameters (12 MB with Adam's moments), whole trainings in turns; the time from epoch's end to epoch's
end, the first two left out, medians. An epoch is 300 steps, about a second: what a save takes is the same for longer ones. On a machine that is busy otherwise the three differ by more than what is measured.
--large: 100 million parameters with Adam's moments, against a synchronous torch.save with fsync, in turns.
"""
import argparse
import os
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
MODEL = {'model': "'mlp'", 'hidden': '1000', 'epochs': '10', 'batch_size': '12', 'phases': "('train',)", 'watch': "'train/loss'", 'watch_mode': "'min'", 'keep_last': '1'}


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument('--rounds', type=int, default=5)
    options.add_argument('--large', action='store_true', help='1.2 GB: the stall, and loading')
    found = options.parse_args()
    if found.large:
        return large(found.rounds)
    medians = measure(found.rounds)
    for way in WAYS:
        more = medians[way] - medians['no save']
        print(f'{way:<12} {medians[way]:.4f} s an epoch   {1000 * more:+5.1f} ms   {100 * more / medians["no save"]:+5.1f} %')


def measure(rounds):
    """{way: median seconds of an epoch}."""
    from conftest import make_data, make_project
    with tempfile.TemporaryDirectory() as folder:
        project = make_project(Path(folder) / 'project', make_data(Path(folder)), **MODEL)
        seconds = {way: [] for way in WAYS}
        for _ in range(rounds):
            for way in WAYS:
                done = subprocess.run([sys.executable, __file__, way], cwd=project.root, capture_output=True, text=True, check=True,
                                      env={**os.environ, 'PYTHONPATH': str(project.root / 'code'), 'OMP_NUM_THREADS': '1', 'TRAIN': way})
                seconds[way] += map(float, done.stdout.split('seconds:')[1].split())
    return {way: statistics.median(times) for way, times in seconds.items()}


def large(rounds):
    """Print the medians of what a save of 1.2 GB takes from training, and of what loading it takes."""
    import torch
    from tagrun.training import checkpoint
    torch.set_num_threads(1)
    model = {f'layer {number}': torch.randn(1000, 4000) for number in range(25)}
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


def train(way):
    """The project's own main(), its save replaced; prints each epoch's seconds."""
    from concurrent.futures import Future

    import main as researchers
    import torch
    from tagrun.training import checkpoint, run
    ends, real = [], run.Run.end_epoch

    def end_epoch(self, state):
        real(self, state)
        ends.append(time.perf_counter())

    def save(self, name, content, best=False):
        if way == 'torch.save':
            torch.save(content, self._place / name)
        done = Future()
        done.set_result('0' * 64)
        return done
    run.Run.end_epoch = end_epoch
    if way != 'Tagrun':
        checkpoint.Checkpoints.save = save
    researchers.main()
    print('seconds:', *(end - begin for begin, end in zip(ends[1:], ends[2:])))


if __name__ == '__main__':
    train(os.environ['TRAIN']) if 'TRAIN' in os.environ else main()
