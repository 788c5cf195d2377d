"""From the call of `run` to the first line of main.py, against a hand-written script that does the least of the same.

    python code/tagrun/bench/start.py [--rounds 15] [--runs 100000]

The script: git commit-tree, git tag -a, git archive | tar x, python main.py. Both in a fresh copy of the project, in turns; medians.
Beside them, where they are installed (requirements-bench.txt): `dvc exp run`, and a main.py that MLflow starts a run in, in a folder of files.
--runs: in a repository that has so many runs already, their refs packed as `git gc` packs them.
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
PEERS = {'dvc exp run': 'dvc', 'MLflow': 'mlflow'}      # the package that it needs
STAGE = 'stages:\n  train:\n    cmd: \'"$PYTHON" code/main.py\'\n    always_changed: true\n'
MLFLOW = "import runpy, sys, mlflow\nwith mlflow.start_run(run_name=sys.argv[1]):\n    mlflow.log_params({'lr': 0.1, 'seed': 1})\n    runpy.run_path('code/main.py')\n"
BY_HAND = '''set -e
commit=$(git commit-tree HEAD^{tree} -p HEAD -m "$1")
git tag -a -m "$1" "$1" "$commit"
mkdir -p "__result__/$1/0"
git archive "$1" code | tar x -C "__result__/$1/0"
exec "$PYTHON" -u "__result__/$1/0/code/main.py"
'''


def main(argv):
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument('--rounds', type=int, default=15)
    options.add_argument('--runs', type=int, default=0, help='that the repository has before')
    found = options.parse_args(argv)
    rounds = found.rounds
    with tempfile.TemporaryDirectory() as folder:
        root = project(Path(folder) / 'project')
        add_runs(root, found.runs)
        add_dvc(root)
        kinds = {'tagrun run': lambda tag: [sys.executable, 'code/tagrun', 'run', tag], 'by hand': lambda tag: ['bash', '-c', BY_HAND, 'by-hand', tag],
                 'dvc exp run': lambda tag: [sys.executable, '-m', 'dvc', 'exp', 'run', '--name', tag], 'MLflow': lambda tag: [sys.executable, '-c', MLFLOW, tag]}
        kinds = {name: command for name, command in kinds.items() if name not in PEERS or importlib.util.find_spec(PEERS[name])}
        times = {name: [] for name in kinds}
        for number in range(rounds + 1):
            for name, command in kinds.items():
                seconds = began_after(root, command(f'{name.replace(" ", "-")}-{number}'))
                if number:      # the first fills the caches
                    times[name].append(seconds)
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, values in times.items():
        print(f'{name:<12} median {medians[name]:.3f} s   ({min(values):.3f} to {max(values):.3f}, {rounds} rounds)   {medians[name] / medians["by hand"]:6.2f}')


def project(root):
    shutil.copytree(CODE, root / 'code', ignore=shutil.ignore_patterns('__pycache__'))
    (root / 'code' / 'main.py').write_text(MAIN)
    (root / '.gitignore').write_text('/__*__/\n')
    for words in (['init', '-q'], ['add', '-A'], ['-c', 'user.name=A', '-c', 'user.email=a@example.org', 'commit', '-qm', 'start']):
        subprocess.run(['git', *words], cwd=root, check=True)
    return root


def add_dvc(root):
    if not importlib.util.find_spec('dvc'):
        return
    subprocess.run([sys.executable, '-m', 'dvc', 'init', '-q'], cwd=root, check=True)
    (root / 'dvc.yaml').write_text(STAGE)
    for words in (['add', '-A'], ['-c', 'user.name=A', '-c', 'user.email=a@example.org', 'commit', '-qm', 'DVC']):
        subprocess.run(['git', *words], cwd=root, check=True)


def add_runs(root, count):
    """`count` tags with one run each, by the packed-refs file itself: 200,000 loose refs would take git minutes to pack."""
    head = subprocess.run(['git', 'rev-parse', 'HEAD'], cwd=root, check=True, capture_output=True, text=True).stdout.strip()
    names = sorted(name for number in range(count) for name in (f'refs/tags/old-{number:06}', f'refs/tagrun/code/old-{number:06}/0', f'refs/tagrun/result/old-{number:06}/0'))
    (root / '.git' / 'packed-refs').write_text('# pack-refs with: peeled fully-peeled sorted \n' + ''.join(f'{head} {name}\n' for name in names))


def began_after(root, command):
    """Seconds from the call to the first line of main.py."""
    mark = root / 'began'
    env = {**os.environ, 'BEGAN': str(mark), 'PYTHON': sys.executable, 'CI': 'true', 'DVC_NO_ANALYTICS': '1',
           'MLFLOW_ALLOW_FILE_STORE': 'true', 'MLFLOW_TRACKING_URI': (root / '__mlflow__').as_uri(),
           **{f'GIT_{role}_{part}': 'a@example.org' for role in ('AUTHOR', 'COMMITTER') for part in ('NAME', 'EMAIL')}}
    start = time.time()
    subprocess.run(command, cwd=root, env=env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seconds = float(mark.read_text()) - start
    mark.unlink()
    return seconds


if __name__ == '__main__':
    main(sys.argv[1:])
