"""Which lines and branches of the saving core its tests take, in percent.

    python code/tagrun/bench/core_coverage.py

The copies that the tests train from count too. A process that is killed reports nothing: what it
did counts only where another one did it too.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

TOOL = Path(__file__).resolve().parents[1]
TESTS = TOOL / 'tests'
CORE = (
    'training/checkpoint.py',
    'training/output.py',
    'training/run.py',
    'training/signals.py',
    'training/trace.py',
    'store/atomic.py',
    'store/checkpoints.py',
    'store/lock.py',
    'core/launch/resume.py',
)
CORE_TESTS = (
    'training/test_checkpoint.py',
    'training/test_exact.py',
    'training/test_group.py',
    'training/test_output.py',
    'training/test_run.py',
    'training/test_signals.py',
    'training/test_trace.py',
    'store/test_atomic.py',
    'store/test_checkpoints.py',
    'store/test_lock.py',
    'core/launch/test_resume.py',
    'command/test_continue.py',
    'command/test_rerun.py',
    'command/test_run.py',
    'hostile/test_hostile_values.py',
    'faults/test_faults.py',
    'faults/test_data_workers.py',
)
CONFIG = '''[run]
branch = True
parallel = True
patch = subprocess, fork, _exit
sigterm = True
data_file = {folder}/covered
include = {include}
[paths]
product =
    {tool}
    */code/tagrun
'''


def measure(folder: Path) -> float:
    """Return the percentage; what is missed is printed. folder: for what coverage writes."""
    _check_lists()
    config = folder / 'coverage.rc'
    include = ','.join(f'*/code/tagrun/{name}' for name in CORE)
    config.write_text(CONFIG.format(folder=folder, include=include, tool=TOOL))
    _run_tests(folder, config)
    _coverage(folder, 'combine', config)
    _coverage(folder, 'json', config, '-o', 'covered.json')
    files = json.loads((folder / 'covered.json').read_text())['files']
    for name, entry in files.items():
        missed = f'lines {entry["missing_lines"]}, branches {entry["missing_branches"]}'
        print(f'    {name}: missed {missed}', file=sys.stderr)
    return _percent([entry['summary'] for entry in files.values()])


def _check_lists() -> None:
    """Exit with the name of a listed file that does not exist: a renamed one must be noticed."""
    paths = [TOOL / name for name in CORE] + [TESTS / name for name in CORE_TESTS]
    absent = [str(path.relative_to(TOOL)) for path in paths if not path.is_file()]
    if absent:
        sys.exit(f'core_coverage.py lists files that do not exist: {", ".join(absent)}')


def _run_tests(folder: Path, config: Path) -> None:
    pytest = ['-m', 'pytest', '-q', '-n', '2', '-p', 'no:cacheprovider']
    done = subprocess.run(
        [sys.executable, '-m', 'coverage', 'run', f'--rcfile={config}', *pytest]
        + [str(TESTS / name) for name in CORE_TESTS],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, 'OMP_NUM_THREADS': '1'},
    )
    last = done.stdout.strip().rpartition('\n')[2]
    print(f'    {last}', file=sys.stderr)


def _coverage(folder: Path, command: str, config: Path, *words: str) -> None:
    subprocess.run(
        [sys.executable, '-m', 'coverage', command, f'--rcfile={config}', '-q', *words],
        cwd=folder,
        check=True,
        capture_output=True,
    )


def _percent(summaries: list[dict[str, int]]) -> float:
    covered = sum(one['covered_lines'] + one['covered_branches'] for one in summaries)
    return 100 * covered / sum(one['num_statements'] + one['num_branches'] for one in summaries)


def main() -> None:
    if len(sys.argv) > 1:
        print(__doc__)
        return
    with tempfile.TemporaryDirectory(prefix='tagrun-coverage-') as folder:
        print(f'{measure(Path(folder)):.1f} %')


if __name__ == '__main__':
    main()
