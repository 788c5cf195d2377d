"""The code of each run as patches: against the commit before it, and against the first run's.

    known = with_parents(repository, [commit, …])           # {id: Commit}
    gather(repository, ['t1/0'], {'t1/0': commit}, known)   # {'t1/0': [('Code against …', '…')]}

They are of code/ alone, without the seed, which the page shows elsewhere, and without the tool's
own folder. A patch that is too long is cut, which it says.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from tagrun.core.git.process import GitError
from tagrun.core.git.repository import Repository

LONGEST = 24_000  # characters of one patch
TOGETHER = 5 << 20  # characters of all different ones
AT_ONCE = 40  # pairs of trees that one process of git compares
LEFT_OUT = ('.', ':(exclude)seed', ':(exclude)tagrun')
TOO_MUCH = (
    'Left out: the patches of this page would be too long. `git diff` of the two commits shows it.'
)

Pair = tuple[str, str]  # ids of two trees
TitledPatch = tuple[str, str]  # (title, patch or '')


class Commit(NamedTuple):
    """What a page shows of a commit."""

    parent: str  # the first, or ''
    author: str  # the name alone
    time: int  # Unix time in s
    message: str


class Comparison(NamedTuple):
    """One patch that a run's card has."""

    run: str
    base: str  # against what, in words
    trees: Pair


def commits(repository: Repository, ids: Iterable[str | None]) -> dict[str, Commit]:
    """Return {id: Commit} of those that this repository has."""
    wanted = [commit for commit in dict.fromkeys(ids) if commit]
    try:
        present = [name for name, object_id in repository.ids(wanted).items() if name == object_id]
        contents = repository.blobs(present)
    except GitError:
        return {}
    return {name: _parsed(content.decode('utf-8', 'replace')) for name, content in contents.items()}


def with_parents(repository: Repository | None, ids: Iterable[str | None]) -> dict[str, Commit]:
    """Return {id: Commit} of the commits and their first parents; {} without a repository."""
    if repository is None:
        return {}
    known = commits(repository, ids)
    parents = [commit.parent for commit in known.values() if commit.parent not in known]
    return known | commits(repository, parents)


def gather(
    repository: Repository | None,
    runs: Sequence[str],
    commit_of: Mapping[str, str | None],
    known: Mapping[str, Commit],
) -> dict[str, list[TitledPatch]]:
    """Return {run: its patches} of the runs whose commit is in `known`.

    runs: names; commit_of: {run: its commit's id}.
    """
    of_runs = {name: commit_of[name] or '' for name in runs if commit_of[name] in known}
    if repository is None or not of_runs:
        return {}
    comparisons = _comparisons(repository, of_runs, known)
    pairs = dict.fromkeys(comparison.trees for comparison in comparisons)
    return _titled(comparisons, _texts(repository, list(pairs)))


def _comparisons(
    repository: Repository, commit_of: Mapping[str, str], known: Mapping[str, Commit]
) -> list[Comparison]:
    """Return what is compared with what, where both have code."""
    trees = _trees(repository, commit_of.values(), known)
    first = next(iter(commit_of))
    comparisons = []
    for run, commit in commit_of.items():
        bases = [(known[commit].parent, 'the commit before it')]
        if run != first:
            bases.append((commit_of[first], first))
        for base, words in bases:
            before, after = trees.get(base), trees.get(commit)
            if before and after:
                comparisons.append(Comparison(run, f'{words} ({base[:10]})', (before, after)))
    return comparisons


def _trees(
    repository: Repository, ids: Iterable[str], known: Mapping[str, Commit]
) -> dict[str, str]:
    """Return {commit: the id of its code/} of the commits and their parents."""
    names = {}
    for commit in ids:
        for each in (commit, known[commit].parent):
            if each:
                names[each] = f'{each}:{repository.prefix}code'
    trees = repository.ids(names.values())
    return {commit: trees[name] for commit, name in names.items() if name in trees}


def _titled(
    comparisons: Iterable[Comparison], texts: Mapping[Pair, str]
) -> dict[str, list[TitledPatch]]:
    """Return {run: its patches}; what is the same against both bases stands once."""
    bases: dict[str, dict[str, list[str]]] = {}  # {run: {patch: [against what, …]}}
    for comparison in comparisons:
        of_run = bases.setdefault(comparison.run, {})
        of_run.setdefault(texts[comparison.trees], []).append(comparison.base)
    return {
        run: [(_title(words, patch), patch) for patch, words in of_run.items()]
        for run, of_run in bases.items()
    }


def _title(bases: list[str], patch: str) -> str:
    remark = '' if patch else ': the same but for the seed'
    return f'Code against {" and ".join(bases)}{remark}'


def _texts(repository: Repository, pairs: list[Pair]) -> dict[Pair, str]:
    """Return {pair: its patch}; after TOGETHER characters a sentence instead."""
    texts: dict[Pair, str] = {}
    length = 0
    for start in range(0, len(pairs), AT_ONCE):
        part = pairs[start : start + AT_ONCE]
        if length > TOGETHER:
            texts.update(dict.fromkeys(part, TOO_MUCH))
            continue
        try:
            patches = repository.patches(part, LEFT_OUT)
        except GitError as error:
            texts.update(dict.fromkeys(part, f'git cannot show it: {error}'))
            continue
        for pair in part:
            texts[pair] = _cut(patches.get(pair, b'').decode('utf-8', 'replace'))
            length += len(texts[pair])
    return texts


def _cut(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    begin = text[:LONGEST].rpartition('\n')[0]
    lines = text.count('\n') - begin.count('\n')
    return f'{begin}\n… and {lines:,} more lines: `git diff` of the two commits shows them'


def _parsed(content: str) -> Commit:
    """Return the Commit of a commit object's text."""
    head, _, message = content.partition('\n\n')
    parent = re.search('^parent ([0-9a-f]+)$', head, re.M)
    author = re.search(r'^author (.*?) ?<[^\n]*> (\d+)', head, re.M)
    return Commit(
        parent[1] if parent else '',
        author[1] if author else '',
        int(author[2][:12]) if author else 0,
        message.strip(),
    )
