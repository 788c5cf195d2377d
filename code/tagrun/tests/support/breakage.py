"""Ways to leave a stub project as a kill, a full disk or a deleted folder leaves it.

    breakage.RUN['epoch_last.pth leads to epoch_9.pth'](project)

Each key is a part of the sentence that `tagrun doctor` prints of it. The project has the finished
run t1/0.
"""

import os
import shutil
import time

import pytest
import stub_project
from project_factory import Project

from tagrun.core.git.repository import Repository
from tagrun.core.record import claim

OLD_S = 10_000


@pytest.fixture(scope='session')
def trained_stub(tmp_path_factory):
    """The root of a stub project with the finished run t1/0, to be copied."""
    project = stub_project.make(tmp_path_factory.mktemp('trained') / 'project')
    project.tagrun('run', 't1')
    return project.root


@pytest.fixture
def stub_with_run(trained_stub, tmp_path):
    """A stub project with the finished run t1/0."""
    return Project(shutil.copytree(trained_stub, tmp_path / "a 'b; c", symlinks=True))


def age(path):
    """Make a file or folder look as if nothing had touched it for hours."""
    os.utime(path, (time.time() - OLD_S,) * 2, follow_symlinks=False)


def break_lock(project):
    path = project.root / '.git' / 'index.lock'
    path.touch()
    age(path)


def break_ref_lock(project):
    path = project.root / '.git' / 'refs' / 'tags' / 't2.lock'
    path.touch()
    age(path)


def break_temporary_index(project):
    path = project.root / '.git' / 'tagrun-x1y2'
    path.mkdir()
    (path / 'index').write_bytes(b'DIRC')
    age(path)


def break_claim(project):
    path = project.folder('t1/1')
    path.mkdir()
    age(path)


def break_preparation(project):
    repository = Repository.at(project.root)
    claim.create_run(repository, 't1', repository.resolve('refs/tags/t1^{commit}'), 4242)
    (project.folder('t1/1') / 'run.json').unlink()
    (project.folder('t1/1') / 'code' / 'model.py').unlink()
    age(project.folder('t1/1'))


def break_last(project):
    path = project.folder('t1/0') / 'checkpoint' / 'epoch_last.pth'
    path.unlink()
    path.symlink_to('epoch_9.pth')


def break_best(project):
    (project.folder('t1/0') / 'checkpoint' / 'epoch_best.pth').unlink()


def break_save(project):
    path = project.folder('t1/0') / 'checkpoint' / '.epoch_2.pth.1234abcd.tmp'
    path.write_bytes(b'half')
    age(path)


def break_statistic(project):
    path = project.folder('t1/0') / '.statistic.json.1234abcd.tmp'
    path.write_bytes(b'{')
    age(path)


def break_result(project):
    project.git('update-ref', '-d', 'refs/tagrun/result/t1/0')


def break_result_of_killed(project):
    path = project.folder('t1/0') / 'statistic.json'
    path.write_text(path.read_text().replace('finished', 'running'))
    project.root.joinpath('__statistic__/exper-list/finished.txt').unlink()


def break_code_ref(project):
    project.git('update-ref', '-d', 'refs/tagrun/code/t1/0')


def break_snapshot(project):
    path = project.folder('t1/0') / 'code' / 'model.py'
    path.chmod(0o644)
    path.write_text('edited\n')


def break_bytecode(project):
    (project.folder('t1/0') / 'code' / '__pycache__').mkdir()


def break_finished(project):
    (project.root / '__statistic__' / 'exper-list' / 'finished.txt').write_text('# mine\n')


def break_table(project):
    path = project.root / '__statistic__' / 'table' / '.record.csv.1234abcd.tmp'
    path.parent.mkdir()
    path.write_text('half')
    age(path)


def break_tensorboard(project):
    path = project.root / '__result__' / '.tensorboard' / 'server.json'
    path.write_text('{"pid": 1, "port": 6006}\n')


def break_selftest(project):
    folder = project.root / '__result__' / '.selftest-x1y2' / '0'
    (folder / 'code').mkdir(parents=True)
    (folder / 'code' / 'main.py').touch(0o444)
    (folder / 'lock').write_text('{"pid": 1}\n')


# in the git folder
GIT = {
    'a lock that a killed git left': break_lock,
    'refs/tags/t2.lock: a lock': break_ref_lock,
    'the temporary index of a killed': break_temporary_index,
}
# in the folder of a run, or in what git has of it
RUN = {
    't1/1: an empty folder': break_claim,
    'its preparation was killed': break_preparation,
    'epoch_last.pth leads to epoch_9.pth': break_last,
    'epoch_best.pth leads to nothing': break_best,
    '.epoch_2.pth.1234abcd.tmp': break_save,
    '.statistic.json.1234abcd.tmp': break_statistic,
    'it ended, and git has no result of it': break_result,
    'it was killed, and git has an older result': break_result_of_killed,
    'no ref keeps its commit': break_code_ref,
    'differs from the commit: model.py': break_snapshot,
    "holds Python's bytecode": break_bytecode,
    'it is finished, and not in finished.txt': break_finished,
}
# beside the runs
PROJECT = {
    '.record.csv.1234abcd.tmp': break_table,
    'a TensorBoard that is dead': break_tensorboard,
    'trainings that a selftest kept': break_selftest,
}
ALL = {**GIT, **RUN, **PROJECT}
