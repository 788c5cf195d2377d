"""core/record/links.py: a link is recorded only if a run's frozen copy has what it leads to."""

import pytest

from tagrun.core.cli.messages import UserError
from tagrun.core.git.repository import Repository
from tagrun.core.record import links, trained_arguments, working_tree
from tagrun.core.record.plan import RunRequest, make_plan


def check(project):
    repository = Repository.at(project.root)
    links.check(project.root, working_tree.read_files(repository))


@pytest.mark.parametrize(
    'name, target',
    [
        ('vocabulary.txt', '../vocabulary.txt'),
        ('vocabulary.txt', '{root}/vocabulary.txt'),
        ('copy.py', '{root}/code/model.py'),
        ('copy.py', "../../a 'b; c/code/model.py"),
        ('shared', '../shared'),
        ('everything', '..'),
        ('disk', '/usr'),
    ],
)
def test_a_link_that_leaves_code_is_refused(stubbed, name, target):
    (stubbed.root / 'vocabulary.txt').write_text('a b\n')
    (stubbed.root / 'shared').mkdir()
    target = target.format(root=stubbed.root)
    (stubbed.root / 'code' / name).symlink_to(target)
    with pytest.raises(UserError) as refusal:
        check(stubbed)
    assert f'code/{name} is a link to {target}' in str(refusal.value)


def test_links_within_code_are_recorded_and_so_is_one_to_nothing(stubbed):
    code = stubbed.root / 'code'
    (code / 'nets').mkdir()
    (code / 'nets' / 'big.py').write_text('a = 1\n')
    (code / 'net').symlink_to('nets')
    (code / 'big.py').symlink_to('net/big.py')
    (code / 'nets' / 'model.py').symlink_to('../model.py')
    (code / 'again.py').symlink_to('../code/model.py')
    (code / '.#model.py').symlink_to('user@host.12:34')
    check(stubbed)
    stubbed.tagrun('run', 't1')
    assert (stubbed.folder('t1/0') / 'code' / 'big.py').read_text() == 'a = 1\n'


def test_a_link_to_a_file_that_git_ignores_is_refused(stubbed):
    (stubbed.root / 'code' / '.gitignore').write_text('local_*\n')
    (stubbed.root / 'code' / 'local_net.py').write_text('')
    (stubbed.root / 'code' / 'net.py').symlink_to('local_net.py')
    with pytest.raises(UserError, match='git ignores.*git add -f code/local_net.py'):
        check(stubbed)


def test_a_link_to_a_disk_that_is_not_there_is_named(stubbed):
    (stubbed.root / '__result__').symlink_to("../a 'disk")
    with pytest.raises(UserError, match="__result__ is a link to ../a 'disk, .* mkdir -p '"):
        links.check_result_folder(stubbed.root)
    assert 'mkdir -p' in stubbed.tagrun('run', '-n', 't1', code=1).stderr
    (stubbed.root.parent / "a 'disk").mkdir()
    links.check_result_folder(stubbed.root)
    assert 'uncommitted' not in stubbed.tagrun('run', 't1', '--clean').stderr
    assert (stubbed.root.parent / "a 'disk" / 't1' / '0' / 'statistic.json').exists()


def test_where_a_path_leads_to(stubbed):
    (stubbed.root / 'code' / 'out').symlink_to('/usr')
    (stubbed.root / 'code' / 'one.py').symlink_to('model.py')
    assert links.target(stubbed.root, 'code/one.py') == 'code/model.py'
    assert links.target(stubbed.root, 'code/model.py') == 'code/model.py'
    assert links.target(stubbed.root, 'code/out') is None


@pytest.mark.parametrize('settings', [{}, {'lr': '0.5'}])
def test_config_py_may_be_a_link_within_code_and_out_of_it_is_refused(stubbed, settings):
    code, repository = stubbed.root / 'code', Repository.at(stubbed.root)
    (code / 'configs').mkdir()
    (code / 'config.py').rename(code / 'configs' / 'base.py')
    (code / 'config.py').symlink_to('configs/base.py')
    stubbed.commit('a link')
    planned = make_plan(repository, RunRequest('t1', settings))
    trained_arguments.check(repository, planned)
    assert planned.arguments == (['lr = 0.5 (was 0.1)'] if settings else [])
    stubbed.edit('configs/base.py', 'lr = 0.1', 'lr = 0.2')
    planned = make_plan(repository, RunRequest('t1', settings))
    assert planned.arguments == [f'lr = {settings.get("lr", "0.2")} (was 0.1)']
    (code / 'config.py').unlink()
    (code / 'configs').rename(stubbed.root / 'configs')
    (code / 'config.py').symlink_to('../configs/base.py')
    planned = make_plan(repository, RunRequest('t1', settings))
    with pytest.raises(UserError, match='code/config.py is a link to ../configs/base.py'):
        trained_arguments.check(repository, planned)
