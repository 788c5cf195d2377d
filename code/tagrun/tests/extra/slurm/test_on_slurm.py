"""Slurm as an engine: a real one, of two nodes on this machine; and what is refused without one."""

import argparse
import importlib.util
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import real_slurm
import stub_project
from project_factory import CODE, make_project, wait_for

from tagrun.core.cli.messages import UserError
from tagrun.core.launch import engines, jobs
from tagrun.extra.slurm import on_slurm
from tagrun.store import history

WHY_NOT = real_slurm.why_not() or (
    ''
    if importlib.util.find_spec('submitit')
    else 'submitit is not installed: pip install -r code/requirements-slurm.txt'
)
real = pytest.mark.skipif(bool(WHY_NOT), reason=f'no real Slurm: {WHY_NOT}')
# some seconds, with data workers that get the signals too
LONG = ('--set', 'epochs=30', 'num_workers=2')


def settings(*words, config=()):
    return jobs.settings(
        SimpleNamespace(settings=lambda engine: dict(config)), 'slurm', words, on_slurm.KNOWN
    )


# --- without a Slurm ---------------------------------------------------------------------------


def test_a_run_of_this_code_can_have_more_nodes(tmp_path):
    folder = tmp_path / 't1' / '0'
    contract = folder / 'code' / 'tagrun' / 'CONTRACT'
    contract.parent.mkdir(parents=True)
    shutil.copy(CODE / 'tagrun' / 'CONTRACT', contract)
    on_slurm.check_nodes(folder)
    contract.write_text('1\nnproc\n')
    with pytest.raises(UserError, match='one node only'):
        on_slurm.check_nodes(folder)


def test_settings_come_from_git_config_and_the_command_line_wins():
    found = settings(
        'time=2-00:00:00', 'gpus=a100:2', config={'partition': 'gpu,long', 'time': '90'}
    )
    assert found == {'partition': 'gpu,long', 'time': '2-00:00:00', 'gpus': 'a100:2'}


@pytest.mark.parametrize(
    'word',
    [
        'partition=x\n#SBATCH --wrap=true',
        'partition=x\n',
        'partition=--wrap',
        'partition=',
        'account=$(id)',
        'account=a b',
        'qos=a;id',
        "constraint=a'b",
        'constraint=a\\nb',
        'time=1;id',
        'time=-1',
        'mem=1G --wrap=true',
        'cpus=٣',
        'cpus=0',
        'gpus=1,a',
        'nodelist=$HOME',
        'warn=1e9',
        'warn=B:USR1',
        'parallel=0',
    ],
)
def test_a_value_that_could_say_more_than_a_value_is_refused(word):
    with pytest.raises(UserError, match=f'is not a valid {word.partition("=")[0]}'):
        settings(word)
    with pytest.raises(UserError, match='git config tagrun.slurm'):
        settings(config=[word.split('=', 1)])


@pytest.mark.parametrize(
    'word', ['wrap=true', 'output=/etc/passwd', 'export=ALL', 'Partition=x', 'signal=KILL', '']
)
def test_what_is_on_no_list_is_refused(word):
    with pytest.raises(UserError, match='has no setting'):
        settings(word)


def test_a_misspelt_setting_is_told_its_name():
    with pytest.raises(UserError, match="Did you mean 'partition'"):
        settings('partion=gpu')


def test_without_slurm_or_submitit_no_tag_is_spent(tmp_path):
    project = stub_project.make(tmp_path / "a 'b; c")
    tools = tmp_path / 'bin'
    tools.mkdir()
    (tools / 'git').symlink_to(shutil.which('git'))
    assert (
        'there is no sbatch'
        in project.tagrun('run', 't1', '--on', 'slurm', code=1, env={'PATH': str(tools)}).stderr
    )
    for name in on_slurm.COMMANDS:
        (tools / name).symlink_to('/bin/true')
    # a Python that does not find it
    (tmp_path / 'sitecustomize.py').write_text('import sys\nsys.modules["submitit"] = None\n')
    without = {'PATH': str(tools), 'PYTHONPATH': str(tmp_path)}
    assert (
        'requirements-slurm.txt'
        in project.tagrun('run', 't1', '--on', 'slurm', code=1, env=without).stderr
    )
    assert not project.git('tag') and not project.folder('t1').exists()


@pytest.mark.parametrize(
    'content',
    [
        '{"engine": "slurm", "id": "--me"}',
        '{"engine": "../../x", "id": "1"}',
        '{"engine": "slurm", "id": "1;id"}',
        '{"engine": "slurm"}',
        '{"engine": ["slurm"], "id": 1}',
        '[]',
        'no JSON',
        '{"engine": "slurm", "id": "1\\n2"}',
    ],
)
def test_a_job_file_that_somebody_else_wrote_is_none(tmp_path, content):
    (tmp_path / jobs.NAME).write_text(content)
    assert jobs.read(tmp_path) is None


def test_the_options_of_sbatch_follow_from_the_settings():
    flags = on_slurm.sbatch_flags(
        Path('/p'), {'gpus': 'a100:2', 'cpus': '8', 'time': '90', 'parallel': '3', 'warn': '60'}
    )
    assert flags == {
        'gpus-per-node': 'a100:2',
        'cpus-per-task': '8',
        'time': '90',
        'chdir': '/p',
        'requeue': True,
        'signal': 'USR1@60',
    }
    assert on_slurm.sbatch_flags(Path('/p'), {})['signal'] == 'USR1@120'


def test_its_option_chooses_it_and_is_kept_word_by_word():
    parser = argparse.ArgumentParser()
    engines.add_options(parser)
    args = parser.parse_args(['--slurm', 'gpus=1', '--slurm', 'time=90'])
    options = engines.read_options(args)
    assert options.engine == 'slurm'
    assert options.engine_options == on_slurm.SlurmOptions(('gpus=1', 'time=90'))
    assert on_slurm.read_options(parser.parse_args([])) == on_slurm.SlurmOptions()


@pytest.mark.parametrize('tag, name', [('t1', 't1'), ('a=b', 'tagrun'), ('@x', 'tagrun')])
def test_a_job_is_named_by_its_tag_where_slurm_takes_it(tag, name):
    assert on_slurm.job_name(tag) == name


def test_slurms_own_jobs_of_known_states_count(monkeypatch):
    listing = '17_0 RUNNING\n17_1 PENDING\n17_2 COMPLETING\n18 RUNNING\nnonsense\n'
    monkeypatch.setattr(on_slurm, '_ask', lambda *words: listing)
    states = on_slurm.states(Path('/p'), {'17_0', '17_1', '17_2', '99'})
    assert states == {'17_0': jobs.RUNNING, '17_1': jobs.QUEUED}


# --- with a real one ---------------------------------------------------------------------------


@pytest.fixture(scope='module')
def slurm(tmp_path_factory):
    with real_slurm.Slurm(tmp_path_factory.mktemp('slurm') / 's') as running:
        yield running


@pytest.fixture(scope='module')
def cluster(tmp_path_factory, data, slurm):
    """A project that trains for real, its tool told of the Slurm."""
    project = make_project(tmp_path_factory.mktemp('project') / "a 'b; c", data)
    project.env |= slurm.env
    return project


def status(project, name):
    return json.loads(project.tagrun('expls', name, '--json').stdout)[0]['status']


def is_on(project, name, epochs):
    """Wait until so many epochs are done."""
    path = project.folder(name) / history.NAME
    wait_for(
        lambda: path.exists() and len(path.read_text().splitlines()) > epochs,
        what=f'{name} to train',
    )


def finished(project, name):
    wait_for(
        lambda: (
            (project.folder(name) / 'statistic.json').exists()
            and project.statistic(name)['status'] == 'finished'
        ),
        240,
        what=f'{name} to finish',
    )


@real
@pytest.mark.slow
def test_a_preempted_and_a_requeued_run_end_with_the_bits_of_an_undisturbed_one(cluster, slurm):
    for tag in ('taken', 'requeued'):
        said = cluster.tagrun('run', '-f', tag, '--slurm', 'partition=low', *LONG).stderr
        assert f'{tag}/0: Slurm job' in said and f'tagrun stop {tag}/0' in said
    is_on(cluster, 'requeued/0', 2)
    slurm.ask('scontrol', 'requeue', jobs.read(cluster.folder('requeued/0'))[1])
    is_on(cluster, 'taken/0', 2)
    slurm.ask(
        'sbatch',
        '--partition=high',
        '--nodes=2',
        '--exclusive',
        '--output=/dev/null',
        '--wrap=true',
    )
    cluster.tagrun('run', '-f', 'plain', *LONG)  # meanwhile, here
    for tag in ('taken', 'requeued'):
        finished(cluster, f'{tag}/0')
        assert cluster.outcome(f'{tag}/0') == cluster.outcome('plain/0')
        log = (cluster.folder(f'{tag}/0') / 'log').read_text()
        assert 'stopped by SIGTERM, saved as' in log and 'resumed' in log


@real
def test_what_slurm_would_not_take_is_refused_before_a_tag_is_spent(cluster):
    said = cluster.tagrun('run', 'no', '--slurm', 'partition=nowhere', code=1).stderr
    assert 'nvalid partition' in said and 'no' not in cluster.git('tag').split()


@real
def test_several_runs_are_one_array_and_cancel_takes_back_what_waits_and_stops_what_trains(
    cluster, slurm
):
    options = ('--slurm', 'parallel=1', '--slurm', 'partition=low')
    endless = ('--set', 'epochs=3000', 'num_workers=2')  # until it is cancelled
    cluster.tagrun('run', 'many', '--seeds', '3', *options, *endless)
    numbers = [jobs.read(cluster.folder(f'many/{number}'))[1] for number in range(3)]
    assert {number.partition('_')[0] for number in numbers} == {
        numbers[0].partition('_')[0]
    } and numbers[2].endswith('_2')
    is_on(cluster, 'many/0', 1)
    assert status(cluster, 'many/0') == 'running' and status(cluster, 'many/2') == 'queued'
    assert (
        'many/1 is queued already'
        in cluster.tagrun('continue', 'many/1', '--on', 'slurm', code=1).stderr
    )
    cluster.tagrun('cancel', 'many')
    wait_for(lambda: not slurm.ask('squeue', '-h'), what='Slurm to be empty')
    assert [status(cluster, f'many/{number}') for number in range(3)] == [
        'interrupted',
        'created',
        'created',
    ]
    assert 'not queued, and not training' in cluster.tagrun('cancel', 'many', code=1).stderr


@real
def test_a_run_that_fails_is_not_put_in_line_again(cluster, slurm):
    cluster.tagrun('run', 'bad', '--slurm', 'partition=low', '--set', "device='none'")
    wait_for(
        lambda: status(cluster, 'bad') == 'failed' and not slurm.ask('squeue', '-h'),
        what='it to fail',
    )


@real
@pytest.mark.slow
def test_a_run_whose_time_is_up_is_warned_and_goes_on_in_the_next_slot(cluster):
    words = ('--set', 'epochs=2400')
    cluster.tagrun('run', '-f', 'slot', '--slurm', 'time=1', '--slurm', 'warn=30', *words)
    cluster.tagrun('run', '-f', 'whole', *words)  # meanwhile, here
    finished(cluster, 'slot/0')
    assert 'stopped by SIGUSR1, saved as' in (cluster.folder('slot/0') / 'log').read_text()
    assert cluster.outcome('slot/0') == cluster.outcome('whole/0')


@real
@pytest.mark.slow
def test_a_sweep_with_a_preemption_in_the_middle_gives_the_digits_of_one_here(cluster, slurm):
    words = ('lr=0.003,0.01', 'hidden=16,32', 'epochs=60', '-f')
    cluster.tagrun('sweep', 'there', *words, '--slurm', 'partition=low')
    is_on(cluster, 'there/1', 2)
    slurm.ask('scontrol', 'requeue', jobs.read(cluster.folder('there/1'))[1])
    is_on(cluster, 'there/2', 2)
    slurm.ask(
        'sbatch',
        '--partition=high',
        '--nodes=2',
        '--exclusive',
        '--output=/dev/null',
        '--wrap=true',
    )
    cluster.tagrun('sweep', 'here', *words)
    for number in range(4):
        finished(cluster, f'there/{number}')
        assert cluster.outcome(f'there/{number}') == cluster.outcome(f'here/{number}')
    assert 'resumed' in ''.join(
        (cluster.folder(f'there/{number}') / 'log').read_text() for number in range(4)
    )


@real
@pytest.mark.slow
def test_two_nodes_train_a_run_together_and_a_requeue_changes_no_bit(cluster, slurm):
    cluster.tagrun(
        'run', '-f', 'both', '--slurm', 'nodes=2', '--slurm', 'partition=low', '--set', 'epochs=100'
    )
    is_on(cluster, 'both/0', 5)
    slurm.ask('scontrol', 'requeue', jobs.read(cluster.folder('both/0'))[1])
    cluster.tagrun('run', '-f', 'one', '--nproc', '2', '--set', 'epochs=100')  # meanwhile, here
    finished(cluster, 'both/0')
    assert cluster.outcome('both/0') == cluster.outcome('one/0')
    assert 'resumed' in (cluster.folder('both/0') / 'log').read_text()


@real
def test_a_run_whose_code_knows_of_one_node_only_is_refused_more(tmp_path, slurm):
    project = stub_project.make(tmp_path / "a 'b; c")
    project.env |= slurm.env
    (project.root / 'code' / 'tagrun' / 'CONTRACT').write_text('1\nnproc\n')
    assert (
        'trains on one node only'
        in project.tagrun('run', 'old', '--slurm', 'nodes=2', code=1).stderr
    )


@real
def test_evaluations_are_one_array_of_jobs_and_have_one_node(tmp_path, slurm):
    project = stub_project.make(tmp_path / "a 'b; c")
    project.env |= slurm.env
    project.tagrun('run', 't1')
    project.tagrun('rerun', 't1')
    said = project.tagrun('evaluate', 't1', '--on', 'slurm', '--phase', 'val').stderr
    assert 't1/0/evaluation/0 to t1/1/evaluation/0, 2 evaluations: Slurm job' in said
    assert 'tagrun stop t1/0/evaluation/0 t1/1/evaluation/0' in said
    for run in ('t1/0', 't1/1'):
        path = project.folder(f'{run}/evaluation/0') / 'statistic.json'
        wait_for(lambda path=path: path.exists() and '"finished"' in path.read_text(), what=run)
    refused = project.tagrun('evaluate', 't1/0', '--slurm', 'nodes=2', code=1).stderr
    assert 't1/0/evaluation/1: its code trains on one node only' in refused
