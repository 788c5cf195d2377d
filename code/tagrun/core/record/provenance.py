"""Find the recorded code of a run, and say where its folder and git disagree.

    info = read_verified(repository, folder)     # its run.json, and git agrees
    info = read(folder)                          # its run.json alone

The commit in run.json counts. A tag that was deleted or moved since is only reported.
"""

from pathlib import Path
from typing import Any

from tagrun.core.cli.messages import UserError, echo, quote
from tagrun.core.git.repository import Repository
from tagrun.store import run_json
from tagrun.store.run_ref import RunRef

RESEEDED = 'with another seed'  # how the subject of a rerun's side commit ends
TRIAL = 'with other values'  # … and that of a sweep's trial
DEEPEST = 100  # reruns of reruns that are followed to the tag's commit


def read_verified(repository: Repository, folder: Path) -> dict[str, Any]:
    """Return the run.json of a run whose code is certainly the recorded one.

    Raises UserError where it is not, or is not known.
    """
    info = read(folder)
    run, commit = RunRef(info['tag'], info['id']), info['commit']
    recorded = repository.resolve(run.code_ref)
    if recorded and recorded != commit:
        raise UserError(
            f'{run} ran commit {commit[:10]}, but git has {recorded[:10]}: one of the '
            'two was changed'
        )
    _report_tag(repository, run, commit)
    return info


def read(folder: Path) -> dict[str, Any]:
    """Return the run.json of a run that has a commit. Raises UserError for any other run."""
    try:
        info: dict[str, Any] = run_json.read(folder)
    except (OSError, ValueError) as error:
        why = getattr(error, 'strerror', None) or error
        raise UserError(
            f'{quote(folder / run_json.NAME)} cannot be read ({why}), so its code is not '
            f"known: `rerun {folder.parent.name}` runs the tag's"
        ) from None
    if info.get('imported'):
        raise UserError(
            f'{run_json.name(info)} was imported without the code that made it, so it '
            'cannot be continued or run again'
        )
    if not info['commit']:
        raise UserError('a scratch run has no recorded code to go on with: `run <tag>` records it')
    return info


def _report_tag(repository: Repository, run: RunRef, commit: str) -> None:
    """Say where the tag is gone, or names code that the run does not have."""
    tagged = repository.resolve(run.tag_ref)
    if not tagged:
        echo(
            f'tagrun: git has no tag {run.tag!r} any more; {run} has its code, commit '
            f'{commit[:10]}: git tag {run.tag} {commit[:10]} brings the name back'
        )
    elif not _descends(repository, commit, tagged):
        echo(
            f'tagrun: the tag {run.tag!r} names commit {tagged[:10]} now, which is not the code '
            f'of {run}; this goes on with that of {run}, commit {commit[:10]}'
        )


def _descends(repository: Repository, commit: str, tagged: str) -> bool:
    """Return whether a run's commit is the tag's, or that one with another seed or other values.

    True where git does not have the commit: it is refused later, with what to do.
    """
    if not repository.resolve(commit):
        return True
    words = ('--first-parent', f'--max-count={DEEPEST}', '--format=%H %s', '--end-of-options')
    rows = repository.git('rev-list', *words, commit).splitlines()
    # each follows its line `commit <id>`
    for row in rows[1::2]:
        if row.startswith(tagged):
            return True
        if not row.endswith((RESEEDED, TRIAL)):
            return False
    return False
