"""Which engine has a run, and what it says of it."""

from types import SimpleNamespace

import pytest

from tagrun.core.cli.messages import UserError
from tagrun.core.compare.run_status import RunStatus
from tagrun.core.launch import engines, jobs
from tagrun.store import layout
from tagrun.store.run_ref import RunRef

KNOWN = {'cpus': ('[1-9][0-9]*', '8'), 'mem': ('[0-9]+G', '32G')}


@pytest.fixture
def engine(monkeypatch):
    """An engine `cluster`, whose states a test sets."""
    made = SimpleNamespace(known={}, states=lambda root, ids: made.known)
    monkeypatch.setattr(engines, 'names', lambda: ['cluster'])
    monkeypatch.setattr(engines, 'load', lambda name: made)
    return made


def given(root, name, number):
    folder = layout.result(root) / name
    folder.mkdir(parents=True)
    jobs.write(folder, 'cluster', number)
    return folder


def test_a_job_is_written_and_read_back(engine, tmp_path):
    assert jobs.read(tmp_path) is None
    assert jobs.read(given(tmp_path, 't1/0', '17_2')) == ('cluster', '17_2')
    assert jobs.read_all([given(tmp_path, 't1/1', '3')]) == {'t1/1': ('cluster', '3')}


@pytest.mark.parametrize('content', ['{}', 'x', '{"engine": "gone", "id": "1"}', '[]'])
def test_a_file_that_names_no_job_is_none(engine, tmp_path, content):
    (tmp_path / jobs.NAME).write_text(content)
    assert jobs.read(tmp_path) is None


def test_the_engine_is_believed_where_the_files_are_unsure(engine, tmp_path):
    for number, job in enumerate(('a', 'b', 'c')):
        given(tmp_path, f't1/{number}', job)
    engine.known = {'a': jobs.QUEUED, 'b': jobs.QUEUED}
    states = ('killed', 'finished', 'interrupted')
    statuses = [
        RunStatus(RunRef('t1', number), state, 0.0, {}) for number, state in enumerate(states)
    ]
    shown = jobs.with_engine_states(tmp_path, statuses)
    assert [status.state for status in shown] == ['queued', 'finished', 'interrupted']


def test_a_run_that_an_engine_has_is_not_given_to_one_again(engine, tmp_path):
    folder = given(tmp_path, 't1/0', '17')
    jobs.refuse_second(tmp_path, [folder])
    engine.known = {'17': jobs.RUNNING}
    with pytest.raises(UserError, match='t1/0 is running already, as job 17 of cluster'):
        jobs.refuse_second(tmp_path, [folder])


def test_an_engine_that_does_not_answer_is_named_and_stops_nothing(engine, tmp_path, capsys):
    def refuse(root, ids):
        raise UserError('no network')

    engine.states = refuse
    assert jobs.states(tmp_path, {'t1/0': jobs.Job('cluster', '1')}) == {}
    assert 'cluster does not say how its runs are: no network' in capsys.readouterr().err


def settings(*words, config=()):
    repository = SimpleNamespace(settings=lambda engine: dict(config))
    return jobs.settings(repository, 'cluster', words, KNOWN)


def test_settings_come_from_git_config_and_the_command_line_wins():
    assert settings('cpus=4', config={'cpus': '2', 'mem': '8G'}) == {'cpus': '4', 'mem': '8G'}
    assert settings() == {}


@pytest.mark.parametrize(
    'word, reason',
    [
        ('cpu=1', "no setting 'cpu'. Did you mean 'cpus'"),
        ('x=1', 'It has cpus, mem'),
        ('mem=32', "'32' is not a valid mem; e.g. 32G"),
        ('cpus=4 ', 'not a valid cpus'),
    ],
)
def test_a_setting_that_is_not_valid_is_refused_with_an_example(word, reason):
    with pytest.raises(UserError, match=reason):
        settings(word)
