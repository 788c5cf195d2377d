"""store/first_step.py: whether a run trained anything, as its files say."""

import pytest
import run_factory

from tagrun.store import first_step, run_json, trace


@pytest.fixture
def folder(tmp_path):
    """A run that was recorded, and whose training wrote nothing."""
    path = tmp_path / '__result__' / 't1' / '0'
    path.mkdir(parents=True)
    run_json.write(path, run_json.build(tmp_path, 't1', 0, 'c' * 40, 7))
    return path


def checkpoint(folder, name='epoch_1.pth'):
    (folder / 'checkpoint').mkdir(exist_ok=True)
    (folder / 'checkpoint' / name).write_bytes(b'weights')


def test_a_run_without_a_line_and_a_checkpoint_trained_nothing(folder):
    assert not first_step.is_done(folder)
    (folder / trace.NAME).write_text(trace.HEADER)
    (folder / 'checkpoint').mkdir()
    assert not first_step.is_done(folder)


def test_one_line_of_the_trace_is_a_step(folder):
    (folder / trace.NAME).write_text(trace.HEADER + '1,1,5d0c6a9f,a81b20c4,2.5,\n')
    assert first_step.is_done(folder)


def test_a_checkpoint_is_enough_listed_or_not(folder):
    checkpoint(folder)
    assert first_step.is_done(folder)


def test_the_checkpoint_of_another_run_is_no_step_of_its_own(folder):
    taken = {'pre/0': {'file': 'epoch_1.pth', 'sha256': '0' * 64, 'what': 'checkpoint'}}
    run_json.write(folder, {**run_json.read(folder), 'inputs': taken})
    checkpoint(folder)
    assert not first_step.is_done(folder)
    (folder / trace.NAME).write_text(trace.HEADER + '2,40,5d0c6a9f,a81b20c4,2.5,\n')
    assert first_step.is_done(folder)


def test_what_cannot_be_read_counts_as_trained(folder):
    (folder / run_json.NAME).write_text('{')
    assert first_step.is_done(folder)
    (folder / trace.NAME).mkdir()
    assert first_step.is_done(folder)


def test_a_whole_run_has_trained(tmp_path):
    folder = run_factory.run(tmp_path, 't1/0')
    checkpoint(folder)
    assert first_step.is_done(folder)
