"""A repository's remotes: which there are, what they have, pushing to them and fetching from them.

    remotes.push(repository, 'origin', created={run.tag_ref: commit}, updated={})

It never overwrites a ref of a remote. Which refs go, and under what names, is not decided here.
"""

import os
from collections.abc import Iterable, Mapping

from tagrun.core.git import process
from tagrun.core.git.repository import Repository


def names(repository: Repository) -> list[str]:
    """Return the names of the remotes, in git's order."""
    return repository.git('remote').splitlines()


def url(repository: Repository, remote: str) -> str:
    """Return a remote's push URL, without the name and password that it may hold."""
    line = repository.git('remote', 'get-url', '--push', '--end-of-options', remote)
    return process.url_without_login(line.strip())


def advertised(
    repository: Repository, remote: str, *patterns: str, patience_s: int | None = None
) -> dict[str, str]:
    """Return {full ref: id} of what a remote has now, of the refs that fit a pattern.

    patience_s: where nobody watches, the longest it may take. Raises GitError.
    """
    output = repository.git(
        'ls-remote',
        '--refs',
        '--end-of-options',
        remote,
        *patterns,
        env=_environment(repository, patience_s),
        patience_s=patience_s,
    )
    rows = [line.split('\t', 1) for line in output.splitlines()]
    return {name: object_id for object_id, name in rows}


def push(
    repository: Repository,
    remote: str,
    created: Mapping[str, str],
    updated: Mapping[str, str],
    patience_s: int | None = None,
) -> None:
    """Create the refs {full ref: id} on a remote and fast-forward others, all or none.

    A lease of nothing lets a ref be made only where there is none; what else is there stays, in a
    race too. Raises GitError.
    """
    leases = [f'--force-with-lease={name}:' for name in created]
    specs = [f'{object_id}:{name}' for name, object_id in {**created, **updated}.items()]
    repository.git(
        'push',
        '--quiet',
        '--atomic',
        '--no-verify',
        '--no-follow-tags',
        '--recurse-submodules=no',
        '--no-signed',
        *leases,
        '--end-of-options',
        remote,
        *specs,
        env=_environment(repository, patience_s),
        patience_s=patience_s,
    )


def take_back(
    repository: Repository, remote: str, refs: Mapping[str, tuple[str | None, str]]
) -> None:
    """Give refs of a remote the ids that they had before, or delete them, all or none.

    refs: {full name: (id before, None for no such ref; id now)}. By a lease, only a ref that has
    this id now is changed. Raises GitError.
    """
    leases = [f'--force-with-lease={name}:{now}' for name, (_, now) in refs.items()]
    specs = [f'{before or ""}:{name}' for name, (before, _) in refs.items()]
    options = ('--quiet', '--atomic', '--no-verify', '--no-follow-tags', '--no-signed')
    if specs:
        repository.git('push', *options, *leases, '--end-of-options', remote, *specs)


def fetch(repository: Repository, remote: str, specs: Iterable[str]) -> None:
    """Fetch refs by refspecs, and nothing else that the remote's configuration names.

    What the remote no longer has goes from where these refspecs put it.
    Raises GitError.
    """
    repository.git(
        *('-c', 'core.fsync=none'),  # the remote has them
        'fetch',
        '--quiet',
        '--no-tags',
        # a name may have become a folder of names: what went makes room first
        '--prune',
        '--no-write-fetch-head',
        '--recurse-submodules=no',
        '--refmap=',
        '--stdin',
        '--end-of-options',
        remote,
        data=process.lines(specs),
    )


def weight(repository: Repository, wanted: Iterable[str], known: Iterable[str]) -> tuple[int, int]:
    """Return (commits, bytes on disk) of what `wanted` needs beyond `known`.

    Both are ids of objects; those of `known` may be missing here.
    """
    data = process.lines([*wanted, *(f'^{object_id}' for object_id in known)])
    options = ('--ignore-missing', '--stdin')
    commits = repository.git('rev-list', '--count', *options, data=data)
    size = repository.git('rev-list', '--objects', '--disk-usage', *options, data=data)
    return int(commits), int(size)


def add_config(repository: Repository, name: str, value: str) -> None:
    """Add a value to a setting of this repository's own git config, such as remote.origin.fetch."""
    repository.git('config', '--add', name, value)


def _environment(repository: Repository, patience_s: int | None) -> dict[str, str]:
    """Return the variables for a git that nobody watches; none where `patience_s` is None.

    It asks for no password, and ssh gives up after `patience_s`.
    """
    if patience_s is None:
        return {}
    variables = {
        'GIT_TERMINAL_PROMPT': '0',
        'GIT_ASKPASS': 'true',
        'SSH_ASKPASS': 'true',
        'SSH_ASKPASS_REQUIRE': 'never',
    }
    users_own = repository.git_config('core.sshcommand') or 'GIT_SSH_COMMAND' in os.environ
    if not users_own:
        variables['GIT_SSH_COMMAND'] = f'ssh -o BatchMode=yes -o ConnectTimeout={patience_s}'
    return variables
