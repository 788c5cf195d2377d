"""A run's log has the form that git config says, and its end is shown where training died."""

import pytest

from tagrun.core.git.repository import Repository
from tagrun.core.launch import launch, run_log
from tagrun.core.record import claim, plan
from tagrun.core.record.plan import RunRequest
from tagrun.store import run_json

INFO = run_json.build('/p', 't1', 0, None, 1)


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / 't1' / '0'
    path.mkdir(parents=True)
    run_json.write(path, INFO)
    return path


def test_git_config_chooses_the_form_at_each_start(stubbed, folder, capsys):
    forms = []
    for value in ('plain', 'plain', 'times', 'loud'):
        stubbed.git('config', 'tagrun.log', value)
        repository = Repository.at(stubbed.root)
        info = run_log.choose_form(repository, folder, run_json.read(folder))
        assert info == run_json.read(folder)
        forms.append(info.get('log'))
    assert forms == ['plain', 'plain', None, None]
    assert "tagrun.log is 'loud', and can be 'times' or 'plain'" in capsys.readouterr().err


def test_the_last_lines_have_no_times_and_fit_the_screen(folder):
    assert run_log.last_lines(folder) == []
    text = 'x' * 10_000 + '\n12:00:00 one\n\n12:00:01 two\nterminate called' + ' y' * 100
    (folder / 'log').write_text(text)
    lines = run_log.last_lines(folder)
    assert lines[:2] == ['one', 'two'] and lines[2].startswith('terminate called y')
    assert len(lines[2]) == run_log.WIDTH


def test_a_training_that_died_by_itself_shows_the_end_of_its_log(stubbed, capfd):
    repository = Repository.at(stubbed.root)
    for how, code, is_shown in (('SIGABRT', 134, True), ('SIGKILL', 137, False)):
        main = stubbed.root / 'code' / 'main.py'
        main.write_text(f'import os, signal\nos.kill(os.getpid(), signal.{how})')
        made = plan.make_plan(repository, RunRequest(how, {}, fixed=True))
        commit = plan.side_commit(repository, made, made.seed, 'a test')
        folder = claim.create_run(repository, how, commit, made.seed, tag_message='why')
        (folder / 'log').write_text('12:00:00 free(): invalid pointer\n')
        assert launch.train_here(repository, folder) == code
        text = capfd.readouterr().err
        assert ('SIGABRT/0 died of SIGABRT; its log ends:\n  free(): invalid' in text) == is_shown
