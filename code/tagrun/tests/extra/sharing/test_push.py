"""Plans and pushes: what is new goes, and nothing at the remote is overwritten."""

import pytest

from tagrun.core.git import remotes
from tagrun.core.git.repository import Repository
from tagrun.extra.sharing import push, remote_names
from tagrun.store.run_ref import RunRef


def test_who_shares_in_between_is_not_overwritten(pair):
    repository = Repository.at(pair.alice.root)
    local = remote_names.local_refs(repository)
    first = local.runs[RunRef('t1', 0)]
    plan = push.make_plan(repository, 'origin', local, [RunRef('t1', 0)])
    theirs = pair.plant('refs/tagrun/code/t1/0', {'code/main.py': b'pass\n'})
    push.send(repository, 'origin', local, plan)
    assert pair.refs()['refs/tagrun/code/t1/0'] == theirs
    assert pair.refs()['refs/tagrun/code/t1@Alice/0'] == first.code


def test_a_code_that_only_grew_out_of_theirs_does_not_replace_it(pair):
    repository = Repository.at(pair.alice.root)
    local = remote_names.local_refs(repository)
    first = local.runs[RunRef('t1', 0)]
    # child of t1/0's code: git alone would fast-forward
    plan = push.make_plan(repository, 'origin', local, [RunRef('t1', 1)])
    pair.alice.git('push', '-q', 'origin', f'{first.code}:refs/tagrun/code/t1/1')
    with pytest.raises(Exception, match='stale|rejected|failed'):
        remotes.push(repository, 'origin', *plan.changes[RunRef('t1', 1)])
    assert pair.refs()['refs/tagrun/code/t1/1'] == first.code


def plan_of(project, *runs):
    """The repository, its runs and a plan for some of them."""
    repository = Repository.at(project.root)
    local = remote_names.local_refs(repository)
    return repository, local, push.make_plan(repository, 'origin', local, runs)


def test_a_new_run_goes_with_its_tag_its_code_and_its_result(pair):
    _, local, plan = plan_of(pair.alice, RunRef('t1', 0))
    objects = local.runs[RunRef('t1', 0)]
    assert plan.targets == {RunRef('t1', 0): RunRef('t1', 0)} and not plan.renamed
    assert plan.changes[RunRef('t1', 0)] == push.RefChanges(
        {
            'refs/tags/t1': objects.tag,
            'refs/tagrun/code/t1/0': objects.code,
            'refs/tagrun/result/t1/0': objects.result,
        },
        {},
    )


def test_a_run_that_the_remote_has_is_counted_and_not_sent(pair):
    repository, local, plan = plan_of(
        pair.alice, *remote_names.local_refs(Repository.at(pair.alice.root)).runs
    )
    push.send(repository, 'origin', local, plan)
    _, _, plan = plan_of(pair.alice, RunRef('t1', 0), RunRef('t2', 0))
    assert (plan.shared_before, plan.targets, plan.unplaceable) == (2, {}, [])


def test_a_code_that_the_remote_has_alone_gets_its_result(pair):
    repository = Repository.at(pair.alice.root)
    objects = remote_names.local_refs(repository).runs[RunRef('t1', 0)]
    pair.alice.git('push', '-q', 'origin', f'{objects.code}:refs/tagrun/code/t1/0')
    _, _, plan = plan_of(pair.alice, RunRef('t1', 0))
    created, moved = plan.changes[RunRef('t1', 0)]
    assert moved == {} and created['refs/tagrun/result/t1/0'] == objects.result
    assert 'refs/tagrun/code/t1/0' not in created


def test_a_run_goes_beside_another_of_its_name(pair):
    pair.plant('refs/tagrun/code/t1/0', {'code/main.py': b'pass\n'})
    _, _, plan = plan_of(pair.alice, RunRef('t1', 0))
    assert plan.renamed == {RunRef('t1', 0): RunRef('t1@Alice', 0)}


def test_a_run_for_which_no_name_is_free_is_said(pair, monkeypatch):
    monkeypatch.setattr(remote_names, 'MAX_CANDIDATES', 2)
    run = RunRef('x', 0)
    pair.plant(RunRef('x@Alice', 0).code_ref, {'code/main.py': b'pass\n'})
    pair.alice.git('update-ref', run.code_ref, 'HEAD')
    pair.plant(run.code_ref, {'code/main.py': b'pass\n'})
    _, _, plan = plan_of(pair.alice, run)
    assert plan.unplaceable == [run] and not plan.targets


def test_many_runs_go_in_several_pushes(pair, monkeypatch):
    monkeypatch.setattr(push, 'RUNS_PER_PUSH', 1)
    runs = [RunRef('t1', 0), RunRef('t1', 1), RunRef('t2', 0)]
    repository, local, plan = plan_of(pair.alice, *runs)
    push.send(repository, 'origin', local, plan)
    assert {run.result_ref for run in runs} <= set(pair.refs())
