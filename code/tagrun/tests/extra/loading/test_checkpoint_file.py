"""checkpoint_file.py: which file, and that it is whole."""

import shutil

import pytest
import torch
from project_factory import Project

from tagrun.core.cli.messages import UserError
from tagrun.extra.loading import checkpoint_file, run_code
from tagrun.extra.loading.loaded_run import LoadedRun
from tagrun.store import checkpoints
from tagrun.store.run_ref import RunRef

RUN = RunRef('first', 0)


@pytest.fixture
def project(trained, tmp_path):
    return Project(shutil.copytree(trained.root, tmp_path / "a 'b; c", symlinks=True))


def read(project, file):
    return checkpoint_file.read(project.root, RUN, file, run_code.of_run(project.root, RUN))


def test_a_word_names_a_run_and_its_checkpoint(trained):
    assert checkpoint_file.of_word(trained.root, 'first') == (RUN, None)
    assert checkpoint_file.of_word(trained.root, 'first/0:1') == (RUN, 'epoch_1.pth')
    with pytest.raises(UserError, match="first/0 has no checkpoint '7': it has epoch_1, epoch_2"):
        checkpoint_file.of_word(trained.root, 'first:7')


def test_the_default_is_the_best_or_else_the_last(project):
    link = project.folder('first/0') / 'checkpoint' / 'epoch_best.pth'
    for name in ('epoch_1.pth', 'epoch_2.pth'):
        link.unlink()
        link.symlink_to(name)
        assert checkpoint_file.default(project.root, RUN) == name
    link.unlink()
    assert checkpoint_file.default(project.root, RUN) == 'epoch_2.pth'
    shutil.rmtree(link.parent)
    with pytest.raises(UserError, match='first/0 has no checkpoint here.*`rerun first/0 -f`'):
        checkpoint_file.default(project.root, RUN)


def test_what_it_reads_is_what_was_written(project):
    checkpoint = read(project, 'epoch_1.pth')
    path = project.folder('first/0') / 'checkpoint' / 'epoch_1.pth'
    assert checkpoint.content['state']['epoch'] == 1
    assert checkpoint.sha256 == checkpoints.digest(path)


def test_a_damaged_or_missing_file_is_named_with_the_others(project):
    path = project.folder('first/0') / 'checkpoint' / 'epoch_2.pth'
    path.write_bytes(path.read_bytes()[:-1] + b'x')
    with pytest.raises(UserError, match='epoch_2.pth is damaged.*Another one: first/0:epoch_1'):
        read(project, 'epoch_2.pth')
    path.unlink()
    with pytest.raises(UserError, match='epoch_2.pth cannot be read: No such file'):
        read(project, 'epoch_2.pth')


def test_a_file_that_is_not_a_checkpoint_is_refused_even_if_it_is_listed(project):
    folder = project.folder('first/0')
    path = folder / 'checkpoint' / 'epoch_2.pth'
    for content in ([1], {'state': 3}):
        torch.save(content, path)
        checkpoints.write_sums(folder, {'epoch_2.pth': checkpoints.digest(path)})
        with pytest.raises(UserError, match='epoch_2.pth cannot be read: it has no state'):
            read(project, 'epoch_2.pth')
    path.write_bytes(b'not torch')
    checkpoints.write_sums(folder, {'epoch_2.pth': checkpoints.digest(path)})
    with pytest.raises(UserError, match='epoch_2.pth cannot be read: .*`rerun first/0 -f`'):
        read(project, 'epoch_2.pth')


@pytest.mark.slow
@pytest.mark.parametrize('settings', [['shard=True'], ['shard=False']])
def test_weights_of_several_processes_are_whole(project, settings):
    project.git('checkout', '-q', '.')
    project.tagrun('run', 'several', '--nproc', '2', '--set', *settings)
    run = LoadedRun(project.root, RunRef('several', 0))
    correct = sum((run.model(x).argmax(1) == y).sum().item() for x, y in run.loaders()['test'])
    assert correct / 1000 == run.statistic['metric']['test/acc']
    if 'shard=True' in settings:
        part = next((run.folder / 'checkpoint').glob('*.shards/__1_0.distcp'))
        part.write_bytes(part.read_bytes()[:-1] + b'x')
        with pytest.raises(UserError, match='__1_0.distcp is damaged'):
            LoadedRun(project.root, RunRef('several', 0), 'epoch_2.pth').model  # noqa: B018
