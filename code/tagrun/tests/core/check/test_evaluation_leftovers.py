"""core/check/evaluation_leftovers.py: what a kill left of the evaluations of a run."""

import breakage
import pytest
from run_factory import run

from tagrun.core.check import evaluation_leftovers
from tagrun.store import evaluations, lock, run_json, statistic
from tagrun.store.run_ref import RunRef

RUN = RunRef('t1', 0)


@pytest.fixture
def folder(root):
    """An evaluation that finished, long ago."""
    _, path = evaluations.claim(run(root, 't1/0'))
    request = {'id': 0, 'checkpoint': 'epoch_3.pth', 'sha256': 'f' * 64}
    run_json.write(path, run_json.build(root, 't1', 0, 'c' * 40, 7, evaluate=request))
    statistic.write(path, {'run': 't1/0', 'status': 'finished'})
    breakage.age(path)
    return path


def find(root):
    return list(evaluation_leftovers.find(root, RUN))


def test_of_one_that_finished_there_is_nothing_to_say(root, folder):
    assert find(root) == []


def test_a_killed_one_is_yours_and_its_link_is_removed(root, folder):
    statistic.write(folder, {'run': 't1/0', 'status': 'running'})
    (folder / 'checkpoint').mkdir()
    (folder / 'checkpoint' / 'epoch_3.pth').write_bytes(b'weights')
    breakage.age(folder)
    link, killed = find(root)
    assert link.what == 'it is killed, and keeps a link to its checkpoint'
    assert killed.is_harmless and killed.remedy == 'tagrun evaluate t1/0/evaluation/0'
    link.fix()
    assert not (folder / 'checkpoint').exists()
    breakage.age(folder)
    assert [finding.what for finding in find(root)] == ['it is killed']


def test_one_that_failed_has_said_why(root, folder):
    statistic.write(folder, {'run': 't1/0', 'status': 'failed'})
    breakage.age(folder)
    assert find(root) == []


def test_half_written_copies_are_removed(root, folder):
    (folder / '.statistic.json.1234abcd.tmp').write_bytes(b'{')
    breakage.age(folder)
    (finding,) = find(root)
    finding.fix()
    breakage.age(folder)
    assert find(root) == []


def test_one_that_was_never_prepared_is_named(root, folder):
    (folder / 'run.json').unlink()
    (folder / 'statistic.json').unlink()
    breakage.age(folder)
    (finding,) = find(root)
    assert finding.what == 'it was killed while it was prepared' and finding.is_harmless


def test_one_that_is_young_or_at_work_is_left_alone(root, folder):
    statistic.write(folder, {'run': 't1/0', 'status': 'running'})
    assert find(root) == []
    held = lock.Lock(folder)
    breakage.age(folder)
    assert find(root) == []
    held.release()


def test_one_that_waits_for_its_turn_keeps_its_checkpoint(root, folder):
    (folder / 'statistic.json').unlink()
    (folder / 'checkpoint').mkdir()
    breakage.age(folder)
    (finding,) = find(root)
    assert finding.what == 'it is created' and finding.is_harmless
