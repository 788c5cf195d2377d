"""What is half-written in the folder of one run, and its repair."""

import breakage
import pytest

from tagrun.core.check import git_leftovers, run_leftovers
from tagrun.core.git.repository import Repository
from tagrun.store.run_ref import RunRef


def find(project, name='t1/0'):
    repository, run = Repository.at(project.root), RunRef.parse(name)
    references = git_leftovers.References(repository, [run])
    return list(run_leftovers.find(repository, run, references))


def test_a_run_that_ended_well_has_no_finding(stub_with_run):
    assert find(stub_with_run) == []


@pytest.mark.parametrize('what', breakage.RUN)
def test_what_is_half_written_is_repaired(stub_with_run, what):
    breakage.RUN[what](stub_with_run)
    folders = sorted(stub_with_run.root.glob('__result__/t*/*'))
    findings = []
    for folder in folders:
        findings += find(stub_with_run, str(RunRef.of_folder(folder)))
    (finding,) = [finding for finding in findings if not finding.is_harmless]
    assert what in f'{finding.where}: {finding.what}'
    finding.fix()
    for folder in filter(lambda folder: folder.exists(), folders):
        after = find(stub_with_run, str(RunRef.of_folder(folder)))
        assert all(finding.is_harmless for finding in after)


def test_the_best_checkpoint_that_is_lost_cannot_be_repaired(stub_with_run):
    folder = stub_with_run.folder('t1/0') / 'checkpoint'
    (folder / 'epoch_1.pth').unlink()
    findings = {finding.what: finding.fix for finding in find(stub_with_run)}
    assert findings == {
        'epoch_last.pth leads to epoch_1.pth, which is not there': None,
        'epoch_best.pth leads to epoch_1.pth, which is not there': None,
    }


def test_a_fetched_run_is_not_searched(stub_with_run):
    path = stub_with_run.folder('t1/0') / 'run.json'
    path.write_text(path.read_text().replace('"resume"', '"fetched_from": "hub", "resume"'))
    breakage.break_last(stub_with_run)
    assert find(stub_with_run) == []


def test_a_run_json_that_cannot_be_read_is_left_to_the_user(stub_with_run):
    (stub_with_run.folder('t1/0') / 'run.json').write_text('{')
    (finding,) = find(stub_with_run)
    assert 'run.json cannot be read' in finding.what and finding.fix is None


def test_a_kill_within_the_writing_of_run_json_is_repaired_at_once(stub_with_run):
    breakage.break_preparation(stub_with_run)
    folder = stub_with_run.folder('t1/1')
    half_written = folder / '.run.json.1234abcd.tmp'
    half_written.write_text('{')
    breakage.age(half_written)
    breakage.age(folder)
    repository, run = Repository.at(stub_with_run.root), RunRef('t1', 1)
    references = git_leftovers.References(repository, [run])
    # as doctor does: each is fixed before the next is looked for
    for finding in run_leftovers.find(repository, run, references):
        finding.fix()
    assert (folder / 'run.json').is_file() and not half_written.exists()
    assert find(stub_with_run, 't1/1') == [] or find(stub_with_run, 't1/1')[0].is_harmless
