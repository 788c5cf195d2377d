"""Runs that a kill left unfinished: they get what they lack, and git gets their results."""

import shutil

import pytest

from tagrun.core.git.repository import Repository
from tagrun.core.launch import unfinished
from tagrun.store import run_json, statistic
from tagrun.store.run_ref import RunRef

RUN = RunRef('t', 0)


@pytest.fixture
def repository(stubbed):
    stubbed.tagrun('run', 't', '-f')
    return Repository.at(stubbed.root)


def test_a_state_that_cannot_be_read_counts_as_killed(tmp_path):
    assert unfinished.state(tmp_path) == statistic.CREATED
    (tmp_path / statistic.NAME).write_text('{')
    assert unfinished.state(tmp_path) == statistic.KILLED
    statistic.write(tmp_path, {'status': statistic.FAILED})
    assert unfinished.state(tmp_path) == statistic.FAILED


def test_a_run_that_was_killed_while_it_was_recorded_gets_its_files(repository, stubbed):
    folder = stubbed.folder(str(RUN))
    before = run_json.read(folder)
    shutil.rmtree(folder)
    folder.mkdir()
    assert unfinished.complete(repository, RUN) == folder
    # when it was created only its folder knew
    del before['created']
    assert run_json.read(folder) == before and (folder / 'code' / 'main.py').is_file()


def test_a_whole_run_is_left_as_it_is(repository, stubbed):
    folder = stubbed.folder(str(RUN))
    (folder / 'code' / 'main.py').unlink()
    assert unfinished.complete(repository, RUN) == folder
    assert not (folder / 'code' / 'main.py').exists()


def test_git_gets_the_results_that_it_lacks_and_no_others(repository, stubbed):
    folder, first = stubbed.folder(str(RUN)), stubbed.git('rev-parse', RUN.result_ref)
    unfinished.record_results(repository, [folder, stubbed.folder('t/7')])
    assert stubbed.git('rev-parse', RUN.result_ref) == first
    statistic.write(folder, {**statistic.read(folder), 'epoch': 7})
    unfinished.record_results(repository, [folder])
    assert '"epoch": 7' in stubbed.git('show', f'{RUN.result_ref}:statistic.json')
    stubbed.git('update-ref', '-d', RUN.result_ref)
    unfinished.record_results(repository, [folder])
    assert '"epoch": 7' in stubbed.git('show', f'{RUN.result_ref}:statistic.json')
