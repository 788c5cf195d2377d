"""Ray as an engine: a real one, started for each run on this machine; and what is refused without
one.
"""

import argparse
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import stub_project
from project_factory import make_project, wait_for

from tagrun.core.cli.messages import UserError
from tagrun.core.launch import engines, jobs
from tagrun.extra.ray import on_ray
from tagrun.store import history, lock

real = pytest.mark.skipif(
    not importlib.util.find_spec('ray'),
    reason='ray is not installed: pip install -r code/requirements-ray.txt',
)
LONG = ('--set', 'epochs=60')  # some seconds


# --- without Ray -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'word',
    [
        'address=x y:1',
        'address=http://x:1',
        'address=x',
        'address=-x:1',
        'address=x:1\n',
        'cpus=0',
        'cpus=1;id',
        'gpus=-1',
        'gpus=1.5',
        'retries=many',
    ],
)
def test_a_value_of_another_shape_is_refused(word):
    with pytest.raises(UserError, match=f'is not a valid {word.partition("=")[0]}'):
        jobs.settings(SimpleNamespace(settings=lambda engine: {}), 'ray', [word], on_ray.KNOWN)


def test_what_cannot_work_is_refused_before_a_tag_is_spent(tmp_path):
    project = stub_project.make(tmp_path / "a 'b; c")
    (tmp_path / 'hide').mkdir()
    # a Python that does not find it
    (tmp_path / 'hide' / 'sitecustomize.py').write_text('import sys\nsys.modules["ray"] = None\n')
    assert (
        'requirements-ray.txt'
        in project.tagrun(
            'run', 't1', '--on', 'ray', code=1, env={'PYTHONPATH': str(tmp_path / 'hide')}
        ).stderr
    )
    (tmp_path / 'show').mkdir()
    (tmp_path / 'show' / 'ray.py').write_text('')
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
    there = {'PYTHONPATH': str(tmp_path / 'show')}
    assert (
        'no Ray answers'
        in project.tagrun(
            'run', 't1', '--ray', f'address=127.0.0.1:{port}', code=1, env=there
        ).stderr
    )
    assert (
        'this machine has'
        in project.tagrun('run', 't1', '--ray', 'cpus=9999', code=1, env=there).stderr
    )
    assert (
        "Did you mean 'cpus'"
        in project.tagrun('run', 't1', '--ray', 'cpu=1', code=1, env=there).stderr
    )
    assert not project.git('tag') and not project.folder('t1').exists()


@pytest.mark.parametrize('number', ['../../etc', '1', '1.2.3', '1.x'])
def test_a_job_that_somebody_else_wrote_names_no_file(tmp_path, number):
    on_ray.cancel(tmp_path, [number])
    assert on_ray.states(tmp_path, [number]) == {} and not list(tmp_path.iterdir())


def test_its_option_chooses_it_and_is_kept_word_by_word():
    parser = argparse.ArgumentParser()
    engines.add_options(parser)
    options = engines.read_options(parser.parse_args(['--ray', 'gpus=2', '--ray', 'cpus=4']))
    assert options.engine == 'ray'
    assert options.engine_options == on_ray.RayOptions(('gpus=2', 'cpus=4'))
    assert on_ray.read_options(parser.parse_args([])) == on_ray.RayOptions()


@pytest.mark.parametrize(
    'values, share',
    [
        ({}, (1, 1.0)),
        ({'gpus': '0.5', 'cpus': '4'}, (4, 0.5)),
        ({'gpus': '0', 'cpus': '8'}, (8, 0.0)),
    ],
)
def test_a_run_gets_what_the_settings_say_else_one_gpu_where_there_are_any(values, share):
    nodes = [{'CPU': 8.0}, {'CPU': 4.0, 'GPU': 2.0}]
    assert on_ray.resources(nodes, values) == share
    assert on_ray.resources([{'CPU': 8.0}], {}) == (1, 0.0)


def test_this_machine_is_refused_what_it_lacks_and_a_cluster_waits(capsys):
    with pytest.raises(UserError, match='has 1 CPU and 3 GPUs'):
        on_ray.resources([{'CPU': 8.0}], {'gpus': '3'})
    assert on_ray.resources([], {'gpus': '3', 'address': 'x:1'}) == (1, 3.0)
    assert 'the runs wait until there is one' in capsys.readouterr().err


def test_a_note_says_how_a_run_is_while_its_process_lives(tmp_path):
    note = on_ray.note_file(tmp_path, '3.1')
    note.parent.mkdir(parents=True)
    note.write_text('queued')
    note.with_name('2').write_text('ended')
    assert on_ray.states(tmp_path, ['3.1', '3.2', '3.3']) == {}
    owned = lock.Lock(note.parent)
    assert on_ray.states(tmp_path, ['3.1', '3.2', '3.3']) == {'3.1': 'queued'}
    owned.release()


def test_a_cancelled_run_is_known_to_its_process(tmp_path):
    note = on_ray.note_file(tmp_path, '3.1')
    note.parent.mkdir(parents=True)
    on_ray.cancel(tmp_path, ['3.1'])
    submission = on_ray.Submission(tmp_path, note.parent, [], {})
    assert submission.is_cancelled(1) and not submission.is_cancelled(0)


# --- with a real one ---------------------------------------------------------------------------


@pytest.fixture(scope='module')
def trained(tmp_path_factory, data):
    return make_project(tmp_path_factory.mktemp('project') / "a 'b; c", data)


def on_ray_process(project, *words):
    """The process of a verb, its talk in a file `talk` beside the project."""
    with open(project.root.parent / 'talk', 'wb') as talk:
        return subprocess.Popen(
            project.command(*words), cwd=project.root, env=project.env, stdout=talk, stderr=talk
        )


def status(project, name):
    return json.loads(project.tagrun('expls', name, '--json').stdout)[0]['status']


def training(project, name, epochs):
    """The process id of a run's training, once so many epochs are done."""
    path = project.folder(name) / history.NAME
    wait_for(
        lambda: path.exists() and len(path.read_text().splitlines()) > epochs,
        what=f'{name} to train',
    )
    return json.loads((project.folder(name) / 'lock').read_text())['pid']


def worker_of(pid):
    """Return the Ray worker above a training: its grandparent is the guard."""
    for _ in range(3):
        pid = parent(pid)
    assert 'ray::' in Path(f'/proc/{pid}/cmdline').read_text()
    return pid


def parent(pid):
    return int(Path(f'/proc/{pid}/stat').read_text().rpartition(') ')[2].split()[1])


@real
@pytest.mark.slow
def test_a_run_whose_worker_and_whose_training_are_killed_ends_with_the_bits_of_an_undisturbed_one(
    trained,
):
    verb = on_ray_process(trained, 'run', '-f', 'lost', '--on', 'ray', *LONG)
    os.kill(worker_of(training(trained, 'lost/0', 2)), signal.SIGKILL)
    log = trained.folder('lost/0') / 'log'
    wait_for(lambda: log.read_text().count('resumed') == 1, what='the run to go on')
    # saved on SIGTERM; on a busy machine Ray's SIGKILL comes before it can say so, and then only
    # the save in mid-epoch tells
    text = log.read_text()
    assert 'stopped by SIGTERM, saved as' in text or 'resumed in epoch' in text
    os.kill(training(trained, 'lost/0', 5), signal.SIGKILL)
    trained.tagrun('run', '-f', 'plain', *LONG)  # meanwhile
    assert verb.wait(120) == 0
    assert (
        trained.outcome('lost/0') == trained.outcome('plain/0')
        and log.read_text().count('resumed') == 2
    )
    assert status(trained, 'lost/0') == 'finished'


@real
def test_runs_wait_in_line_and_are_cancelled_and_ctrl_c_ends_them_all(tmp_path):
    project = stub_project.make(tmp_path / "a 'b; c")
    one_at_once = ('--ray', f'cpus={os.cpu_count()}', '--ray', 'retries=0')
    verb = on_ray_process(
        project, 'run', 'many', '--seeds', '3', *one_at_once, '--set', "how='slow'"
    )
    wait_for((project.folder('many/2') / jobs.NAME).exists, what='the runs')
    wait_for(
        lambda: any(status(project, f'many/{number}') == 'running' for number in range(3)),
        what='one to train',
    )
    running = next(number for number in range(3) if status(project, f'many/{number}') == 'running')
    first, second = (f'many/{number}' for number in range(3) if number != running)
    assert status(project, first) == status(project, second) == 'queued'
    project.tagrun('cancel', first)
    wait_for(lambda: status(project, first) == 'created', what='it to be taken back')
    assert (
        f'{second} is queued already'
        in project.tagrun('continue', second, '--on', 'ray', code=1).stderr
    )
    # on a busy machine its worker has it before its training has written anything
    wait_for((project.folder(f'many/{running}') / 'statistic.json').exists, what='its training')
    verb.send_signal(signal.SIGINT)
    assert verb.wait(60) == 130
    # the stub saves nothing; the command writes that it was stopped
    ended = status(project, f'many/{running}')
    assert status(project, second) == 'created' and ended == 'interrupted'
    assert 'not queued, and not training' in project.tagrun('cancel', 'many', code=1).stderr


@real
@pytest.mark.slow
def test_a_sweep_with_workers_killed_gives_the_digits_of_one_here(trained):
    words = ('lr=0.003,0.01', 'hidden=16,32', 'epochs=60', '-f')
    verb = on_ray_process(trained, 'sweep', 'there', *words, '--on', 'ray')
    for name in ('there/0', 'there/2'):
        os.kill(worker_of(training(trained, name, 2)), signal.SIGKILL)
    trained.tagrun('sweep', 'here', *words)
    assert verb.wait(180) == 0
    for number in range(4):
        assert trained.outcome(f'there/{number}') == trained.outcome(f'here/{number}')
    assert all(
        'resumed' in (trained.folder(name) / 'log').read_text() for name in ('there/0', 'there/2')
    )


@real
@pytest.mark.slow
def test_a_run_goes_on_on_another_machine_when_its_own_is_lost(trained, tmp_path):
    """A cluster of a head and two nodes, all here; each node has room for one run."""
    with socket.create_server(('127.0.0.1', 0)) as taken:
        address = f'127.0.0.1:{taken.getsockname()[1]}'
    nodes, longer = [], ('--set', 'epochs=400')
    try:
        nodes.append(
            node(
                trained,
                tmp_path / 'head',
                '--head',
                f'--port={address.rpartition(":")[2]}',
                '--num-cpus=0',
                '--include-dashboard=false',
            )
        )
        nodes += [
            node(trained, tmp_path / f'node{number}', f'--address={address}', '--num-cpus=1')
            for number in range(2)
        ]
        verb = on_ray_process(trained, 'run', '-f', 'moved', '--ray', f'address={address}', *longer)
        worker = worker_of(training(trained, 'moved/0', 2))
        # the node's own process: the node is lost, and its workers with it
        os.kill(parent(worker), signal.SIGKILL)
        assert verb.wait(180) == 0
    finally:
        for one in nodes:
            one.terminate()
        for one in nodes:
            one.wait(60)
    trained.tagrun('run', '-f', 'stayed', *longer)
    assert (
        trained.outcome('moved/0') == trained.outcome('stayed/0')
        and 'resumed' in (trained.folder('moved/0') / 'log').read_text()
    )


def node(project, talk, *words):
    """A process that starts a Ray node, and ends it when it is told to end; once the node is up."""
    with open(talk, 'wb') as file:
        started = subprocess.Popen(
            [sys.executable, '-m', 'ray.scripts.scripts', 'start', '--block', *words],
            cwd=project.root,
            start_new_session=True,
            env={**project.env, 'RAY_AUTH_MODE': 'token', 'RAY_USAGE_STATS_ENABLED': '0'},
            stdout=file,
            stderr=file,
        )
    wait_for(lambda: 'Ray runtime started' in talk.read_text(), 120, what='the node')
    return started
