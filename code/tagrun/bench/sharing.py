"""How long `fetch` takes for one new run among many, beside `git fetch` of the same refs.

    python code/tagrun/bench/sharing.py              # 10,000 runs, about five minutes; --quick: 500

The first fetch, of all of them, is measured too. Two clones and a bare repository on one disk; `git
fast-import` makes the runs, ten a tag, with results as a run leaves them. Each round puts one run
more into the bare repository. Wanted: at most 0.5 s beyond git's own.
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
sys.path.append(str(CODE))  # last, as __main__.py has it
from tables import statistic  # noqa: E402  (beside this file)

SPECS = (
    '+refs/tags/*:refs/x/tag/*',
    '+refs/tagrun/code/*:refs/x/code/*',
    '+refs/tagrun/result/*:refs/x/result/*',
)
BY_GIT = ['git', 'fetch', '-q', '--no-tags', 'origin', *SPECS]
HISTORY = 'epoch,train/loss,val/acc,seconds\n' + ''.join(
    f'{epoch},{1 / epoch},{1 - 1 / epoch},0.5\n' for epoch in range(1, 31)
)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--quick', action='store_true', help='500 runs')
    parser.add_argument('--rounds', type=int, default=5)
    args = parser.parse_args()
    count = 500 if args.quick else 10_000
    with tempfile.TemporaryDirectory(prefix='tagrun-bench-') as folder:
        hub, clone, bare = make(Path(folder), count)
        first = timed([sys.executable, clone / 'code' / 'tagrun', 'fetch'], clone)
        git_first = timed(BY_GIT, bare)
        # as fetch leaves it
        git(bare, 'pack-refs', '--all')
        rounds = [one_more(hub, clone, bare, count + number) for number in range(args.rounds)]
    report(count, first, git_first, rounds)


def make(folder, count):
    """Return (bare repository with `count` runs, a clone with the tool, a clone for git alone)."""
    hub, clone, bare = folder / 'hub.git', folder / 'clone', folder / 'by git'
    shutil.copytree(
        CODE,
        clone / 'code',
        ignore=shutil.ignore_patterns('__pycache__', '.venv', 'tests', 'bench'),
    )
    git(folder, 'init', '-q', '--bare', '-b', 'main', hub)
    git(clone, 'init', '-q', '-b', 'main')
    git(clone, 'add', '-A')
    git(
        clone, '-c', 'user.name=bench', '-c', 'user.email=bench@localhost', 'commit', '-qm', 'start'
    )
    git(clone, 'remote', 'add', 'origin', hub)
    git(clone, 'push', '-q', 'origin', 'main')
    git(folder, 'clone', '-q', hub, bare)
    put(hub, range(count), git(clone, 'rev-parse', 'HEAD').strip())
    git(hub, 'pack-refs', '--all')
    return hub, clone, bare


def put(hub, numbers, head):
    """Put runs into a bare repository, as a clone would share them."""
    draw, stream = random.Random(0), []
    for number in numbers:
        tag, run = f'tag{number // 10}', f'tag{number // 10}/{number % 10}'
        code, result = 2 * number + 1, 2 * number + 2
        seed = {'code/seed': f'{number}\n'}
        stream.append(commit(f'refs/tagrun/code/{run}', code, f'run {run}', head, seed))
        if not number % 10:
            tagger = 'tagger b <b@localhost> 1700000000 +0000'
            stream.append(f'tag {tag}\nfrom :{code}\n{tagger}\n{data(f"run {tag}")}')
        files = {
            'statistic.json': json.dumps(statistic(run, draw), indent=2),
            'history.csv': HISTORY,
            'log': 'epoch 1\n' * 30,
            'environment.json': '{"torch": "2.13.0"}',
            'run.json': json.dumps({'tag': tag, 'id': number % 10, 'seed': number}),
        }
        ref, message = f'refs/tagrun/result/{run}', f'result of {run}'
        stream.append(commit(ref, result, message, f':{code}', files, is_new=True))
    subprocess.run(
        ['git', 'fast-import', '--quiet', '--force'],
        cwd=hub,
        check=True,
        input='\n'.join(stream).encode(),
    )


def commit(ref, mark, message, parent, files, is_new=False):
    """Return a commit for git fast-import; is_new: without the files of its parent."""
    lines = [
        f'commit {ref}',
        f'mark :{mark}',
        'committer b <b@localhost> 1700000000 +0000',
        data(message),
        f'from {parent}',
    ]
    lines += ['deleteall'] if is_new else []
    for name, content in files.items():
        lines.append(f'M 100644 inline {name}\n{data(content)}')
    return '\n'.join(lines)


def data(text):
    return f'data {len(text.encode())}\n{text}'


def one_more(hub, clone, bare, number):
    """Return (seconds of `fetch`, seconds of `git fetch`) for one new run."""
    put(hub, [number], git(hub, 'rev-parse', 'main').strip())
    by_git = timed(BY_GIT, bare)
    return timed([sys.executable, clone / 'code' / 'tagrun', 'fetch'], clone), by_git


def timed(command, cwd):
    start = time.perf_counter()
    subprocess.run(
        command, cwd=cwd, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    return time.perf_counter() - start


def git(cwd, *words):
    return subprocess.run(
        ['git', *map(str, words)], cwd=cwd, check=True, capture_output=True, text=True
    ).stdout


def report(count, first, git_first, rounds):
    own = statistics.median(seconds for seconds, _ in rounds)
    by_git = statistics.median(seconds for _, seconds in rounds)
    print(f'{count:,} runs; the first fetch of all: {first:.1f} s, by git alone {git_first:.1f} s')
    times = f'fetch {own:.2f} s, by git alone {by_git:.2f} s'
    print(f'one new run, medians of {len(rounds)}: {times}: {own - by_git:.2f} s beyond it')


if __name__ == '__main__':
    main()
