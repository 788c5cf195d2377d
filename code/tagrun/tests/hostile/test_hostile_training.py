"""A training in a hostile environment has the bits of one in a clean environment.

The order of a set of strings decides the labels here, so another hash seed gives other bits.
"""

import os
import re
import subprocess
import sys

import pytest
from failing_runs import run_fails
from project_factory import make_project, wait_for

NAMES = """
import os, sys
NAMES = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'größe']
RANK = {name: index for index, name in enumerate(set(NAMES))}
"""
RANKED = """    arrays = load_arrays()
    print('order', *RANK, os.environ.get('RANK'), file=sys.stderr)
    for key in ('y', 'y_test'):
        arrays[key] = np.array([RANK[NAMES[label]] for label in arrays[key]])
"""
HOSTILE = {
    'PYTHONSAFEPATH': '1',
    'PYTHONOPTIMIZE': '2',
    'PYTHONWARNINGS': 'error',
    'MPLBACKEND': 'nonsense',
    'RANK': '3',
    'WORLD_SIZE': '7',
    'LOCAL_RANK': '3',
    'MASTER_ADDR': '10.0.0.1',
    'TORCHELASTIC_RUN_ID': 'other',
    'LC_ALL': 'C',
    'PYTHONCOERCECLOCALE': '0',
    'PYTHONUTF8': '0',
}


def long_folder(tmp_path):
    folder = tmp_path / ('x' * 150)
    folder.mkdir(exist_ok=True)
    return str(folder)


def order(project, name):
    """The distinct orders of the set that the run's log has, and how many processes wrote them."""
    lines = re.findall(' order (.+) (.+)$', (project.folder(name) / 'log').read_text(), re.M)
    assert lines
    return {names for names, _ in lines}, len({rank for _, rank in lines})


@pytest.fixture(scope='module')
def ranked(tmp_path_factory, data):
    """A project with a clean run, clean/0, of code/seed."""
    project = make_project(tmp_path_factory.mktemp('ranked') / "a 'b; c", data, epochs=4)
    project.edit('config.py', 'epochs = 4', "note = 'größe α'  # naïve\nepochs = 4")
    project.edit('dataloader.py', "DATA = Path('__data__')", f"{NAMES}DATA = Path('__data__')")
    project.edit('dataloader.py', '    arrays = load_arrays()\n', RANKED)
    project.commit()
    project.tagrun('run', 'clean', '-f', env={'PYTHONHASHSEED': 'random'})
    return project


def test_the_bits_are_the_same_with_data_workers_after_a_kill_and_in_a_long_tmpdir(
    ranked, tmp_path
):
    clean, before = ranked.outcome('clean/0'), ranked.env
    ranked.env = {**before, **HOSTILE, 'TMPDIR': long_folder(tmp_path), 'PYTHONHASHSEED': '0'}
    try:
        training = ranked.start('run', 't1', '-f', '--set', 'num_workers=2')
        wait_for((ranked.folder('t1/0') / 'checkpoint' / 'epoch_1.pth').exists)
        ranked.kill_training('t1/0')
        training.communicate(timeout=60)
        ranked.tagrun('continue', 't1/0', env={'PYTHONHASHSEED': '5'})
    finally:
        ranked.env = before
    assert ranked.outcome('t1/0') == clean
    assert order(ranked, 't1/0') == order(ranked, 'clean/0')


def test_all_processes_of_a_run_have_its_hashes(ranked):
    env = {**HOSTILE, 'PYTHONHASHSEED': '5'}
    ranked.tagrun('run', 't2', '-f', '--nproc', 2, '--set', 'epochs=1', env=env)
    orders, processes = order(ranked, 't2/0')
    assert orders == order(ranked, 'clean/0')[0] and processes == 2


def test_by_hand_the_bits_are_those_of_the_launched_run_with_closed_streams_too(ranked):
    main = f'"{sys.executable}" code/main.py >&- 2>&- <&-'
    env = {**ranked.env, 'PYTHONHASHSEED': '5'}
    assert subprocess.run(main, shell=True, cwd=ranked.root, env=env, timeout=180).returncode == 0
    assert ranked.outcome('scratch/0') == ranked.outcome('clean/0')


def test_a_batch_that_a_data_worker_cannot_send_ends_the_run_at_once(project):
    project.configure(num_workers='2', worker_timeout='600')
    project.edit(
        'dataloader.py',
        '        return self[indices]',
        '        return *self[indices], lambda: 0',
    )
    output = run_fails(project, 'a data worker cannot send its batch: ')
    assert 'lambda' in output and 'Traceback' not in output


@pytest.mark.parametrize('closed', ['>&-', '2>&-', '>&- 2>&-', '<&- >&- 2>&-'])
def test_a_run_is_launched_with_streams_that_are_closed(stubbed, closed):
    words = ' '.join(f'"{word}"' for word in stubbed.command('run', 't1'))
    env = {**os.environ, **stubbed.env}
    done = subprocess.run(f'{words} {closed}', shell=True, cwd=stubbed.root, env=env, timeout=60)
    assert done.returncode == 0 and stubbed.statistic('t1/0')['status'] == 'finished'


def test_in_an_ascii_locale_what_is_printed_has_escapes_and_a_page_is_written(ranked, tmp_path):
    ascii_only = {name: HOSTILE[name] for name in ('LC_ALL', 'PYTHONCOERCECLOCALE', 'PYTHONUTF8')}
    ranked.tagrun('run', 'other', '-f', '--set', "note='ä'", '--set', 'epochs=1')
    assert '\\xe4' in ranked.tagrun('why', 'clean/0', 'other/0', env=ascii_only).stdout
    ranked.tagrun('report', 'clean', 'other', '-o', tmp_path / 'page.html', env=ascii_only)
    assert (tmp_path / 'page.html').stat().st_size
