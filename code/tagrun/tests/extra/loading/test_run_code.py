"""run_code.py: whose files a run's code is imported from."""

import json
import shutil

import pytest
from project_factory import Project

from tagrun.core.cli.messages import UserError
from tagrun.extra.loading import run_code
from tagrun.store.run_ref import RunRef

RUN = RunRef('t1', 0)


@pytest.fixture
def project(trained_stub, tmp_path):
    return Project(shutil.copytree(trained_stub, tmp_path / "a 'b; c", symlinks=True))


def model(code):
    return (code.folder / 'model.py').read_text()


def test_an_intact_frozen_copy_is_used_and_stays_as_it_is(project):
    code = run_code.of_run(project.root, RUN)
    assert code.folder == project.folder('t1/0') / 'code'
    code.module('config')
    assert not list(code.folder.rglob('__pycache__'))
    # the same run again has the same classes
    assert run_code.of_run(project.root, RUN) is code


def test_a_changed_copy_is_named_and_the_commits_files_are_used(project, capsys):
    path = project.folder('t1/0') / 'code' / 'model.py'
    original = path.read_text()
    path.chmod(0o644)
    path.write_text('changed = 1\n')
    code = run_code.of_run(project.root, RUN)
    assert model(code) == original and not code.folder.is_relative_to(project.root)
    assert 't1/0: its frozen copy was changed (model.py)' in capsys.readouterr().err


def test_a_file_that_was_put_into_the_copy_is_not_imported(project):
    (project.folder('t1/0') / 'code' / 'planted.py').write_text('')
    code = run_code.of_run(project.root, RUN)
    assert not code.has('planted') and code.has('model')


def test_without_a_copy_the_files_come_out_of_git(project):
    original = (project.folder('t1/0') / 'code' / 'model.py').read_text()
    shutil.rmtree(project.folder('t1/0') / 'code')
    assert model(run_code.of_run(project.root, RUN)) == original


def test_without_the_commit_the_copy_is_used_and_without_both_it_is_said(project):
    path = project.folder('t1/0') / 'run.json'
    info = json.loads(path.read_text())
    path.write_text(json.dumps({**info, 'commit': 'a' * 40}))
    assert run_code.of_run(project.root, RUN).folder == project.folder('t1/0') / 'code'
    path.write_text(json.dumps({**info, 'commit': 'b' * 40}))
    shutil.rmtree(project.folder('t1/0') / 'code')
    with pytest.raises(UserError, match='the code of commit bbbbbbbbbb is not in this repository'):
        run_code.of_run(project.root, RUN)


def test_a_run_by_hand_an_imported_one_and_a_broken_one_are_one_sentence_each(project):
    path = project.folder('t1/0') / 'run.json'
    info = json.loads(path.read_text())
    shutil.rmtree(project.folder('t1/0') / 'code')
    for text, sentence in (
        (json.dumps({**info, 'commit': None}), 't1/0 was trained by hand'),
        (json.dumps({**info, 'imported': {'kind': 'CSV'}}), 't1/0 was imported'),
        ('{', 't1/0: run.json cannot be read: not JSON'),
    ):
        path.write_text(text)
        with pytest.raises(UserError, match=sentence):
            run_code.of_run(project.root, RUN)
