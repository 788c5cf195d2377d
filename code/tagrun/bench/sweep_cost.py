"""What a sweep costs each trial: 200 trivial trials, against as many bare `python code/main.py`.

    python code/tagrun/bench/sweep_cost.py [--trials 200] [--real]

Both train one after the other. The training is trivial: it writes the files of a finished run and
ends. With --real it is the template's, an epoch of its linear model. The seconds that each trial
costs are the difference of the two wall times, of the same machine in the same minutes, divided by
the trials: at most 0.5.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1] / 'tests'
sys.path.append(str(TESTS / 'support'))


def main(argv):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--trials', type=int, default=200)
    parser.add_argument(
        '--real', action='store_true', help="the template's training; slower, and noisier"
    )
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        bare_s, sweep_s = measured(Path(folder) / 'project', args.trials, args.real)
    print(
        f'bare         {bare_s / args.trials:.3f} s a training   ({bare_s:.1f} s for '
        f'{args.trials}, one after the other)'
    )
    print(f'sweep        {sweep_s / args.trials:.3f} s a trial      ({sweep_s:.1f} s)')
    print(f'difference   {(sweep_s - bare_s) / args.trials:.3f} s a trial')


def measured(root, trials, real):
    """Return (seconds of the bare trainings, seconds of the sweep)."""
    project = template(root) if real else stub(root)
    words = ['sweep', 't', f'lr=range(1,{trials + 1})']
    words += ['model=linear', 'epochs=1'] if real else []
    start = time.perf_counter()
    subprocess.run(
        project.command(*words),
        cwd=root,
        env=project.env,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    sweep_s = time.perf_counter() - start
    folders = [project.folder(f't/{number}') for number in range(trials)]
    for folder in folders:
        _clear_outputs(folder)
    start = time.perf_counter()
    for folder in folders:
        subprocess.run(
            [sys.executable, '-u', folder / 'code' / 'main.py'],
            cwd=root,
            env={**project.env, 'TAGRUN_RUN': str(folder)},
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    return time.perf_counter() - start, sweep_s


def _clear_outputs(folder):
    """Bring a run's folder back to where it was before its training."""
    for path in folder.iterdir():
        if path.is_dir() and path.name != 'code':
            shutil.rmtree(path)
        elif path.is_file() and path.name != 'run.json':
            path.unlink()


def stub(root):
    import stub_project

    return stub_project.make(root)


def template(root):
    from project_factory import make_data, make_project

    (root.parent / 'data').mkdir()
    return make_project(root, make_data(root.parent / 'data'), matrices=True)


if __name__ == '__main__':
    os.environ.setdefault('OMP_NUM_THREADS', '1')
    main(sys.argv[1:])
