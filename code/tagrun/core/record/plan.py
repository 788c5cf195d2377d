"""Plan what a run or a sweep records, and make it a commit on no branch.

That is HEAD, what `git add -A` would add, and the new contents of config.py and code/seed.

    plan = make_plan(repository, RunRequest('t1', settings={'lr': '0.1'}))
    commit = side_commit(repository, plan, seed, message(plan, seed))

It makes no tag, claims no run and starts nothing.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from tagrun.core.cli.messages import UserError, echo, plural, printable, quote
from tagrun.core.git.repository import Change, Repository
from tagrun.core.record import (
    claim,
    config_text,
    contract,
    input_files,
    links,
    secret_rules,
    secret_scan,
    working_tree,
)
from tagrun.store import names
from tagrun.store.run_ref import HEADS, TAGS

SHOWN = 20  # files or arguments named before '…'
SOME = 3  # … in one sentence
CONFIG = 'code/config.py'
NO_SETTINGS: Mapping[str, str] = MappingProxyType({})
NO_INPUTS: Mapping[str, Any] = MappingProxyType({})


class RunRequest(NamedTuple):
    """What somebody asks to be recorded."""

    tag: str
    settings: Mapping[str, str] = NO_SETTINGS  # of --set: {name: text as typed}
    message: str = ''  # why, for the tag's message
    fixed: bool = False  # keep the seed in code/seed
    clean: bool = False  # refuse uncommitted changes
    inputs: Mapping[str, Any] = NO_INPUTS  # of run.json: what it takes from other runs


class Plan:
    """What would be recorded."""

    def __init__(
        self,
        request: RunRequest,
        head: str | None,
        changes: list[Change],
        config: str,
        config_before: str,
        seed: int | None,
    ) -> None:
        self.request = request
        self.head = head  # its commit; None where there is none yet
        self.changes = changes  # what is uncommitted
        self.config = config  # config.py's text, with the settings
        self.settings = config_text.values_of(config, request.settings)  # {name: value}
        # 'lr = 0.1 (was 0.01)': how they differ from HEAD's
        self.arguments: list[str] = []
        if config != config_before:
            self.arguments = config_text.differences(config_before, config)
        self.seed = seed  # of code/seed, or of the run that it goes on from; None: a fresh one


def check_name(repository: Repository, tag: str) -> None:
    """Raise UserError for a name that cannot be a new tag, with the reason."""
    reason = names.check_tag(tag)
    if reason:
        raise UserError(f'{tag!r} cannot be a tag: {reason}')
    secret_scan.check_words('the name', [tag])
    alike = [name.removeprefix(TAGS) for name in repository.alike(TAGS + tag)]
    if tag in alike:
        raise UserError(claim.tag_exists(tag))
    if alike:
        raise UserError(
            f'there is a tag {alike[0]!r}, and macOS and Windows would take {tag!r} for '
            'the same: take another name'
        )
    if [HEADS + tag] in repository.refs(HEADS + tag):
        raise UserError(f'{tag!r} is a branch: git could not tell the two apart, take another name')


def make_plan(repository: Repository, request: RunRequest, for_record: bool = True) -> Plan:
    """Return what a run would record. Raises UserError for what cannot be recorded.

    for_record: False for a quick trial, which may have any files.
    """
    if request.inputs:
        features = contract.frozen_features(repository.root)
        input_files.require_feature(features, 'code/tagrun here')
    links.check_result_folder(repository.root)
    secret_scan.check_words('-m', [request.message])
    secret_scan.check_words('--set', map('='.join, request.settings.items()))
    head, changes = repository.resolve('HEAD'), repository.changes()
    if changes and (request.clean or repository.flag('requireClean')):
        raise UserError(
            f'{plural(len(changes), "uncommitted change")} ({_paths(changes)}): commit first, '
            'or leave out --clean'
        )
    if for_record:
        _check_repository(repository, changes)
    config = config_text.decoded(_config(repository, head, changes), CONFIG)
    before = _config_before(repository, head, changes, config)
    config_text.check_syntax(config, CONFIG)
    config = config_text.changed(config, request.settings)
    seed = input_files.start_seed(repository.root, request.inputs)
    if request.fixed:
        seed = claim.read_seed(read_file(repository, claim.SEED_FILE))
    return Plan(request, head, changes, config, before, seed)


def _config(repository: Repository, head: str | None, changes: list[Change]) -> bytes:
    """Return config.py as git would record it, with git's own line endings."""
    content = read_file(repository, CONFIG)
    path = links.target(repository.root, CONFIG)
    if path is None:
        return content
    if head and not _is_among(repository, path, changes):
        # a file that git ignores is not at HEAD
        return repository.file(head, path) or content
    return repository.content(path)


def _config_before(
    repository: Repository, head: str | None, changes: list[Change], config: str
) -> str:
    """Return config.py's text at HEAD; without one, as it is now."""
    path = links.target(repository.root, CONFIG) or CONFIG
    if head and _is_among(repository, path, changes):
        content = repository.file(head, path) or b''
        return content.decode(errors='replace').removeprefix('\ufeff')
    return config


def _is_among(repository: Repository, path: str, changes: list[Change]) -> bool:
    return any(change.path == repository.prefix + path for change in changes)


def _check_repository(repository: Repository, changes: list[Change]) -> None:
    """Raise UserError for what a record cannot hold as it is."""
    if repository.under_way():
        raise UserError(
            f'{repository.under_way()} is under way: finish or abort it first, a run would '
            'record its half-merged files'
        )
    for change in changes:
        if change.what == 'unmerged':
            raise UserError(
                f'{change.path} is unmerged, a run would record its conflict: resolve it, '
                f'then git add {quote(change.path)}'
            )
        if change.what == 'submodule':
            raise UserError(
                f'the submodule {change.path} has uncommitted changes, which no record can '
                'hold: commit them there'
            )
        if change.what == 'repository':
            working_tree.refuse_repository(change.path)
    secret_scan.check(repository.top, changes)


def side_commit(repository: Repository, plan: Plan, seed: int, text: str) -> str:
    """Return the commit to run: HEAD itself where nothing differs from it."""
    replaced = {} if plan.request.fixed else claim.seed_file(seed)
    if plan.request.settings:
        replaced[CONFIG] = plan.config.encode()
    if plan.head and not plan.changes and not replaced:
        return plan.head
    everything = bool(plan.changes) or not plan.head
    tree = repository.write_tree(plan.head, replaced, everything=everything)
    whole = f'{plan.head}^{{tree}}'
    if plan.head and repository.ids([whole]).get(whole) == tree:
        return plan.head
    return repository.commit_tree(tree, plan.head, f'tagrun: {text}')


def message(plan: Plan, seed: int) -> str:
    """Return the tag's message: why, seed, changed arguments, inputs, what was uncommitted."""
    why = plan.request.message or f'run {plan.request.tag}'
    # HEAD's value may be a secret that was taken out
    arguments = map(secret_rules.redact_text, plan.arguments)
    lines = [why, '', f'seed {seed}', *arguments]
    lines += map(printable, input_files.message_lines(plan.request.inputs))
    for change in plan.changes:
        line = printable(f'uncommitted: {change.what} {change.path}')
        lines.append(line.replace('\n', '\\n'))
    return '\n'.join(lines) + '\n'


def report(plan: Plan, seed: int | None = None) -> None:
    """Say what is recorded. seed: the one that was drawn, if that was done already."""
    where = f'on {plan.head[:10]}' if plan.head else 'as the first commit'
    seed = plan.seed if seed is None else seed
    drawn = 'drawn afresh' if seed is None else seed
    echo(f'{plan.request.tag}: recorded {where}, seed {drawn}')
    report_arguments(plan)
    for change in plan.changes[:SHOWN]:
        echo(f'  uncommitted, recorded too: {change.what} {change.path}')
    if len(plan.changes) > SHOWN:
        echo(f'  … and {len(plan.changes) - SHOWN} more uncommitted files')


def report_arguments(plan: Plan) -> None:
    """Say which arguments are others than those of HEAD, and what the run begins with."""
    arguments = [secret_rules.redact_text(line) for line in plan.arguments[:SHOWN]]
    for line in arguments + input_files.lines(plan.request.inputs):
        echo(f'  {line}')


def read_file(repository: Repository, path: str) -> bytes:
    """Return a file of the project as it is now. Raises UserError where it cannot be read."""
    try:
        return (repository.root / path).read_bytes()
    except OSError as error:
        raise UserError(f'{path}: {error.strerror}') from None


def _paths(changes: list[Change]) -> str:
    paths = ', '.join(change.path for change in changes[:SOME])
    return paths + (', …' if len(changes) > SOME else '')
