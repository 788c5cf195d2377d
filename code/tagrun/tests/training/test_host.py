"""training/host.py: a process that lives on after a run is as before; notebooks train."""

import os
import re
import signal
import subprocess
import sys
import threading

import pytest
import torch
from notebooks import executed

from tagrun.training import host, seeding
from tagrun.training.signals import Stop

# what a kernel must have again after a run
BEFORE = """
import os, signal, sys, torch
def surroundings():
    return (sys.stdout, sys.stderr, os.getcwd(), os.fstat(2), signal.getsignal(signal.SIGINT),
            torch.get_num_threads(), torch.get_deterministic_debug_mode(), os.environ['MPLBACKEND'])
torch.set_num_threads(2)
before = surroundings()
sys.path.insert(0, 'code')
"""
TWICE = """
import main
for _ in range(2):
    main.main()
assert surroundings() == before
print('still here', file=sys.stderr)
"""
FAILS = """
import config
config.lr = 'high'
main.main()
"""
STOPS = """
import config, threading
config.lr, config.epochs = 0.1, None or 10_000
threading.Timer(2, os.kill, (os.getpid(), signal.SIGINT)).start()
main.main()
"""


@pytest.fixture(scope='module')
def notebook(tmp_path_factory, data):
    """(A project, {cell: all it printed}) of a notebook that was run by a real kernel."""
    from project_factory import make_project

    folder = tmp_path_factory.mktemp('notebook')
    project = make_project(folder / "a 'b; c", data, epochs=1)
    shell = '!bash code/source.sh run x && bash code/source.sh plot x; echo rc $?'
    cells = [shell, BEFORE, '%run code/main.py', TWICE, FAILS, STOPS, 'surroundings() == before']
    tool = {'TAGRUN_PYTHON': sys.executable, 'CI': '1', 'PYTHONHASHSEED': 'random'}
    texts = executed(cells, project.root, folder, **tool)
    return project, dict(zip(cells, texts, strict=True))


def test_a_notebook_starts_commands_whatever_its_matplotlib_backend(notebook):
    project, texts = notebook
    text = re.sub(r'\x1b\[\d*m', '', next(iter(texts.values())))
    assert 'rc 0' in text and 'x/0 finished' in text
    assert project.statistic('x/0')['status'] == 'finished'


def test_main_trains_in_a_kernel_by_run_and_twice_by_import_and_leaves_it_as_it_was(notebook):
    project, texts = notebook
    assert texts['%run code/main.py'].count('epoch 1/1') == 1
    assert texts[TWICE].count('epoch 1/1') == 2 and 'still here' in texts[TWICE]
    outcomes = [project.outcome(f'scratch/{number}') for number in range(3)]
    assert outcomes[0] == outcomes[1] == outcomes[2]
    for number in range(3):
        log = (project.folder(f'scratch/{number}') / 'log').read_text()
        assert log.count('epoch 1/1') == 1 and 'still here' not in log
        assert project.statistic(f'scratch/{number}')['status'] == 'finished'


def test_a_failure_and_an_interrupt_end_the_cell_alone(notebook):
    project, texts = notebook
    assert 'scratch/3 failed: TypeError' in texts[FAILS] and 'in code/model.py' in texts[FAILS]
    assert 'stopped by Ctrl-C' in texts[STOPS]
    assert texts['surroundings() == before'] == 'True'
    assert project.statistic('scratch/4')['status'] == 'interrupted'


def test_everything_is_put_back(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = signal.getsignal(signal.SIGTERM), torch.get_num_threads()
    restore = host.restorer()
    Stop(print)
    os.chdir('/')
    seeding.set_determinism('exact')
    torch.set_num_threads(before[1] + 1)
    restore()
    assert os.getcwd() == str(tmp_path) and torch.get_deterministic_debug_mode() == 0
    assert (signal.getsignal(signal.SIGTERM), torch.get_num_threads()) == before


def test_a_child_of_a_process_that_lives_on_can_be_interrupted(tmp_path):
    restore = host.restorer()
    Stop(print)
    restore()
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.write(writer, b'%d' % (signal.getsignal(signal.SIGINT) == signal.SIG_IGN))
        os._exit(0)
    assert os.read(reader, 1) == b'0'
    os.wait()


def test_a_run_in_another_thread_has_no_handlers():
    before = signal.getsignal(signal.SIGTERM)
    restore = host.restorer()
    thread = threading.Thread(target=lambda: (Stop(print), restore()))
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize(
    'backend, after',
    [
        ('module://matplotlib_inline.backend_inline', 'Agg'),
        ('inline', 'Agg'),
        ('tkagg', 'tkagg'),
    ],
)
def test_a_notebooks_backend_is_forgotten_where_its_kernel_is_not(monkeypatch, backend, after):
    monkeypatch.setenv('MPLBACKEND', backend)
    host.forget_kernel_backend()
    assert os.environ['MPLBACKEND'] == after


def test_python_ends_with_the_main_file_that_it_was_started_with(tmp_path):
    main = tmp_path / 'main.py'
    from project_factory import CODE

    main.write_text(
        'import sys\nfrom pathlib import Path\n'
        f'sys.path.append({str(CODE)!r})\nfrom tagrun.training import host\n'
        "print(host.lives_on(Path(__file__)), host.lives_on(Path('other.py')))\n"
    )
    done = subprocess.run([sys.executable, main], capture_output=True, text=True, check=True)
    assert done.stdout == 'False True\n'
