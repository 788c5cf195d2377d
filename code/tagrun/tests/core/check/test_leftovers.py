"""What is half-written in a whole project: runs, lists, TensorBoards, selftests."""

import shutil

import breakage
import pytest

from tagrun.core.check import leftovers
from tagrun.core.git.repository import Repository
from tagrun.store import lock
from tagrun.store.run_ref import RunRef


def find(project):
    return list(leftovers.find(Repository.at(project.root), [RunRef('t1', 0)]))


@pytest.mark.parametrize('what', breakage.PROJECT)
def test_what_is_half_written_beside_the_runs_is_repaired(stub_with_run, what):
    breakage.PROJECT[what](stub_with_run)
    (finding,) = find(stub_with_run)
    assert what in f'{finding.where}: {finding.what}'
    finding.fix()
    assert find(stub_with_run) == []


def test_each_place_is_searched(stub_with_run):
    breakage.break_lock(stub_with_run)
    breakage.break_last(stub_with_run)
    breakage.break_table(stub_with_run)
    assert [finding.where for finding in find(stub_with_run)] == [
        str(stub_with_run.root / '.git' / 'index.lock'),
        't1/0',
        'table',
    ]


def test_a_run_that_somebody_trains_is_left_alone(stub_with_run):
    breakage.break_last(stub_with_run)
    owner = lock.Lock(stub_with_run.folder('t1/0'))
    assert find(stub_with_run) == []
    owner.release()
    assert len(find(stub_with_run)) == 1


def test_a_selftest_whose_lock_is_empty_is_at_work_all_the_same(stub_with_run):
    breakage.break_selftest(stub_with_run)
    folder = stub_with_run.root / '__result__' / '.selftest-x1y2'
    owner = lock.Lock(folder)
    (folder / 'lock').write_text('')
    (finding,) = find(stub_with_run)
    assert finding.is_harmless and finding.fix is None
    owner.release()


def test_a_run_without_its_folder_is_reported_with_the_command_that_makes_it(stub_with_run):
    shutil.rmtree(stub_with_run.folder('t1'))
    repository = Repository.at(stub_with_run.root)
    findings = {finding.where: finding for finding in leftovers.find(repository, [])}
    finding = findings['t1']
    assert finding.is_harmless and finding.remedy == 'rerun t1/0'


def test_a_list_that_cannot_be_read_is_left_to_the_user(stub_with_run):
    path = stub_with_run.root / '__statistic__' / 'exper-list' / 'finished.txt'
    path.unlink()
    path.mkdir()
    texts = [finding.what for finding in find(stub_with_run) if finding.where == 'finished.txt']
    assert len(texts) == 1 and 'it cannot be read' in texts[0]
