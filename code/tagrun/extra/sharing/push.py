"""Plan which refs go to a remote under which names, and push them.

    plan = make_plan(repository, 'origin', local, [RunRef('t1', 0)])
    plan.targets                         # {RunRef('t1', 0): RunRef('t1@Bob', 0)}
    send(repository, 'origin', local, plan)

A push overwrites nothing at the remote. Where somebody else shares at the same moment, the rest is
planned anew.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from tagrun.core.cli.messages import UserError, echo
from tagrun.core.git import remotes
from tagrun.core.git.process import GitError
from tagrun.core.git.repository import Repository
from tagrun.extra.sharing import remote_names
from tagrun.extra.sharing.remote_names import RefIndex, RunObjects
from tagrun.store.run_ref import RunRef

RUNS_PER_PUSH = 300  # a command line has a greatest length
MAX_TRIES = 5  # somebody else may share at the same moment


# {full name: (id that the remote has, or None; id that is sent)}
Refs = Mapping[str, tuple[str | None, str]]


def ignore(_: Refs) -> None:
    """Do nothing."""


class RefChanges(NamedTuple):
    """The refs of a push: {full name: object}."""

    created: dict[str, str]
    moved: dict[str, str]


@dataclass
class Plan:
    """What goes to a remote, and under which names."""

    index: RefIndex  # of the remote, with what is to be sent
    before: Mapping[str, str]  # {full ref: id} that the remote has now
    targets: dict[RunRef, RunRef] = field(default_factory=dict)  # {run here: its name there}
    changes: dict[RunRef, RefChanges] = field(default_factory=dict)  # of each run here
    shared_before: int = 0  # runs that the remote has already
    unplaceable: list[RunRef] = field(default_factory=list)  # no name for them is free there

    @property
    def renamed(self) -> dict[RunRef, RunRef]:
        """The targets that have another name at the remote than here."""
        return {run: target for run, target in self.targets.items() if run != target}


def make_plan(
    repository: Repository,
    remote: str,
    local: RefIndex,
    runs: Iterable[RunRef],
    patience_s: int | None = None,
) -> Plan:
    """Return the Plan for some runs of `local`, from what the remote has now.

    patience_s: how long git may wait for the remote; None: without a limit. Raises UserError where
    the remote cannot be reached.
    """
    try:
        rows = remotes.advertised(repository, remote, *remote_names.PATTERNS, patience_s=patience_s)
    except GitError as error:
        raise remote_names.unreachable(repository, remote, error) from None
    plan = Plan(remote_names.index_refs(rows.items()), rows)
    shared = plan.index.by_key()
    owner = remote_names.safe_name(repository.author())
    for run in runs:
        if local.runs[run].key in shared:
            plan.shared_before += 1
        else:
            _add(plan, repository, run, local.runs[run], owner)
    return plan


def _add(plan: Plan, repository: Repository, run: RunRef, objects: RunObjects, owner: str) -> None:
    """Find the name of a run at the remote, and add its refs to the plan."""

    def fits(_: RunRef, present: RunObjects | None) -> bool:
        return _fits(repository, objects, present)

    tags = remote_names.candidates(run.tag, owner)
    target = remote_names.free_name(run, objects, plan.index, tags, fits)
    if target is None:
        plan.unplaceable.append(run)
    elif _is_current(repository, objects, plan.index.runs.get(target)):
        plan.shared_before += 1
    else:
        plan.targets[run] = target
        plan.changes[run] = _changes(objects, target, plan.index)
        plan.index.add(target, objects)


def _fits(repository: Repository, objects: RunObjects, present: RunObjects | None) -> bool:
    """Return whether a run can have a name: it is free, or `present` is an earlier or later state
    of the same run.
    """
    if present is None:
        return True
    if present.code != objects.code:
        return False
    if present.result is None or objects.result is None or present.result == objects.result:
        return True
    return repository.is_ancestor(present.result, objects.result) or repository.is_ancestor(
        objects.result, present.result
    )


def _is_current(repository: Repository, objects: RunObjects, present: RunObjects | None) -> bool:
    """Return whether the remote has a run as it is here, or a later state of it."""
    if present is None or present.code != objects.code:
        return False
    if objects.result is None or objects.result == present.result:
        return True
    return present.result is not None and repository.is_ancestor(objects.result, present.result)


def _changes(objects: RunObjects, target: RunRef, index: RefIndex) -> RefChanges:
    """Return the refs that make a run a run of the remote."""
    changes = RefChanges({}, {})
    present = index.runs.get(target)
    if objects.tag and target.tag not in index.tags:
        changes.created[target.tag_ref] = objects.tag
    if present is None:
        changes.created[target.code_ref] = objects.code
    if objects.result:
        has_result = present is not None and present.result is not None
        refs = changes.moved if has_result else changes.created
        refs[target.result_ref] = objects.result
    return changes


def send(
    repository: Repository,
    remote: str,
    local: RefIndex,
    plan: Plan,
    patience_s: int | None = None,
    before_push: Callable[[Refs], object] = ignore,
) -> None:
    """Push what a Plan has; where somebody was faster, plan anew.

    before_push: called with the refs of each push, before it. Raises UserError where the remote
    cannot be reached or does not take it.
    """
    for attempt in range(1, MAX_TRIES + 1):
        try:
            _push(repository, remote, plan, patience_s, before_push)
            return
        except GitError as error:
            former = plan
            plan = make_plan(repository, remote, local, list(plan.targets), patience_s)
            if plan.changes == former.changes or attempt == MAX_TRIES:
                raise UserError(f'{remote} did not take it: {error}') from None
            for run, target in plan.renamed.items():
                echo(f'  {remote} has another {run} meanwhile: yours goes there as {target}')


def _push(
    repository: Repository,
    remote: str,
    plan: Plan,
    patience_s: int | None,
    before_push: Callable[[Refs], object],
) -> None:
    runs = list(plan.targets)
    for start in range(0, len(runs), RUNS_PER_PUSH):
        created: dict[str, str] = {}
        moved: dict[str, str] = {}
        for run in runs[start : start + RUNS_PER_PUSH]:
            created.update(plan.changes[run].created)
            moved.update(plan.changes[run].moved)
        refs = {name: (None, after) for name, after in created.items()}
        refs |= {name: (plan.before.get(name), after) for name, after in moved.items()}
        before_push(refs)
        remotes.push(repository, remote, created, moved, patience_s=patience_s)
