"""The measurements start, explain themselves, and the light ones measure something."""

import re
import subprocess
import sys

import pytest
from project_factory import CODE

BENCH = CODE / 'tagrun' / 'bench'


def bench(script, *words, code=0):
    done = subprocess.run(
        [sys.executable, BENCH / script, *words], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == code, done.stderr
    assert 'Traceback' not in done.stderr, done.stderr
    return done.stdout


SCRIPTS = ['loop', 'saving', 'start', 'sharing', 'tables', 'sweep_cost', 'proof', 'core_coverage']


@pytest.mark.parametrize('script', SCRIPTS)
def test_each_script_explains_itself(script):
    assert f'code/tagrun/bench/{script}.py' in bench(f'{script}.py', '-h') or script == 'proof'


def test_the_cost_of_a_trial_is_measured():
    output = bench('sweep_cost.py', '--trials', '2')
    assert re.search(r'^difference +-?[0-9.]+ s a trial$', output, re.MULTILINE)


def test_the_start_of_a_run_is_measured_against_a_script():
    output = bench('start.py', '--rounds', '1', '--runs', '10')
    assert re.search(r'^tagrun run +median [0-9.]+ s', output, re.MULTILINE)
    assert re.search(r'^by hand +median [0-9.]+ s .* 1\.00$', output, re.MULTILINE)


def test_every_bug_names_a_test_and_a_figure():
    lines = (BENCH / 'bugs_found.csv').read_text().splitlines()
    assert lines[0] == 'figure,failure,test' and len(lines) > 20
    assert all(re.search(r',test_\w+$', line) for line in lines[1:])
