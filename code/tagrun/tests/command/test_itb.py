"""`itb` with a real TensorBoard: what it serves, to whom, and that it ends."""

import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import run_factory
from project_factory import wait_for
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from tagrun.command import itb
from tagrun.core.launch import tensorboard


@pytest.fixture
def project(stubbed):
    """A project whose TensorBoards are ended."""
    yield stubbed
    stubbed.tagrun('itb', '--stop')


def events(project, name, values):
    """Event files such as training leaves: val/acc of some epochs."""
    writer = EventFileWriter(str(project.folder(name) / 'tensorboard'))
    for epoch, value in enumerate(values, 1):
        writer.add_event(
            Event(
                step=epoch,
                wall_time=time.time(),
                summary=Summary(value=[Summary.Value(tag='val/acc', simple_value=value)]),
            )
        )
    writer.close()


def run_with_events(project, name, values=(0.25, 0.5)):
    run_factory.run(project.root, name)
    events(project, name, values)


def get(address, path):
    host, port = re.fullmatch(r'http://([\d.]+):(\d+)/', address).groups()
    connection = http.client.HTTPConnection(host, int(port), timeout=20)
    connection.request('GET', path)
    return json.load(connection.getresponse())


def runs_of(address, count):
    """The runs it serves, once they are so many."""
    return wait_for(
        lambda: (found := set(get(address, '/data/runs'))) and len(found) == count and found,
        what=f'{count} runs',
    )


def points(address, run):
    return [
        (step, value)
        for _, step, value in get(address, f'/data/plugin/scalars/scalars?run={run}&tag=val/acc')
    ]


def listening(port):
    """The local addresses on which somebody listens at a port, in the kernel's hexadecimal."""
    rows = []
    for table in ('tcp', 'tcp6'):
        lines = Path(f'/proc/net/{table}').read_text().splitlines()
        rows += [line.split() for line in lines[1:]]
    return {
        row[1].split(':')[0]
        for row in rows
        if row[3] == '0A' and int(row[1].split(':')[1], 16) == port
    }


def test_it_serves_just_the_runs_asked_for_under_their_names_and_on_loopback_alone(project):
    run_with_events(project, 'mlp/0', (0.25, 0.5))
    run_with_events(project, 'mlp/1', (0.125, 0.75))
    run_with_events(project, 'other/0')
    done = project.tagrun('itb', 'mlp')
    address = done.stdout.strip()
    assert 'mlp/0-1' in done.stderr and 'itb --stop' in done.stderr
    assert runs_of(address, 2) == {'mlp/0', 'mlp/1'}
    assert points(address, 'mlp/1') == [(1, 0.125), (2, 0.75)]
    if os.path.exists('/proc/net/tcp'):
        assert listening(int(address.split(':')[2][:-1])) == {'0100007F'}


def test_the_same_call_finds_the_same_server_and_takes_in_what_is_new(project):
    run_with_events(project, 't/0')
    address = project.tagrun('itb', 't').stdout
    run_factory.run(project.root, 't/1')  # no event yet, as at a training's start
    assert project.tagrun('itb', 't').stdout == address
    assert runs_of(address.strip(), 1) == {'t/0'}
    events(project, 't/1', (0.5,))
    assert runs_of(address.strip(), 2) == {'t/0', 't/1'}


def test_a_run_deleted_later_breaks_nothing(project):
    for name in ('t/0', 'u/0'):
        run_with_events(project, name)
    address = project.tagrun('itb', 't', 'u').stdout.strip()
    runs_of(address, 2)
    shutil.rmtree(project.folder('u/0'))
    events(project, 't/0', (0.5, 0.5, 0.875))
    wait_for(lambda: (3, 0.875) in points(address, 't/0'), what='the new point')
    assert 't/0' in get(address, '/data/runs')
    assert project.tagrun('itb', 't').stdout.strip() != address  # another selection has its own


def test_two_at_once_both_come_up(project):
    for name in ('a/0', 'b/0', 'c/0'):
        run_with_events(project, name)
    started = [
        subprocess.Popen(
            project.command('itb', name),
            cwd=project.root,
            env=project.env,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ('a', 'b', 'c')
    ]
    addresses = [process.communicate(timeout=120)[0].strip() for process in started]
    assert len(set(addresses)) == 3
    assert [runs_of(address, 1) for address in addresses] == [{'a/0'}, {'b/0'}, {'c/0'}]


def test_a_port_that_is_taken_is_passed_over(project):
    run_with_events(project, 't/0')
    port = tensorboard.free_port()
    with socket.create_server(('127.0.0.1', port)):
        assert project.tagrun('itb', 't').stdout.strip() not in ('', f'http://127.0.0.1:{port}/')
        done = project.tagrun('itb', 't', '--', '--port', port, code=1)
    assert 'did not come up' in done.stderr and f'{port}' in done.stderr


def test_flags_behind_two_dashes_are_tensorboards(project):
    run_with_events(project, 't/0')
    address = project.tagrun(
        'itb', 't', '--', '--window_title=ours', '--samples_per_plugin', 'scalars=1'
    ).stdout.strip()
    assert get(address, '/data/environment')['window_title'] == 'ours'


@pytest.mark.parametrize(
    'flags',
    [
        ['--bind_all'],
        ['--bind'],
        ['--host', '0.0.0.0'],
        ['--host=::'],
        ['--hos=0.0.0.0'],
        ['--logdir', '/'],
        ['--port', '0'],
        ['--port', 'many'],
    ],
)
def test_flags_that_would_open_it_to_others_or_lead_it_astray_are_refused(project, flags):
    run_with_events(project, 't/0')
    done = project.tagrun('itb', 't', '--', *flags, code=2 if 'many' in flags else 1)
    assert done.stdout == '' and len(done.stderr.splitlines()) == 1
    assert not list(tensorboard.place(project.root).glob('*/server.json'))


def has_ended(pid):
    """Whether a process is gone, or waits for its parent to ask how it ended."""
    try:
        return 'Z' in Path(f'/proc/{pid}/stat').read_text().split(')')[1][:3]
    except FileNotFoundError:
        return True


def test_stop_ends_every_one_of_the_project_and_its_processes(project):
    run_with_events(project, 't/0')
    run_factory.run(project.root, 'u/0')
    addresses = [project.tagrun('itb', name).stdout.strip() for name in ('t', 'u')]
    servers = [
        tensorboard.running(place) for place in tensorboard.place(project.root).glob('itb-*')
    ]
    assert '2 TensorBoards ended' in project.tagrun('itb', '--stop').stderr
    for address in addresses:
        with pytest.raises(OSError):
            get(address, '/data/runs')
    for server in servers:
        wait_for(partial(has_ended, server['pid']), what='its end')
    assert 'no TensorBoard of this project is running' in project.tagrun('itb', '--stop').stderr
    assert project.folder('t/0').joinpath('tensorboard').is_dir()


def test_without_a_word_it_is_the_runs_of_the_commit_one_stands_on(project):
    def record(name, commit):
        run_with_events(project, name)
        project.git('update-ref', f'refs/tagrun/code/{name}', commit)

    first = project.git('rev-parse', 'HEAD').strip()
    side = project.git('commit-tree', f'{first}^{{tree}}', '-p', first, '-m', 'tagrun: t').strip()
    another_seed = project.git(
        'commit-tree', f'{first}^{{tree}}', '-p', side, '-m', 'tagrun: t with another seed'
    ).strip()
    project.edit('main.py', '"""', '"""A change. ')
    project.commit('a commit of my own')
    (
        record('head/0', first),
        record('t/0', side),
        record('t/1', another_seed),
        record('later/0', 'HEAD'),
    )
    assert runs_of(project.tagrun('itb').stdout.strip(), 1) == {'later/0'}
    project.git('checkout', '-q', first)
    assert runs_of(project.tagrun('itb').stdout.strip(), 3) == {'head/0', 't/0', 't/1'}
    project.git('commit', '-q', '--allow-empty', '-m', 'nothing ran')
    assert 'no run was made of the commit you stand on' in project.tagrun('itb', code=1).stderr


def test_a_set_is_taken_and_what_it_no_longer_names_is_dropped(project):
    for name in ('a/0', 'b/0'):
        run_with_events(project, name)
    path = run_factory.listed(project.root, 'paper', 'a', 'b/0')
    address = project.tagrun('itb', '@paper').stdout.strip()
    assert runs_of(address, 2) == {'a/0', 'b/0'}
    path.write_text('b/0\n')
    assert project.tagrun('itb', '@paper').stdout.strip() == address
    assert runs_of(address, 1) == {'b/0'}


@pytest.mark.parametrize(
    'changes, opens',
    [
        ({}, True),
        ({'CI': '1'}, False),
        ({'DISPLAY': ''}, False),
        ({'DISPLAY': '', 'BROWSER': 'firefox'}, True),
    ],
)
def test_a_browser_opens_only_where_somebody_sits_before_a_screen(monkeypatch, changes, opens):
    for name in ('CI', 'DISPLAY', 'WAYLAND_DISPLAY', 'BROWSER'):
        monkeypatch.delenv(name, raising=False)
    for name, value in {'DISPLAY': ':0', **changes}.items():
        monkeypatch.setenv(name, value)
    for stream in (sys.stdout, sys.stderr):
        monkeypatch.setattr(stream, 'isatty', lambda: True, raising=False)
    assert itb._has_browser() == opens
