"""Find runs that failed before their first training step and that a kill left half taken back.

    for finding in failed_leftovers.find(repository): print(finding.what, finding.remedy)

They are in __result__/.failed (core/launch/early_failure.py). What was taken back whole is kept
for you to read, and is not a finding.
"""

from collections.abc import Iterator
from functools import partial

from tagrun.core.check.finding import Finding, is_old
from tagrun.core.git.repository import Repository
from tagrun.core.launch import early_failure
from tagrun.store import beneath, layout


def find(repository: Repository) -> Iterator[Finding]:
    """Yield the journals of what is not finished, and half-written ones."""
    for journal in early_failure.pending(repository.root):
        if is_old(journal):
            what = 'it failed before its first step, and a kill left its name taken'
            fix = partial(early_failure.finish, repository, journal)
            yield Finding(journal.stem, what, 'frees the name, and keeps the log', fix)
    for path in sorted(layout.failed(repository.root).glob('.*.tmp')):
        if is_old(path):
            yield Finding(
                path.name,
                'the half-written copy of a file',
                'removes it',
                partial(beneath.remove, path),
            )
