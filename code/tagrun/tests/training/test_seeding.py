"""training/seeding.py: every random number comes from the seed, and the generators come back."""

import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from project_factory import CODE
from saved_checkpoints import reloaded

from tagrun.training import seeding


def test_the_random_state_comes_back_whole():
    seeding.seed_everything(3)
    np.random.randn()  # leaves a second Gaussian in store
    state = reloaded(seeding.random_state())
    expected = (random.random(), np.random.randn(), np.random.rand(), torch.randn(2).tolist())
    seeding.seed_everything(4)
    seeding.restore(state)
    assert (
        random.random(),
        np.random.randn(),
        np.random.rand(),
        torch.randn(2).tolist(),
    ) == expected


def test_mixed_seeds_are_equal_for_equal_parts_and_differ_for_others():
    assert seeding.mix(7, 'train', 3) == seeding.mix(7, 'train', 3)
    seeds = {seeding.mix(*parts) for parts in ((7, 'train', 3), (7, 'val', 3), (7, 3), (73,))}
    assert len(seeds) == 4 and all(0 <= seed < 2**63 for seed in seeds)


def test_every_global_generator_is_seeded():
    draws = []
    for _ in range(2):
        seeding.seed_everything(2**62 + 1)
        draws.append((random.random(), np.random.rand(), torch.rand(()).item()))
    assert draws[0] == draws[1]


@pytest.fixture
def torch_settings():
    """torch's own settings come back after the test."""
    cudnn, precision = torch.backends.cudnn, torch.get_float32_matmul_precision()
    before = cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32
    mode = torch.get_deterministic_debug_mode()
    yield
    cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32 = before
    torch.set_float32_matmul_precision(precision)
    torch.set_deterministic_debug_mode(mode)


@pytest.mark.parametrize(
    'level, settings',
    [
        ('fastest', (True, False, True, 'high', 0)),
        ('fast', (False, False, True, 'high', 0)),
        ('steady', (False, True, False, 'highest', 0)),
        ('exact', (False, True, False, 'highest', 2)),
    ],
)
def test_a_level_of_determinism_sets_all_that_it_says(torch_settings, monkeypatch, level, settings):
    monkeypatch.setenv('CUBLAS_WORKSPACE_CONFIG', ':16:8')  # the user's own stays
    torch.set_deterministic_debug_mode('default')
    seeding.set_determinism(level)
    cudnn = torch.backends.cudnn
    assert (
        cudnn.benchmark,
        cudnn.deterministic,
        cudnn.allow_tf32,
        torch.get_float32_matmul_precision(),
        torch.get_deterministic_debug_mode(),
    ) == settings
    assert seeding.os.environ['CUBLAS_WORKSPACE_CONFIG'] == ':16:8'


def test_a_level_that_is_none_of_them_is_refused():
    with pytest.raises(ValueError, match="determinism is 'most'; one of fastest, fast, steady"):
        seeding.set_determinism('most')


# seeding.py loads torch; this stands for a main.py that does not
SCRIPT = """
import importlib.util, os, sys, types
from pathlib import Path
for name in ('numpy', 'torch'):
    sys.modules[name] = types.ModuleType(name)
spec = importlib.util.spec_from_file_location('seeding', FILE)
seeding = importlib.util.module_from_spec(spec)
spec.loader.exec_module(seeding)
os.environ['PYTHONHASHSEED'] = '0'  # as some code does, in vain
print('start')
said = seeding.seed_hashes(4242, Path(MAIN))
print(hash('a'), os.environ.get(seeding.STARTED_AGAIN), said)
"""
EXPECTED = subprocess.check_output(
    [sys.executable, '-c', 'print(hash("a"))'], env={'PYTHONHASHSEED': '4242'}, text=True
).strip()


def started(tmp_path, *flags, script='main.py', code=SCRIPT, **variables):
    """Run a main.py with flags of Python; return the lines that it prints."""
    file = str(CODE / 'tagrun' / 'training' / 'seeding.py')
    main = tmp_path / "a 'b; c" / 'main.py'
    main.parent.mkdir(exist_ok=True)
    text = code.replace('FILE', repr(file)).replace('MAIN', repr(str(main)))
    (main.parent / script).write_text(text)
    done = subprocess.run(
        [sys.executable, *flags, Path(main.parent.name) / script],
        cwd=tmp_path,
        env={**os.environ, 'PYTHONHASHSEED': 'random', **variables},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize('flags', [(), ('-u', '-X', 'utf8'), ('-Werror', '-B')])
def test_python_is_started_again_once_with_the_hash_seed(tmp_path, flags):
    assert started(tmp_path, *flags) == ['start', 'start', f'{EXPECTED} None ']


def test_python_that_has_the_hash_seed_goes_on(tmp_path):
    assert started(tmp_path, PYTHONHASHSEED='4242') == ['start', f'{EXPECTED} None ']


@pytest.mark.parametrize(
    'flags, script, first_line, reason',
    [
        (('-E',), 'main.py', '', '-E or -I'),
        ((), 'notebook.py', '', 'not started with main.py'),
        ((), 'main.py', 'import sys; sys.settrace(lambda *_: None)', 'a debugger'),
        ((), 'main.py', 'import sys; sys.setprofile(lambda *_: None)', 'a profiler'),
        (('-m', 'runpy'), 'main.py', '', 'not started with main.py'),
        ((), 'main.py', "import os; os.environ['TAGRUN_STARTED_AGAIN'] = '1'", 'did not help'),
    ],
)
def test_where_it_cannot_be_started_again_it_says_why_and_goes_on(
    tmp_path, flags, script, first_line, reason
):
    if flags == ('-m', 'runpy'):
        flags = ('-c', 'import runpy, sys; runpy.run_path(sys.argv[1], run_name="__main__")')
    code = f'{first_line}\n{SCRIPT}'
    lines = started(tmp_path, *flags, script=script, code=code)
    assert len(lines) == 2 and reason in lines[1] and 'PYTHONHASHSEED=4242' in lines[1]
