"""What saving costs: an epoch with Tagrun's checkpoint (copied, digested, synced, beside training), with a plain torch.save, and with none.

    python code/tagrun/bench/saving.py [--rounds 5]

One project, one model of a million parameters (12 MB with Adam's moments), whole trainings in turns; the time from epoch's end to epoch's
end, the first two left out, medians. On a machine that is busy otherwise the three differ by more than what is measured.
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
sys.path[1:1] = [str(CODE), str(CODE / 'tagrun' / 'tests')]
WAYS = ('no save', 'Tagrun', 'torch.save')
MODEL = {'model': "'mlp'", 'hidden': '1000', 'epochs': '10', 'phases': "('train',)", 'watch': "'train/loss'", 'watch_mode': "'min'", 'keep_last': '1'}


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument('--rounds', type=int, default=5)
    medians = measure(options.parse_args().rounds)
    for way in WAYS:
        print(f'{way:<12} {medians[way]:.4f} s an epoch   {100 * (medians[way] / medians["no save"] - 1):+5.1f} %')


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
