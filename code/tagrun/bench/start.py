"""From the call of `run` to the first line of main.py, against a hand-written script.

    python code/tagrun/bench/start.py [--rounds 15] [--runs 100000]

The script does the least of the same: git commit-tree, git tag -a, git archive | tar x, python
main.py. Both in a fresh copy of the project, in turns; medians. Where they are installed
(requirements-bench.txt): `dvc exp run` too, and a main.py that MLflow starts a run in, in a folder
of files. --runs: in a repository that has so many runs already, their refs packed as `git gc` does.
"""

import argparse
import importlib.util
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CODE = Path(__file__).resolve().parents[2]
MAIN = "import os, time\nopen(os.environ['BEGAN'], 'w').write(repr(time.time()))\n"
# the package that each needs
PEERS = {'dvc exp run': 'dvc', 'MLflow': 'mlflow'}
STAGE = 'stages:\n  train:\n    cmd: \'"$PYTHON" code/main.py\'\n    always_changed: true\n'
MLFLOW = '''
import runpy, sys, mlflow
with mlflow.start_run(run_name=sys.argv[1]):
    mlflow.log_params({'lr': 0.1, 'seed': 1})
    runpy.run_path('code/main.py')
'''
IDENTITY = ['-c', 'user.name=A', '-c', 'user.email=a@example.org']
BY_HAND = '''set -e
commit=$(git commit-tree HEAD^{tree} -p HEAD -m "$1")
git tag -a -m "$1" "$1" "$commit"
mkdir -p "__result__/$1/0"
git archive "$1" code | tar x -C "__result__/$1/0"
exec "$PYTHON" -u "__result__/$1/0/code/main.py"
'''


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--rounds', type=int, default=15)
    parser.add_argument('--runs', type=int, default=0, help='that the repository has before')
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        root = project(Path(folder) / 'project')
        add_runs(root, args.runs)
        add_dvc(root)
        times = measure(root, args.rounds)
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, values in times.items():
        spread = f'({min(values):.3f} to {max(values):.3f}, {args.rounds} rounds)'
        ratio = medians[name] / medians['by hand']
        print(f'{name:<12} median {medians[name]:.3f} s   {spread}   {ratio:6.2f}')


def measure(root: Path, rounds: int) -> dict[str, list[float]]:
    """Return {name: seconds of each round}; each round starts each command once."""
    python = sys.executable
    commands: dict[str, list[str]] = {
        'tagrun run': [python, 'code/tagrun', 'run'],
        'by hand': ['bash', '-c', BY_HAND, 'by-hand'],
        'dvc exp run': [python, '-m', 'dvc', 'exp', 'run', '--name'],
        'MLflow': [python, '-c', MLFLOW],
    }
    for name, package in PEERS.items():
        if not importlib.util.find_spec(package):
            del commands[name]
    times: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, command in commands.items():
            tag = f'{name.replace(" ", "-")}-{number}'
            seconds = began_after(root, [*command, tag])
            # the first round fills the caches
            if number:
                times[name].append(seconds)
    return times


def project(root):
    shutil.copytree(CODE, root / 'code', ignore=shutil.ignore_patterns('__pycache__'))
    (root / 'code' / 'main.py').write_text(MAIN)
    (root / '.gitignore').write_text('/__*__/\n')
    for words in (['init', '-q'], ['add', '-A'], [*IDENTITY, 'commit', '-qm', 'start']):
        subprocess.run(['git', *words], cwd=root, check=True)
    return root


def add_dvc(root):
    if not importlib.util.find_spec('dvc'):
        return
    subprocess.run([sys.executable, '-m', 'dvc', 'init', '-q'], cwd=root, check=True)
    (root / 'dvc.yaml').write_text(STAGE)
    for words in (['add', '-A'], [*IDENTITY, 'commit', '-qm', 'DVC']):
        subprocess.run(['git', *words], cwd=root, check=True)


def add_runs(root, count):
    """Add `count` tags with one run each, by the packed-refs file itself.

    As 200,000 loose refs git would take minutes to pack them.
    """
    words = ['git', 'rev-parse', 'HEAD']
    done = subprocess.run(words, cwd=root, check=True, capture_output=True, text=True)
    names = [f'refs/tags/old-{number:06}' for number in range(count)]
    for kind in ('code', 'result'):
        names += [f'refs/tagrun/{kind}/old-{number:06}/0' for number in range(count)]
    lines = ''.join(f'{done.stdout.strip()} {name}\n' for name in sorted(names))
    head = '# pack-refs with: peeled fully-peeled sorted \n'
    (root / '.git' / 'packed-refs').write_text(head + lines)


def began_after(root, command):
    """Return the seconds from the call to the first line of main.py."""
    mark = root / 'began'
    env = {
        **os.environ,
        'BEGAN': str(mark),
        'PYTHON': sys.executable,
        'CI': 'true',
        'DVC_NO_ANALYTICS': '1',
        'MLFLOW_ALLOW_FILE_STORE': 'true',
        'MLFLOW_TRACKING_URI': (root / '__mlflow__').as_uri(),
    }
    for role in ('AUTHOR', 'COMMITTER'):
        env |= {f'GIT_{role}_NAME': 'A', f'GIT_{role}_EMAIL': 'a@example.org'}
    start = time.time()
    nowhere = subprocess.DEVNULL
    subprocess.run(command, cwd=root, env=env, check=True, stdout=nowhere, stderr=nowhere)
    seconds = float(mark.read_text()) - start
    mark.unlink()
    return seconds


if __name__ == '__main__':
    main(sys.argv[1:])
