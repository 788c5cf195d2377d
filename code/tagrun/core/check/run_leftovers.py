"""Find what a kill, a full disk or a deleted file left half-written in the folder of one run.

    for finding in run_leftovers.find(repository, RunRef('t1', 0), references): …

It does not look into checkpoints: `continue` does, before it loads one. Ask it only of a run that
nobody trains.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from tagrun.core.check.finding import Finding, is_old, shorten
from tagrun.core.check.git_leftovers import References
from tagrun.core.cli.messages import UserError
from tagrun.core.git.repository import Repository
from tagrun.core.launch import launch, result_commit
from tagrun.core.record import claim, frozen_copy, snapshot
from tagrun.store import (
    atomic,
    beneath,
    checkpoints,
    layout,
    run_json,
    safe_read,
    statistic,
)
from tagrun.store.run_ref import RunRef


def find(repository: Repository, run: RunRef, references: References) -> Iterator[Finding]:
    """Yield the findings of one run, whose folder exists."""
    folder, name = run.folder(repository.root), str(run)
    try:
        info = run_json.read(folder)
    except FileNotFoundError:
        yield _without_run_json(repository, run, references)
        yield from _half_written(folder, name)
        return
    except (OSError, ValueError) as error:
        what = f'run.json cannot be read ({error})'
        yield Finding(name, what, f'`rerun {name}` makes it again, if git has its code')
        return
    yield from _half_written(folder, name)
    # of a fetched run there is only what git has, and `fetch` writes that again
    if info.get('fetched_from'):
        content = statistic.read_or_none(folder)
        if content and content['status'] == statistic.FINISHED:
            yield from _unlisted(repository.root, name, references)
        return
    yield from _bytecode(folder, name)
    yield from _links(folder, name)
    yield from _unlisted_checkpoints(folder, name)
    if info['commit']:
        yield from _commit(repository, folder, name, info['commit'], references)
    yield from _state(repository, folder, name, info, references)


def _without_run_json(repository: Repository, run: RunRef, references: References) -> Finding:
    """Return the finding of a folder that was claimed, and whose process was killed too early."""
    folder, name = run.folder(repository.root), str(run)
    if not is_old(folder):
        return Finding(name, 'a run is being prepared', 'wait, and look again', is_harmless=True)
    if name in references.result:
        # what is prepared here has no result yet
        what = 'git has its result, and its run.json is not here'
        return Finding(name, what, '`tagrun fetch` writes it again, if the run was fetched')
    if name in references.code:
        what = 'it was recorded, and its preparation was killed'
        fix = partial(claim.complete, repository, folder, references.code[name])
        return Finding(name, what, f'completes its files; `continue {name}` trains it', fix)
    if {path.name for path in folder.iterdir()} <= {claim.PREPARING}:
        what = 'an empty folder, of a run that was never recorded'
        return Finding(name, what, 'removes it', partial(_remove_claimed, folder))
    what = 'files of a run that was never recorded, or whose run.json is lost'
    return Finding(name, what, f'look at {folder}, and delete it if you do not need it')


def _remove_claimed(folder: Path) -> None:
    (folder / claim.PREPARING).unlink(missing_ok=True)
    folder.rmdir()


def _half_written(folder: Path, name: str) -> Iterator[Finding]:
    """Yield temporary files: each was to replace a file, which is there and whole."""
    paths = [*folder.glob('.*.tmp'), *(folder / checkpoints.FOLDER).glob('.*.tmp')]
    for path in sorted(paths):
        if is_old(path):
            what = f'{path.name}: the half-written copy of a file'
            yield Finding(name, what, 'removes it', partial(beneath.remove, path))


def _bytecode(folder: Path, name: str) -> Iterator[Finding]:
    if frozen_copy.bytecode(folder):
        what = "its frozen code holds Python's bytecode"
        yield Finding(name, what, 'removes that', partial(frozen_copy.clean, folder))


# ---- Checkpoints ----


def _links(folder: Path, name: str) -> Iterator[Finding]:
    """Yield the links that lead to nothing, or to another checkpoint than they should."""
    listed = list(checkpoints.listed(folder))
    newest = listed[-1] if listed else None
    last = _target(folder, checkpoints.LAST)
    if newest and last != newest:
        yield _leads_astray(folder, name, checkpoints.LAST, newest)
    elif not newest:
        yield from _leads_nowhere(folder, name, checkpoints.LAST)
    best = _best_listed(folder, listed)
    if best and _target(folder, checkpoints.BEST) not in listed:
        yield _leads_astray(folder, name, checkpoints.BEST, best)
    elif not best:
        yield from _leads_nowhere(folder, name, checkpoints.BEST)


def _target(folder: Path, link: str) -> str | None:
    path = folder / checkpoints.FOLDER / link
    return path.readlink().name if path.is_symlink() else None


def _leads_astray(folder: Path, name: str, link: str, target: str) -> Finding:
    what = f'{link} leads to {_target(folder, link) or "nothing"}'
    fix = partial(atomic.link, folder / checkpoints.FOLDER / link, target)
    return Finding(name, what, f'leads it to {target}', fix)


def _leads_nowhere(folder: Path, name: str, link: str) -> Iterator[Finding]:
    target = _target(folder, link)
    if target and not (folder / checkpoints.FOLDER / link).exists():
        what = f'{link} leads to {target}, which is not there'
        yield Finding(name, what, 'nothing can be done; no checkpoint is as good')


def _best_listed(folder: Path, listed: list[str]) -> str | None:
    """Return the checkpoint of the best epoch, if it is listed."""
    try:
        checkpoint = f'epoch_{statistic.read(folder).get("best_epoch")}.pth'
    except (OSError, ValueError):
        return None
    return checkpoint if checkpoint in listed else None


def _unlisted_checkpoints(folder: Path, name: str) -> Iterator[Finding]:
    lost = checkpoints.lost_list(folder)
    if lost:
        what = f'{checkpoints.SUMS} is lost, which lists its whole checkpoints: {shorten(lost)}'
        fix = partial(checkpoints.restore_list, folder)
        yield Finding(name, what, f'reads each and lists the whole ones; `continue {name}`', fix)
        return
    listed = checkpoints.listed(folder)
    for path in sorted((folder / checkpoints.FOLDER).glob('epoch_*.pth')):
        if not path.is_symlink() and path.name not in listed:
            unfinished = 'its save was not finished, and nothing uses it'
            what = f'{path.name} is not in {checkpoints.SUMS}: {unfinished}'
            yield Finding(name, what, f'yours to delete: {path}', is_harmless=True)


# ---- The commit, the frozen code, the result ----


def _commit(
    repository: Repository, folder: Path, name: str, commit: str, references: References
) -> Iterator[Finding]:
    """Yield what is wrong with the ref that keeps a commit from git's gc, or with its copy."""
    recorded = references.code.get(name)
    if recorded and recorded != commit:
        changed = 'one of the two was changed'
        what = f'it ran commit {commit[:10]}, but git has {recorded[:10]}: {changed}'
        yield Finding(name, what, 'check which one is right')
        return
    if not references.objects.has_commit(commit):
        what = f'its commit {commit[:10]} is not in this repository'
        yield Finding(name, what, f'git fetch origin {commit}, if it was pushed')
        return
    if not recorded:
        ref = RunRef.of_folder(folder).code_ref
        fix = partial(repository.create_refs, {ref: commit})
        yield Finding(name, 'no ref keeps its commit from git gc', f'sets {ref}', fix)
    yield from _frozen_code(repository, folder, name, commit, references)


def _frozen_code(
    repository: Repository, folder: Path, name: str, commit: str, references: References
) -> Iterator[Finding]:
    try:
        files = snapshot.read(repository, commit, references.objects)
    except UserError as refusal:
        remedy = 'without it neither `continue` nor `rerun` can run it'
        yield Finding(name, str(refusal), remedy)
        return
    changed, unknown = frozen_copy.differences(files, folder, references.seen)
    if changed:
        what = f'its frozen code differs from the commit: {shorten(changed)}'
        fix = partial(frozen_copy.write, files, folder)
        yield Finding(name, what, 'writes it again from git', fix)
    if unknown:
        what = f'its frozen code holds what the commit does not: {shorten(unknown)}'
        remedy = f'look at it; its next training moves it into {frozen_copy.REMOVED}'
        yield Finding(name, what, remedy)


def _state(
    repository: Repository,
    folder: Path,
    name: str,
    info: dict[str, Any],
    references: References,
) -> Iterator[Finding]:
    """Yield what statistic.json says of the run's end and git or finished.txt does not know."""
    try:
        state, content = statistic.state(folder), safe_read.read_bytes(folder / statistic.NAME)
    except FileNotFoundError:
        what = 'it was recorded, and its training never began'
        yield Finding(name, what, f'continue {name}', is_harmless=True)
        return
    except (OSError, ValueError) as error:
        what = f'{statistic.NAME} cannot be read ({error})'
        yield Finding(name, what, f'`continue {name}` or `rerun {name} -f` makes it again')
        return
    # an imported run is as the other tool left it
    if info.get('imported'):
        return
    if info['commit'] and _lacks_result(name, info['commit'], content, references):
        ended = 'was killed' if state == statistic.KILLED else 'ended'
        version = 'an older' if name in references.result else 'no'
        fix = partial(launch.record_result, repository, folder, info)
        what = f'it {ended}, and git has {version} result of it'
        yield Finding(name, what, 'records its result', fix)
    elif state in (statistic.KILLED, statistic.INTERRUPTED):
        yield Finding(name, f'it is {state}', f'continue {name}', is_harmless=True)
    if state == statistic.FINISHED and info['tag'] != layout.SCRATCH:
        yield from _unlisted(repository.root, name, references)


def _lacks_result(name: str, commit: str, content: bytes, references: References) -> bool:
    is_recorded = references.result.get(name) == result_commit.redacted(statistic.NAME, content)
    return not is_recorded and references.objects.has_commit(commit)


def _unlisted(root: Path, name: str, references: References) -> Iterator[Finding]:
    if name not in references.finished:
        what = 'it is finished, and not in finished.txt'
        yield Finding(name, what, 'adds it', partial(_append, root, name))


def _append(root: Path, name: str) -> None:
    path = layout.list_file(root, 'finished')
    beneath.make_folder(path.parent)
    atomic.append_line(path, name)
