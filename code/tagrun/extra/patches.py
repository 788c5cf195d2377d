"""The code of each run as a patch: against the commit that it was made from, and against the first run of a report.

    found = patches.gather(repository, runs, {'t1/0': commit, …}, patches.commits(repository, [commit, …]))
    found['t1/0']                        # [('Code against …', 'diff --git a/config.py …')]

Of code/ alone, without the seed, which is told elsewhere, and the tool's own folder. A patch that is too long is cut, with a word.
"""
import re
from typing import NamedTuple

from tagrun.command.git import Failed

LARGEST = 24_000        # letters of one patch
TOGETHER = 5 << 20      # letters of all that differ
AT_ONCE = 40            # pairs of trees in one question to git
LEFT_OUT = ('.', ':(exclude)seed', ':(exclude)tagrun')


class Commit(NamedTuple):
    parent: str     # the first, or ''
    author: str     # the name alone
    time: int       # Unix time in s
    message: str


def commits(repository, ids):
    """{id: Commit} of those that are here."""
    wanted = [found for found in dict.fromkeys(ids) if found]
    try:
        here = [name for name, object_id in repository.ids(wanted).items() if name == object_id]
        return {name: _parsed(content.decode('utf-8', 'replace')) for name, content in repository.blobs(here).items()}
    except Failed:
        return {}


def gather(repository, runs, commit_of, known):
    """{run's name: [(title, patch or ''), …]}; nothing of a run whose commit is not in this repository."""
    if repository is None or not known:
        return {}
    place = f'{repository.prefix}code'
    wanted = [commit for commit in dict.fromkeys(commit_of.values()) if commit in known]
    trees = repository.ids(f'{commit}:{place}' for found in wanted for commit in (found, known[found].parent) if commit)
    first = next((run.name for run in runs if commit_of[run.name] in known), None)
    asked = {}      # (run's name, against what): the pair of trees
    for run in runs:
        commit = commit_of[run.name]
        if commit not in known:
            continue
        for base, what in ((known[commit].parent, 'the commit before it'), (commit_of[first], first)):
            pair = trees.get(f'{base}:{place}'), trees.get(f'{commit}:{place}')
            if base and all(pair) and (run.name != first or what != first):
                asked[run.name, f'{what} ({base[:10]})'] = pair
    texts = _texts(repository, list(dict.fromkeys(asked.values())))
    found = {}      # {run's name: {patch: [against what, …]}}
    for (name, what), pair in asked.items():
        found.setdefault(name, {}).setdefault(texts[pair], []).append(what)
    return {name: [(f'Code against {" and ".join(whats)}{"" if text else ": the same but for the seed"}', text) for text, whats in told.items()]
            for name, told in found.items()}


def _texts(repository, pairs):
    """{pair: its patch}, until there are too many letters."""
    found, letters = {}, 0
    for at in range(0, len(pairs), AT_ONCE):
        part = pairs[at:at + AT_ONCE]
        if letters > TOGETHER:
            found.update((pair, 'Left out: the patches of this page would be too long. `git diff` of the two commits tells it.') for pair in part)
            continue
        try:
            told = repository.patches(part, LEFT_OUT)
        except Failed as error:
            found.update((pair, f'It cannot be told: {error}') for pair in part)
            continue
        for pair in part:
            found[pair] = _cut(told.get(pair, b'').decode('utf-8', 'replace'))
            letters += len(found[pair])
    return found


def _cut(text):
    if len(text) <= LARGEST:
        return text
    kept = text[:LARGEST].rpartition('\n')[0]
    return f'{kept}\n… and {text.count(chr(10)) - kept.count(chr(10)):,} more lines: `git diff` of the two commits tells them'


def _parsed(content):
    """A commit object's text."""
    head, _, message = content.partition('\n\n')
    parent = re.search('^parent ([0-9a-f]+)$', head, re.M)
    author = re.search(r'^author (.*?) ?<[^\n]*> (\d+)', head, re.M)
    return Commit(parent[1] if parent else '', author[1] if author else '', int(author[2][:12]) if author else 0, message.strip())
