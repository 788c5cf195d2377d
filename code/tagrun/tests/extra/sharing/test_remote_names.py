"""The runs of both sides, and the names that runs get on the other side."""

import subprocess

import pytest

from tagrun.core.cli.messages import UserError
from tagrun.core.git.repository import Repository
from tagrun.extra.sharing import remote_names
from tagrun.extra.sharing.remote_names import RefIndex, RunObjects
from tagrun.store import names
from tagrun.store.run_ref import RunRef

RUN = RunRef('t1', 0)
OBJECTS = RunObjects('tag', 'code', 'result')


def test_refs_become_runs():
    index = remote_names.index_refs(
        [
            ('refs/tags/t1', 'a'),
            ('refs/tagrun/code/t1/0', 'b'),
            ('refs/tagrun/result/t1/0', 'c'),
            ('refs/tagrun/code/t1/12', 'd'),
            ('refs/tagrun/code/T2/0', 'e'),
        ]
    )
    assert index.tags == {'t1': 'a'} and index.folded == {'t1': 't1'}
    assert index.runs == {
        RUN: RunObjects('a', 'b', 'c'),
        RunRef('t1', 12): RunObjects('a', 'd', None),
        RunRef('T2', 0): RunObjects(None, 'e', None),
    }
    assert index.by_key() == {('b', 'c'): RUN}


def test_fetched_refs_of_one_remote_are_read_and_no_others():
    place = 'refs/tagrun/remote/origin'
    rows = [(f'{place}/code/t1/0', 'b'), (f'{place}/tag/t1', 'a'), ('refs/tagrun/code/t2/0', 'c')]
    assert remote_names.index_refs(rows, 'origin').runs == {RUN: RunObjects('a', 'b', None)}


@pytest.mark.parametrize(
    'name', ['-x/0', 'con/0', 'a/b/0', 'x/00', 'x/-1', 'scratch/0', 'x', 'x/', '../0', 'x/0/y']
)
def test_a_name_that_cannot_be_a_runs_is_passed_over(name):
    assert remote_names.parse_run(name) is None
    assert not remote_names.index_refs([(f'refs/tagrun/code/{name}', 'a')]).runs


def test_candidates_begin_with_the_tag_itself():
    names = remote_names.candidates('t1', 'bob')
    assert names[:4] == ['t1', 't1@bob', 't1@bob.2', 't1@bob.3']
    assert len(names) == len(set(names)) == remote_names.MAX_CANDIDATES


@pytest.mark.parametrize(
    'name, safe',
    [('Bob B.', 'Bob-B'), ('../x', 'x'), ('Ünal', 'Ünal'), ('', 'other'), ('b' * 99, 'b' * 30)],
)
def test_any_name_becomes_a_part_of_a_tag(name, safe):
    assert remote_names.safe_name(name) == safe


def free_name(index, objects=OBJECTS, tags=('t1', 't1@bob'), fits=None):
    return remote_names.free_name(
        RUN, objects, index, tags, fits or (lambda _, present: not present)
    )


def side(*runs, tags=()):
    index = RefIndex(dict(tags), {}, {})
    for run in runs:
        index.add(run, RunObjects(None, 'other', None))
    return index


def test_a_run_keeps_its_name_where_it_is_free_and_else_goes_beside():
    assert free_name(side()) == RUN
    assert free_name(side(RUN)) == RunRef('t1@bob', 0)
    assert free_name(side(RUN, RunRef('t1@bob', 0))) is None


def test_what_fits_decides_over_a_name_that_is_taken():
    assert free_name(side(RUN), fits=lambda _, present: present.code == 'other') == RUN


def test_a_run_does_not_go_under_another_tag_of_its_name():
    assert free_name(side(tags={'t1': 'another tag object'})) == RunRef('t1@bob', 0)
    assert free_name(side(tags={'t1': 'tag'})) == RUN


def test_a_tag_that_differs_in_case_alone_is_another():
    assert free_name(side(RunRef('T1', 3))) == RunRef('t1@bob', 0)


def test_a_name_that_cannot_be_a_tag_is_passed_over():
    assert free_name(side(RUN), tags=('t1', 'x' * 101, 't2')) == RunRef('t2', 0)


@pytest.mark.parametrize('tag', ['x' * 100, 'x' * 95, 'ü' * 50, '가' * 33, 't1'])
@pytest.mark.parametrize('owner', ['bob', 'b' * 30, 'Ünal'])
def test_each_name_beside_a_tag_can_be_a_tag_however_long_it_is(tag, owner):
    first, *beside = remote_names.candidates(tag, owner)
    assert first == tag and not any(map(names.check_tag, beside))
    assert len({*beside, tag}) == len(beside) + 1
    assert all(f'@{owner}' in name for name in beside)


@pytest.fixture
def repository(tmp_path):
    subprocess.run(['git', 'init', '-q', tmp_path / 'here'], check=True)
    return Repository.at(tmp_path / 'here')


def add_remotes(repository, **urls):
    for name, url in urls.items():
        repository.git('remote', 'add', name, url)


def test_without_a_remote_it_says_how_to_add_one(repository):
    with pytest.raises(UserError, match='no remote to share with: git remote add origin'):
        remote_names.choose_remote(repository)


def test_the_only_remote_is_taken_and_of_several_origin(repository):
    add_remotes(repository, backup='/b')
    assert remote_names.choose_remote(repository) == 'backup'
    add_remotes(repository, origin='/o')
    assert remote_names.choose_remote(repository) == 'origin'
    assert remote_names.choose_remote(repository, 'backup') == 'backup'


def test_of_several_without_origin_one_has_to_be_named(repository):
    add_remotes(repository, one='/1', two='/2')
    with pytest.raises(UserError, match='which of one, two'):
        remote_names.choose_remote(repository)
    repository.git('config', 'tagrun.remote', 'two')
    assert remote_names.choose_remote(Repository.at(repository.root)) == 'two'


def test_an_unknown_remote_is_refused(repository):
    with pytest.raises(UserError, match="no remote 'x y': git remote add x-y <url>"):
        remote_names.choose_remote(repository, 'x y')
    add_remotes(repository, one='/1')
    with pytest.raises(UserError, match="no remote 'x': there is one"):
        remote_names.choose_remote(repository, 'x')


def test_a_remote_that_cannot_be_reached_is_named_without_its_password(repository):
    add_remotes(repository, origin='https://me:hunter2@host/x.git')
    text = str(remote_names.unreachable(repository, 'origin', ValueError('no route')))
    assert text.startswith('origin (https://host/x.git) cannot be reached: no route')
    assert 'gone cannot' in str(remote_names.unreachable(repository, 'gone', ValueError()))


def test_many_runs_are_shortened():
    runs = [RunRef('t1', number) for number in range(remote_names.SHOWN + 2)]
    assert remote_names.shortened(runs) == 't1/0-9 … and 2 more'
    assert remote_names.shortened([RUN, RunRef('t2', 1)]) == 't1/0 t2/1'


def test_refspecs_put_everything_below_the_remotes_own_refs():
    assert remote_names.refspecs('hub') == [
        '+refs/tags/*:refs/tagrun/remote/hub/tag/*',
        '+refs/tagrun/code/*:refs/tagrun/remote/hub/code/*',
        '+refs/tagrun/result/*:refs/tagrun/remote/hub/result/*',
    ]
