"""What is half-written in a whole project: runs, lists, TensorBoards, selftests."""

import shutil

import breakage
import pytest

from tagrun.core.check import leftovers
from tagrun.core.git.repository import Repository
from tagrun.core.record import claim
from tagrun.store import layout, lock
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


def test_git_is_asked_as_often_for_many_runs_as_for_few(stub_with_run, tmp_path, monkeypatch):
    repository = Repository.at(stub_with_run.root)
    commit = repository.resolve('refs/tags/t1^{commit}')

    def processes():
        trace = tmp_path / 'trace'
        trace.unlink(missing_ok=True)
        with monkeypatch.context() as context:
            context.setenv('GIT_TRACE', str(trace))
            findings = list(leftovers.find(repository, runs_of(stub_with_run.root)))
        assert all('was killed' not in finding.what for finding in findings), findings
        return trace.read_text().count('built-in: git ')

    before = processes()
    for seed in range(12):
        claim.create_run(repository, 't1', commit, seed)
    assert processes() == before


def runs_of(root):
    return [RunRef('t1', number) for number in layout.numbers(root, 't1')]
