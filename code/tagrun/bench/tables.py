"""How long `table`, `title` and `expls` take on many runs, beside a script by hand.

    python code/tagrun/bench/tables.py      # 10,000 runs of 2 KB, about a minute; --quick: 500

The script: json, pandas, to_csv. Whole processes, alternately, several rounds; the ratio is of the
medians. At most 1.3 is wanted.
"""

import argparse
import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CODE = Path(__file__).resolve().parents[2]
COMMANDS = ('table', 'title', 'expls')
BY_HAND = '''
import json, sys, pandas
from pathlib import Path
rows = []
for run in open('__statistic__/exper-list/finished.txt').read().split():
    content = json.loads(Path('__result__', run, 'statistic.json').read_text())
    rows.append({'expernameid': run, **content['hparam'], **content['metric']})
pandas.DataFrame(rows).to_csv('by_hand.csv', index=False)
'''


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--quick', action='store_true', help='500 runs')
    parser.add_argument('--rounds', type=int, default=5)
    args = parser.parse_args()
    count = 500 if args.quick else 10_000
    with tempfile.TemporaryDirectory(prefix='tagrun-bench-') as folder:
        project = make_project(Path(folder), count)
        seconds = measure(project, args.rounds)
    report(seconds, count)


def make_project(folder, count):
    """Copy the tool into a git repository with `count` finished runs of 2 KB, ten a tag."""
    shutil.copytree(CODE, folder / 'code', ignore=shutil.ignore_patterns('__pycache__', '.venv'))
    (folder / '__statistic__' / 'exper-list').mkdir(parents=True)
    draw = random.Random(0)
    runs = [f'tag{number // 10}/{number % 10}' for number in range(count)]
    for run in runs:
        (folder / '__result__' / run).mkdir(parents=True)
        (folder / '__result__' / run / 'statistic.json').write_text(
            json.dumps(statistic(run, draw), indent=2)
        )
    (folder / '__statistic__' / 'exper-list' / 'finished.txt').write_text('\n'.join(runs) + '\n')
    for words in (
        ['init', '-q'],
        ['add', '-A', 'code'],
        ['-c', 'user.name=bench', '-c', 'user.email=bench@localhost', 'commit', '-qm', 'start'],
    ):
        subprocess.run(['git', *words], cwd=folder, check=True)
    return folder


def statistic(run, draw):
    """Return what a run of the example leaves, with drawn numbers: about 2 KB."""
    hparam = {
        'model': draw.choice(['linear', 'mlp', 'cnn', 'gru']),
        'lr': 10 ** draw.uniform(-4, -1),
        'hidden': draw.choice([50, 100, 400]),
        'phases': ['train', 'val', 'test'],
        'monitor': 'val/acc',
        'monitor_mode': 'max',
        'schedule': 'cosine',
        'torch_compile': False,
    }
    for number in range(25):
        hparam[f'argument_{number}'] = draw.choice([0, 1, 0.5, 'auto', True])
    metric = {}
    for phase in ('train', 'val', 'test'):
        metric |= {f'{phase}/loss': draw.random(), f'{phase}/acc': draw.random()}
    return {
        'run': run,
        'status': 'finished',
        'seed': draw.getrandbits(32),
        'commit': f'{draw.getrandbits(160):040x}',
        'epoch': 60,
        'epochs': 60,
        'monitor': 'val/acc',
        'monitor_mode': 'max',
        'best_epoch': draw.randint(1, 60),
        'metric': metric,
        'last': metric,
        'hparam': hparam,
        'digest': {'weights': f'{draw.getrandbits(256):064x}'},
        'time': {
            'started': '2026-11-21T09:00:00Z',
            'updated': '2026-11-21T09:10:00Z',
            'seconds': draw.uniform(10, 600),
        },
    }


def measure(project, rounds):
    """Return {name: [seconds of each round]}; the first round only fills the caches."""
    jobs = {'by hand': [sys.executable, '-c', BY_HAND]}
    for command in COMMANDS:
        jobs[command] = [sys.executable, project / 'code' / 'tagrun', command]
    seconds = {name: [] for name in jobs}
    for _ in range(rounds + 1):
        for name, command in jobs.items():
            # each round makes it anew; `table` takes all columns
            shutil.rmtree(project / '__statistic__' / 'title', ignore_errors=True)
            start = time.perf_counter()
            subprocess.run(
                command,
                cwd=project,
                check=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            seconds[name].append(time.perf_counter() - start)
    return {name: times[1:] for name, times in seconds.items()}


def report(seconds, count):
    base = statistics.median(seconds['by hand'])
    print(f'{count:,} runs, medians of {len(seconds["by hand"])} rounds')
    for name, times in seconds.items():
        median = statistics.median(times)
        print(f'{name:<8} {median:6.2f} s   {median / base:4.2f} times')


if __name__ == '__main__':
    main()
