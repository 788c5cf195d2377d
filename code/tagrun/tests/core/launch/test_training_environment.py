"""core/launch/training_environment.py: what a shell set cannot change or break a training."""

import os
import subprocess
import sys

import pytest

from tagrun.core.launch import training_environment
from tagrun.core.launch.training_environment import build

USERS = {
    'PATH': '/usr/bin:/bin',
    'HOME': '/home/me',
    'PYTHONPATH': '/home/me/lib',
    'PYTHONDONTWRITEBYTECODE': '1',
    'PYTHONNOUSERSITE': '1',
    'CUDA_VISIBLE_DEVICES': '1',
    'OMP_NUM_THREADS': '4',
    'MKL_NUM_THREADS': '4',
    'LD_LIBRARY_PATH': '/usr/local/cuda/lib64',
    'CUBLAS_WORKSPACE_CONFIG': ':16:8',
    'NCCL_SOCKET_IFNAME': 'eth0',
    'GLOO_SOCKET_IFNAME': 'eth0',
    'TORCH_HOME': '/scratch/torch',
    'HF_HOME': '/scratch/hf',
    'WANDB_MODE': 'offline',
    'https_proxy': 'http://proxy:3128',
    'SLURM_JOB_ID': '7',
    'TAGRUN_NODES': '2 0 10.0.0.5:29500',
    'TAGRUN_DEBUG': '1',
    'LC_ALL': 'C',
    'TZ': 'Europe/Berlin',
}
HOSTILE = {
    'PYTHONSAFEPATH': '1',
    'PYTHONWARNINGS': 'error',
    'PYTHONOPTIMIZE': '2',
    'PYTHONINSPECT': '1',
    'PYTHONSTARTUP': '/home/me/.pythonrc',
    'PYTHONIOENCODING': 'ascii:strict',
    'TAGRUN_RANKS': '/tmp/other',
    'PET_NNODES': '2',
    **dict.fromkeys(('RANK', 'LOCAL_RANK', 'GROUP_RANK', 'ROLE_RANK'), '3'),
    **dict.fromkeys(('WORLD_SIZE', 'LOCAL_WORLD_SIZE', 'GROUP_WORLD_SIZE', 'ROLE_WORLD_SIZE'), '7'),
    'ROLE_NAME': 'default',
    'MASTER_ADDR': '10.0.0.1',
    'MASTER_PORT': '29500',
    'TORCHELASTIC_RUN_ID': 'none',
    'TORCHELASTIC_ERROR_FILE': '/tmp/error.json',
    'TORCHELASTIC_USE_AGENT_STORE': 'True',
}
OURS = {'PYTHONHASHSEED': '4242', 'PYTHONUTF8': '1', 'MPLBACKEND': 'Agg'}


def test_what_is_the_users_stays_and_what_would_break_a_run_goes():
    environ = {**USERS, **HOSTILE}
    assert build(environ, 4242) == {**USERS, **OURS}
    assert environ == {**USERS, **HOSTILE}


@pytest.mark.parametrize('value', ['random', '0', '5', '', 'nonsense', '-1'])
def test_whatever_the_shell_says_the_seed_decides_the_string_hashes(value):
    environ = {**os.environ, 'PYTHONHASHSEED': value, 'PYTHONUTF8': '0', 'MPLBACKEND': 'nonsense'}
    variables = build(environ, 7)
    printed = [
        subprocess.check_output([sys.executable, '-c', 'print(hash("a"))'], env=variables)
        for _ in range(2)
    ]
    assert printed[0] == printed[1] and {**variables, **OURS, 'PYTHONHASHSEED': '7'} == variables


@pytest.mark.parametrize(
    'seed, text', [(0, '0'), (2**32 - 1, '4294967295'), (2**32 + 3, '3'), (-1, '4294967295')]
)
def test_python_takes_the_hash_seed_of_any_seed(seed, text):
    assert build({}, seed)['PYTHONHASHSEED'] == text


def test_a_temporary_folder_that_can_be_used_stays(tmp_path_factory, monkeypatch):
    monkeypatch.setattr(training_environment, 'LONGEST', 4000)
    folder = tmp_path_factory.mktemp('own')
    assert build({'TMPDIR': str(folder)}, 1)['TMPDIR'] == str(folder)
    assert 'TMPDIR' not in build({}, 1)


@pytest.mark.parametrize('name', ['TMPDIR', 'TEMP', 'TMP'])
@pytest.mark.parametrize('kind', ['long', 'long in bytes', 'missing', 'a file', 'relative', ''])
def test_a_temporary_folder_that_breaks_a_run_becomes_the_systems(tmp_path, kind, name):
    (tmp_path / 'file').touch()
    folder = {
        'long': tmp_path / ('x' * 150),
        'long in bytes': tmp_path / ('ä' * 70),
        'missing': '/nonexistent',
        'a file': tmp_path / 'file',
        'relative': '.',
        '': '',
    }[kind]
    if kind.startswith('long'):
        folder.mkdir()
    assert build({name: str(folder)}, 1)[name] == '/tmp'


def test_one_that_cannot_be_written_becomes_the_systems(monkeypatch):
    monkeypatch.setattr(training_environment.os, 'access', lambda path, _: path == '/var/tmp')
    assert build({'TMPDIR': '/'}, 1)['TMPDIR'] == '/var/tmp'
    monkeypatch.setattr(training_environment.os, 'access', lambda *_: False)
    assert build({'TMPDIR': '/'}, 1)['TMPDIR'] == '/'
