"""What `share` sent from this clone, and how to take it back: tagrun-shared.json in the git folder.

    shares.add('origin', url, {'refs/tags/t1': (None, '25d2…')})    # before it is pushed
    undo(repository, 'origin', dry_run=False)                       # the last share of that remote

    {"shares": [{"remote": "origin", "url": "…", "refs": {"refs/tags/t1": [null, "25d2582…"]}}]}

Each ref has the id that the remote had, null for none, and the one that was sent. Only a ref that
the remote still has as it was sent is taken back, by a lease: what others changed stays.
"""

import re
from collections.abc import Mapping
from typing import Any

from tagrun.core.cli.messages import UserError, echo, plural
from tagrun.core.git import remotes
from tagrun.core.git.process import GitError
from tagrun.core.git.repository import Repository
from tagrun.extra.sharing import remote_names
from tagrun.store import jsonfile, limits
from tagrun.store.run_ref import CODE, RESULT, TAGS, RunRef

NAME = 'tagrun-shared.json'
MOST = 1000  # shares that are remembered

# {full name: (id that the remote had, or None; id that was sent)}
Refs = Mapping[str, tuple[str | None, str]]


class Shares:
    """The shares of this clone, as one call of `share` adds to them."""

    def __init__(self, repository: Repository) -> None:
        self._path = repository.common / NAME
        content = jsonfile.read_or_none(self._path, limits.FILE) or {}
        shares = content.get('shares')
        known = shares if isinstance(shares, list) else []
        self._shares: list[dict[str, Any]] = [share for share in known if _is_share(share)]
        self._is_begun = False

    def add(self, remote: str, url: str, refs: Refs) -> None:
        """Note refs that are about to be pushed. All of one call of `share` are one share."""
        if not self._is_begun:
            self._shares = [*self._shares, {'remote': remote, 'url': url, 'refs': {}}][-MOST:]
            self._is_begun = True
        self._shares[-1]['refs'].update({name: list(ids) for name, ids in refs.items()})
        self._write()

    def remove(self, share: dict[str, Any]) -> None:
        """Forget a share that was taken back."""
        self._shares = [other for other in self._shares if other is not share]
        self._write()

    def _write(self) -> None:
        jsonfile.write(self._path, {'shares': self._shares})

    def last_of(self, remote: str, url: str) -> dict[str, Any] | None:
        """Return the last share that went to a remote; None if nothing went there."""
        for share in reversed(self._shares):
            if (share['remote'], share['url']) == (remote, url):
                return share
        return None


def undo(repository: Repository, remote: str, dry_run: bool) -> int:
    """Take the last share of a remote back; return 1 if a part of it stays. Raises UserError."""
    shares, url = Shares(repository), remotes.url(repository, remote)
    share = shares.last_of(remote, url)
    if share is None:
        raise UserError(f'nothing that this clone sent to {remote} ({url}) is left to take back')
    try:
        present = remotes.advertised(repository, remote, *remote_names.PATTERNS)
    except GitError as error:
        raise remote_names.unreachable(repository, remote, error) from None
    refs = {name: ids for name, ids in share['refs'].items() if present.get(name) == ids[1]}
    changed = [name for name in share['refs'] if name in present and name not in refs]
    runs = sorted({str(run) for name in refs if (run := _run(name))})
    echo(f'{plural(len(runs), "run")} from {remote} ({url}): {", ".join(runs)}')
    if changed:
        echo(f'  {plural(len(changed), "ref")} that someone changed since stay: {changed[0]}')
    if dry_run:
        echo('nothing was taken back: --dry-run')
        return 0
    try:
        remotes.take_back(repository, remote, refs)
    except GitError as error:
        raise UserError(f'{remote} did not take it back: {error}') from None
    shares.remove(share)
    echo('taken back. Who fetched it before has it still')
    return 1 if changed else 0


def _run(name: str) -> RunRef | None:
    for prefix in (CODE, RESULT):
        if name.startswith(prefix):
            return RunRef.parse(name.removeprefix(prefix))
    return None


def _is_share(share: Any) -> bool:
    if not isinstance(share, dict) or not isinstance(share.get('refs'), dict):
        return False
    if not isinstance(share.get('remote'), str) or not isinstance(share.get('url'), str):
        return False
    return all(_is_ref(name, ids) for name, ids in share['refs'].items())


def _is_ref(name: str, ids: Any) -> bool:
    if not name.startswith((TAGS, CODE, RESULT)) or not isinstance(ids, list) or len(ids) != 2:
        return False
    before, after = ids
    return (before is None or _is_id(before)) and _is_id(after)


def _is_id(text: Any) -> bool:
    return isinstance(text, str) and bool(re.fullmatch('[0-9a-f]{40}|[0-9a-f]{64}', text))
