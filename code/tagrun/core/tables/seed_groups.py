"""Which runs differ in nothing but the seed: the rows of `table --group`.

    groups = seed_groups.rows(repository, runs)
    groups = seed_groups.rows(repository, runs, ['fold'])       # … or in the argument `fold`

They have equal arguments, equal inputs, and equal files in code/ but for code/seed: git is asked
once for all commits. Where an argument may differ, config.py may, too. Of runs whose commits are
not in this repository, only those of one tag are taken together. A run that was made again with the
same seed counts once.
"""

import re
from collections.abc import Mapping, Sequence

from tagrun.core.cli.messages import echo
from tagrun.core.git.process import GitError
from tagrun.core.git.repository import Repository
from tagrun.core.tables.rows import Group
from tagrun.store import statistic, table
from tagrun.store.table import Run

# how the entry of code/seed begins in git's tree object; the id's bytes follow
SEED = b'100644 seed\0'
CONFIG = b'100644 config.py\0'
SHOWN = 3  # runs named before '…'


def rows(repository: Repository, runs: Sequence[Run], over: Sequence[str] = ()) -> list[Group]:
    """Return the Groups of some runs, in the order of their first runs.

    over: names of arguments in which they may differ besides the seed.
    """
    code = _code(repository, runs, [SEED, CONFIG] if over else [SEED])
    members: dict[tuple[object, str, str], list[Run]] = {}
    for run in runs:
        arguments = {
            name: value for name, value in sorted(run.values['hparam'].items()) if name not in over
        }
        key = code[run.name], table.text(arguments), run.inputs
        members.setdefault(key, []).append(run)
    return [_group(alike, over) for alike in members.values()]


def _group(runs: list[Run], over: Sequence[str]) -> Group:
    by_seed: dict[str, list[Run]] = {}
    for run in runs:
        values = [run.values['hparam'].get(name) for name in over]
        seed = run.values['run'].get('seed', run.name)
        by_seed.setdefault(table.text([seed, *values]), []).append(run)
    counted = []
    for same_seed in by_seed.values():
        finished = [run for run in same_seed if _is_finished(run)]
        counted += finished[:1]
        _report_repeated(finished)
    return Group(runs, counted, len(by_seed))


def _is_finished(run: Run) -> bool:
    return bool(run.values['run']['status'] == statistic.FINISHED)


def _report_repeated(runs: Sequence[Run]) -> None:
    if len(runs) > 1:
        others = ', '.join(run.name for run in runs[1:])
        echo(f'{runs[0].name}: {others} had the same seed; it counts once')


def _code(
    repository: Repository, runs: Sequence[Run], left_out: Sequence[bytes]
) -> dict[str, object]:
    """Return {run: what its code/ is, some files left out}, or its tag where git cannot say.

    A run by hand has no commit: it is like no other, and stands for itself.
    """
    code: dict[str, object] = {run.name: run.name for run in runs}
    commits = {run.name: commit for run in runs if (commit := _commit(run))}
    tags = {run.name: run.values['run']['tag'] for run in runs}
    path = f'{repository.prefix}code'
    trees = _trees(repository, [f'{commit}:{path}' for commit in commits.values()])
    unknown = []
    for name, commit in commits.items():
        tree = trees.get(f'{commit}:{path}')
        if tree is None:
            unknown.append(name)
        # a tree is bytes: no tag is equal to one
        code[name] = tags[name] if tree is None else _without(tree, left_out, len(commit) // 2)
    if unknown:
        more = ', …' if len(unknown) > SHOWN else ''
        echo(
            f'the commits of {", ".join(unknown[:SHOWN])}{more} are not in this repository: of '
            'these, only runs of one tag are taken together'
        )
    return code


def _trees(repository: Repository, ids: Sequence[str]) -> Mapping[str, bytes | None]:
    try:
        return repository.blobs(ids, None)
    except GitError:
        return {}


def _commit(run: Run) -> str | None:
    commit = table.text(run.values['run'].get('commit', ''))
    return commit if re.fullmatch('[0-9a-f]{40,64}', commit) else None


def _without(tree: bytes, entries: Sequence[bytes], size: int) -> bytes:
    """Return a tree object's bytes without some of its entries. size: the bytes of an id."""
    for entry in entries:
        start = tree.find(entry)
        if start >= 0:
            tree = tree[:start] + tree[start + len(entry) + size :]
    return tree
