"""What a run or a sweep records: HEAD, what `git add -A` would take, the new contents of config.py and code/seed; and it as a commit on no branch.

    plan = of(repository, options); commit = side_commit(repository, options, plan, seed, message(options, plan, seed))

options: those of `run`: tag, message, fixed, clean, set. It makes no tag, claims no run and starts nothing.
"""
from tagrun.command import leaks, literals, prepare
from tagrun.command.say import Refusal, plural, printable, quote, say
from tagrun.store import names

SHOWN = 20              # files or arguments named before '…'


class Plan:
    """What a run would record: HEAD, the uncommitted changes, the new contents of config.py and code/seed."""

    def __init__(self, head, changes, config, config_before, seed):
        self.head, self.changes, self.config, self.seed = head, changes, config, seed
        self.arguments = literals.differences(config_before, config) if config != config_before else []


def check_name(repository, tag):
    reason = names.check_tag(tag)
    if reason:
        raise Refusal(f'{tag!r} cannot be a tag: {reason}')
    alike = [name.removeprefix('refs/tags/') for name in repository.alike(f'refs/tags/{tag}')]
    if tag in alike:
        raise Refusal(prepare.tag_exists(tag))
    if alike:
        raise Refusal(f'there is a tag {alike[0]!r}, and macOS and Windows would take {tag!r} for the same: take another name')
    if [f'refs/heads/{tag}'] in repository.refs(f'refs/heads/{tag}'):
        raise Refusal(f'{tag!r} is a branch: git could not tell the two apart, take another name')


def of(repository, options):
    """Raises Refusal for what cannot be recorded."""
    if repository.under_way():
        raise Refusal(f'{repository.under_way()} is under way: finish or abort it first, a run would record its half-merged files')
    head, changes = repository.resolve('HEAD'), repository.changes()
    if changes and (options.clean or repository.flag('requireClean')):
        raise Refusal(f'{plural(len(changes), "uncommitted change")} ({_some([change.path for change in changes])}): commit first, or leave out --clean')
    _check_changes(changes)
    leaks.check(repository.top, changes)
    config = _decoded(read(repository, 'code/config.py'))
    before = config
    if head and any(change.path == f'{repository.prefix}code/config.py' for change in changes):
        before = _decoded(repository.file(head, 'code/config.py') or b'')
    seed = prepare.read_seed(read(repository, 'code/seed')) if options.fixed else None
    return Plan(head, changes, literals.changed(config, options.set), before, seed)


def _check_changes(changes):
    """Raises Refusal for what a record cannot hold as it is."""
    for change in changes:
        if change.what == 'unmerged':
            raise Refusal(f'{change.path} is unmerged, a run would record its conflict: resolve it, then git add {quote(change.path)}')
        if change.what == 'submodule':
            raise Refusal(f'the submodule {change.path} has uncommitted changes, which no record can hold: commit them there')


def side_commit(repository, options, plan, seed, text):
    """The commit to run: HEAD itself where nothing differs from it."""
    replaced = {'code/seed': f'{seed}\n'.encode()} if not options.fixed else {}
    if options.set:
        replaced['code/config.py'] = plan.config.encode()
    if plan.head and not plan.changes and not replaced:
        return plan.head
    tree = repository.write_tree(plan.head, replaced, everything=bool(plan.changes) or not plan.head)
    return repository.commit_tree(tree, plan.head, f'tagrun: {text}')


def message(options, plan, seed):
    """The tag's message: why, seed, arguments that differ from HEAD, what was uncommitted."""
    lines = [options.message or f'run {options.tag}', '', f'seed {seed}', *plan.arguments]
    lines += [printable(f'uncommitted: {change.what} {change.path}').replace('\n', '\\n') for change in plan.changes]
    return '\n'.join(lines) + '\n'


def tell(options, plan, seed=None):
    """What is recorded, as it goes into the tag."""
    where = f'on {plan.head[:10]}' if plan.head else 'as the first commit'
    say(f'{options.tag}: recorded {where}, seed {seed if seed is not None else plan.seed if plan.seed is not None else "drawn afresh"}')
    for line in plan.arguments[:SHOWN]:
        say(f'  {line}')
    for change in plan.changes[:SHOWN]:
        say(f'  uncommitted, recorded too: {change.what} {change.path}')
    if len(plan.changes) > SHOWN:
        say(f'  … and {len(plan.changes) - SHOWN} more uncommitted files')


def read(repository, path):
    try:
        return (repository.root / path).read_bytes()
    except OSError as error:
        raise Refusal(f'{path}: {error.strerror}') from None


def _decoded(source):
    """A config.py as text. Raises Refusal where it is none."""
    try:
        return source.decode()
    except UnicodeDecodeError as error:
        raise Refusal(f'code/config.py is no UTF-8 ({error.reason} at byte {error.start}): save it as UTF-8') from None


def _some(paths):
    return ', '.join(paths[:3]) + (', …' if len(paths) > 3 else '')
