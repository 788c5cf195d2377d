"""The tag of a sweep: make it, or find the one that was made before.

    commit = find(repository, request) or make(repository, request)

The tag's message holds the command, in a line that begins with `sweep`: a run's tag has no such
line. No trial is recorded here.
"""

from collections.abc import Mapping
from typing import Any

from tagrun.core.cli.messages import UserError, echo, printable
from tagrun.core.git.process import GitError
from tagrun.core.git.repository import Repository
from tagrun.core.record import claim, input_files, plan, trained_arguments
from tagrun.extra.sweep import search, space
from tagrun.extra.sweep.request import COMMAND, SweepRequest
from tagrun.extra.sweep.variants import read_variant
from tagrun.store import inputs, names, run_ref


def find(repository: Repository, request: SweepRequest) -> str | None:
    """Return the commit of the sweep that was begun under this tag, or None.

    Raises UserError for a tag that is not a sweep's.
    """
    reason = names.check_tag(request.tag)
    if reason:
        raise UserError(f'{request.tag!r} cannot be a tag: {reason}')
    ref = run_ref.TAGS + request.tag
    message = dict(repository.refs(ref, ('refname', 'contents'))).get(ref)
    if message is None:
        return None
    _check_is_sweep(request, message)
    commit = repository.resolve(ref)
    if not commit:
        raise UserError(f'the tag {request.tag!r} names a commit that is not here')
    # raises UserError for wrong values
    request.space(read_variant(repository, commit, request.variants[0]).config)
    _check_inputs(repository, request, input_files.of_message(message))
    _tell_code_differs(repository, request.tag, commit)
    return commit


def make(repository: Repository, request: SweepRequest) -> str:
    """Make the sweep's tag, and return its commit. Raises UserError before anything is made."""
    plan.check_name(repository, request.tag)
    planned = plan.make_plan(repository, request.run_request())
    # raises UserError for wrong values
    parameters = request.space(planned.config)
    trained_arguments.check_values(repository, planned, space.samples(parameters))
    if request.search or request.prune:
        search.check(repository.root, request, planned.config)
    seed = claim.fresh_seed() if planned.seed is None else planned.seed
    text = _message(request, planned, seed)
    commit = plan.side_commit(repository, planned, seed, text)
    for word in filter(None, request.variants):
        read_variant(repository, commit, word)
    _create(repository, request.tag, commit, text)
    plan.report(planned, seed)
    return commit


def _check_is_sweep(request: SweepRequest, message: str) -> None:
    lines = message.splitlines()[1:]
    command = next((line for line in lines if line.startswith(f'{COMMAND} ')), None)
    if not command:
        raise UserError(claim.tag_exists(request.tag))
    if not request.values and not request.vary:
        raise UserError(f'which values? It was begun with:  tagrun {printable(command)}')


def _check_inputs(
    repository: Repository, request: SweepRequest, recorded: Mapping[str, Any]
) -> None:
    """Raise UserError where the trials so far began with other inputs, or these are gone."""
    before, now = inputs.names(recorded), inputs.names(request.inputs)
    contents = [inputs.contents(inputs.known(each)) for each in (recorded, request.inputs)]
    if now and contents[0] != contents[1]:
        began = f'with the weights of {before}' if before else 'without weights'
        raise UserError(f'{request.tag} was begun {began}: take another name for {now}')
    input_files.check(repository.root, recorded, request.tag)


def _tell_code_differs(repository: Repository, tag: str, commit: str) -> None:
    """Say so where HEAD has another code than the sweep; what is uncommitted is not looked at."""
    head = repository.resolve('HEAD')
    if not head:
        return
    here, recorded = read_variant(repository, head), read_variant(repository, commit)
    if here.other_files != recorded.other_files:
        echo(f'tagrun: the code here is no longer that of {tag}; the sweep goes on with its own')


def _message(request: SweepRequest, planned: plan.Plan, seed: int) -> str:
    """Return the tag's message: why, what was recorded, and the command."""
    command = request.command()
    recorded = plan.message(planned, seed).splitlines()[1:]
    return '\n'.join([request.message or command, *recorded, command]) + '\n'


def _create(repository: Repository, tag: str, commit: str, text: str) -> None:
    ref = run_ref.TAGS + tag
    try:
        repository.create_refs({ref: repository.make_tag(tag, commit, text)})
    except GitError:
        if repository.resolve(ref):
            raise UserError(claim.tag_exists(tag)) from None
        raise
