"""How long `fetch` takes for one new run among many, beside `git fetch` of the same refs; and how long for all of them at first.

    python code/tagrun/bench/sharing.py              # 10,000 runs, about five minutes; --quick: 500

Two clones and a bare repository on one disk; the runs are made by `git fast-import`, ten a tag, with results as a run leaves them. For each
round one run more is put into the bare repository. Wanted: at most 0.5 s beyond git's own.
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
sys.path.append(str(CODE))      # last, as __main__.py has it
from tables import statistic  # noqa: E402  (beside this file)

SPECS = [f'+refs/{kind}/*:refs/{{place}}/{name}/*' for kind, name in (('tags', 'tag'), ('tagrun/code', 'code'), ('tagrun/result', 'result'))]
HISTORY = 'epoch,train/loss,val/acc,seconds\n' + ''.join(f'{epoch},{1 / epoch},{1 - 1 / epoch},0.5\n' for epoch in range(1, 31))


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument('--quick', action='store_true', help='500 runs')
    options.add_argument('--rounds', type=int, default=5)
    options = options.parse_args()
    count = 500 if options.quick else 10_000
    with tempfile.TemporaryDirectory(prefix='tagrun-bench-') as folder:
        hub, clone, bare = make(Path(folder), count)
        first = timed([sys.executable, clone / 'code' / 'tagrun', 'fetch'], clone)
        git_first = timed(['git', 'fetch', '-q', '--no-tags', 'origin', *(spec.format(place='x') for spec in SPECS)], bare)
        git(bare, 'pack-refs', '--all')     # as fetch leaves it
        rounds = [one_more(hub, clone, bare, count + number) for number in range(options.rounds)]
    tell(count, first, git_first, rounds)


def make(folder, count):
    """(bare repository with `count` runs, a clone with the tool, a clone for git alone)."""
    hub, clone, bare = folder / 'hub.git', folder / 'clone', folder / 'by git'
    shutil.copytree(CODE, clone / 'code', ignore=shutil.ignore_patterns('__pycache__', '.venv', 'tests', 'bench'))
    git(folder, 'init', '-q', '--bare', '-b', 'main', hub)
    git(clone, 'init', '-q', '-b', 'main')
    git(clone, 'add', '-A')
    git(clone, '-c', 'user.name=bench', '-c', 'user.email=bench@localhost', 'commit', '-qm', 'start')
    git(clone, 'remote', 'add', 'origin', hub)
    git(clone, 'push', '-q', 'origin', 'main')
    git(folder, 'clone', '-q', hub, bare)
    put(hub, range(count), git(clone, 'rev-parse', 'HEAD').strip())
    git(hub, 'pack-refs', '--all')
    return hub, clone, bare


def put(hub, numbers, head):
    """Runs as a clone would have shared them."""
    draw, stream = random.Random(0), []
    for number in numbers:
        tag, run = f'tag{number // 10}', f'tag{number // 10}/{number % 10}'
        stream.append(commit(f'refs/tagrun/code/{run}', 2 * number + 1, f'run {run}', head, {'code/seed': f'{number}\n'}))
        if not number % 10:
            stream.append(f'tag {tag}\nfrom :{2 * number + 1}\ntagger b <b@localhost> 1700000000 +0000\n{data(f"run {tag}")}')
        files = {'statistic.json': json.dumps(statistic(run, draw), indent=2), 'history.csv': HISTORY, 'log': 'epoch 1\n' * 30,
                 'environment.json': '{"torch": "2.13.0"}', 'run.json': json.dumps({'tag': tag, 'id': number % 10, 'seed': number})}
        stream.append(commit(f'refs/tagrun/result/{run}', 2 * number + 2, f'result of {run}', f':{2 * number + 1}', files, new=True))
    subprocess.run(['git', 'fast-import', '--quiet', '--force'], cwd=hub, check=True, input='\n'.join(stream).encode())


def commit(ref, mark, message, parent, files, new=False):
    lines = [f'commit {ref}', f'mark :{mark}', 'committer b <b@localhost> 1700000000 +0000', data(message), f'from {parent}']
    lines += ['deleteall'] if new else []
    return '\n'.join(lines + [f'M 100644 inline {name}\n{data(content)}' for name, content in files.items()])


def data(text):
    return f'data {len(text.encode())}\n{text}'


def one_more(hub, clone, bare, number):
    """(seconds of `fetch`, seconds of `git fetch`) for one new run."""
    put(hub, [number], git(hub, 'rev-parse', 'main').strip())
    by_git = timed(['git', 'fetch', '-q', '--no-tags', 'origin', *(spec.format(place='x') for spec in SPECS)], bare)
    return timed([sys.executable, clone / 'code' / 'tagrun', 'fetch'], clone), by_git


def timed(command, cwd):
    start = time.perf_counter()
    subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def git(cwd, *words):
    return subprocess.run(['git', *map(str, words)], cwd=cwd, check=True, capture_output=True, text=True).stdout


def tell(count, first, git_first, rounds):
    ours, by_git = (statistics.median(times) for times in zip(*rounds))
    print(f'{count:,} runs; the first fetch of all: {first:.1f} s, by git alone {git_first:.1f} s')
    print(f'one new run, medians of {len(rounds)}: fetch {ours:.2f} s, by git alone {by_git:.2f} s: {ours - by_git:.2f} s beyond it')


if __name__ == '__main__':
    main()
