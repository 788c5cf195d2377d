"""What a kill, a full disk or a deleted folder leaves half-made, one generator for each kind, and how each is mended.

    for ailment in of_project(repository, runs): print(ailment.where, ailment.what, ailment.cure)

Nothing is deleted but what can be made again: an old lock, a copy of an index, the half-written copy of a file, an empty folder,
bytecode, the trainings of a selftest. A run that is being trained is left alone. It looks at no checkpoint's content: `continue` does, before it loads one.
"""
import os
import shutil
import time
from pathlib import Path
from typing import Callable, NamedTuple

from tagrun.command import board, launch, leaks, prepare, snapshot, trainings
from tagrun.command.git import TEMPORARY, Failed
from tagrun.command.say import Refusal
from tagrun.store import atomic, checkpoints, experlist, layout, lock, run_json, statistic

STALE_S = 600       # what is younger may belong to a process at work
CODE, RESULT = 'refs/tagrun/code/', 'refs/tagrun/result/'
LOCKS = ('*.lock', 'refs/**/*.lock', 'reftable/*.lock', 'logs/**/*.lock')


class Ailment(NamedTuple):
    """Something half-made. Without `mend` and with `harmless` it is only said, and nothing is wrong."""
    where: str
    what: str
    cure: str                       # what --fix does, or what the user can do
    mend: Callable = None           # does it; raises OSError, Refusal or ValueError
    harmless: bool = False


def of_project(repository, runs):
    """The Ailments of the git folder, of some runs, [('t1', 0), …], and of what lists them."""
    yield from of_git(repository)
    known = References(repository, runs)
    for tag, number in runs:
        folder = layout.run_folder(repository.root, tag, number)
        if lock.owner(folder) is None:
            yield from of_run(repository, folder, f'{tag}/{number}', known)
    yield from without_files(repository, known)
    yield from of_lists(repository, runs)
    yield from of_tensorboard(repository.root)
    yield from of_selftests(repository.root)


# --- the git folder ---------------------------------------------------------------------------------------------------


def of_git(repository):
    """Locks and temporary indexes that a killed process left."""
    busy = git_at_work(repository)
    for path in sorted({path for place in (repository.directory, repository.common) for pattern in LOCKS for path in place.glob(pattern)}):
        if not is_old(path):
            yield Ailment(str(path), 'a lock of git, taken a moment ago', 'wait, and look again', harmless=True)
        elif busy:
            yield Ailment(str(path), f'a lock of git, and process {busy} is a git at work here', 'let that end, and look again')
        else:
            yield Ailment(str(path), 'a lock that a killed git left: it stops the next one', 'removes it; a lock holds nothing', path.unlink)
    for path in sorted(repository.directory.glob(f'{TEMPORARY}*')):
        if path.is_dir() and not path.is_symlink() and is_old(path):
            yield Ailment(str(path), 'the temporary index of a killed `run`', 'removes it; it is a copy', lambda path=path: shutil.rmtree(path))


def git_at_work(repository):
    """The process id of a git that works in this repository, or 0. Where there is no /proc, of the asking process: nobody can say."""
    if not Path('/proc/self/cwd').exists():
        return os.getpid()
    places = (str(repository.top), str(repository.common))
    for process in Path('/proc').glob('[0-9]*'):
        try:
            if (process / 'comm').read_text().strip() == 'git' and os.readlink(process / 'cwd').startswith(places):
                return int(process.name)
        except OSError:     # it has ended, or is not ours to look at
            continue
    return 0


# --- one run ----------------------------------------------------------------------------------------------------------


class References:
    """What git has of the runs, asked once: {name: commit} of their code, {name: statistic.json} of their results."""

    def __init__(self, repository, runs):
        self.code = dict(self._names(repository, CODE))
        results = dict(self._names(repository, RESULT))
        wanted = [name for name in (f'{tag}/{number}' for tag, number in runs) if name in results]
        self.result = self._statistics(repository, wanted)

    @staticmethod
    def _names(repository, prefix):
        return [(name.removeprefix(prefix), commit) for name, commit in repository.refs(prefix, ('refname', 'objectname'))]

    def _statistics(self, repository, names):
        """{name: statistic.json}, by one process where each result has one."""
        places = {name: f'{RESULT}{name}:{statistic.NAME}' for name in names}
        try:
            found = repository.blobs(places.values())
            return {name: found[place] for name, place in places.items()}
        except Failed:
            return dict.fromkeys(names, b'') if len(names) == 1 else {key: value for name in names for key, value in self._statistics(repository, [name]).items()}


def of_run(repository, folder, name, known):
    """Of a run that nobody trains."""
    try:
        info = run_json.read(folder)
    except FileNotFoundError:
        yield from unbegun(repository, folder, name, known)
        return
    except (OSError, ValueError) as error:
        yield Ailment(name, f'run.json cannot be read ({error})', f'`rerun {name}` makes it again, if git has its code')
        return
    yield from half_written(folder, name)
    if info.get('fetched_from'):    # nothing but what git has of it, which `fetch` writes again
        return
    if (folder / 'code').is_dir() and any((folder / 'code').rglob('__pycache__')):
        yield Ailment(name, "its frozen code holds Python's bytecode", 'removes that', lambda: snapshot.clean(folder))
    yield from of_checkpoints(folder, name)
    if info['commit']:
        yield from of_commit(repository, folder, name, info, known)
    yield from of_state(repository, folder, name, info, known)


def unbegun(repository, folder, name, known):
    """A folder that was claimed, by a process that was killed before it wrote run.json."""
    if not is_old(folder):
        yield Ailment(name, 'a run is being prepared', 'wait, and look again', harmless=True)
    elif name in known.code:
        yield Ailment(name, 'it was recorded, and its preparation was killed', f'completes its files; `continue {name}` trains it',
                      lambda: prepare.complete(repository, folder, known.code[name]))
    elif not any(folder.iterdir()):
        yield Ailment(name, 'an empty folder, of a run that was never recorded', 'removes it', folder.rmdir)
    else:
        yield Ailment(name, 'files of a run that was never recorded, or whose run.json is lost', f'look at {folder}, and delete it if you do not need it')


def half_written(folder, name):
    """Temporary names of files that were being replaced: what they were to replace is there, whole."""
    for path in sorted([*folder.glob('.*.tmp'), *(folder / checkpoints.FOLDER).glob('.*.tmp')]):
        if is_old(path):
            yield Ailment(name, f'{path.name}: the half-written copy of a file', 'removes it', path.unlink)


def of_checkpoints(folder, name):
    """Links that lead nowhere or astray, and files that do not count."""
    place, listed = folder / checkpoints.FOLDER, checkpoints.listed(folder)
    for link, target in ((checkpoints.LAST, next(reversed(listed), None)), (checkpoints.BEST, best_listed(folder, listed))):
        path = place / link
        there = path.readlink().name if path.is_symlink() else None
        astray = there != target if link == checkpoints.LAST else there not in listed
        if target and astray:
            yield Ailment(name, f'{link} leads to {there or "nothing"}', f'leads it to {target}', lambda path=path, target=target: atomic.link(path, target))
        elif there and not target and not path.exists():
            yield Ailment(name, f'{link} leads to {there}, which is not there', 'nothing can be done; no checkpoint is as good')
    for path in sorted(place.glob('epoch_*.pth')):
        if not path.is_symlink() and path.name not in listed:
            yield Ailment(name, f'{path.name} is not in {checkpoints.SUMS}: its save was not finished, and nothing uses it',
                          f'yours to delete: {path}', harmless=True)


def best_listed(folder, listed):
    """The checkpoint of the best epoch, if it is there."""
    try:
        name = f'epoch_{statistic.read(folder).get("best_epoch")}.pth'
    except (OSError, ValueError):
        return None
    return name if name in listed else None


def of_commit(repository, folder, name, info, known):
    """The ref that keeps a run's commit from git's gc, and the frozen copy of it."""
    commit, recorded = info['commit'], known.code.get(name)
    if recorded and recorded != commit:
        yield Ailment(name, f'it ran commit {commit[:10]}, but git says {recorded[:10]}: one of the two was changed', 'only you can say which is right')
        return
    if not repository.resolve(commit):
        yield Ailment(name, f'its commit {commit[:10]} is not in this repository', f'git fetch origin {commit}, if it was pushed')
        return
    if not recorded:
        yield Ailment(name, 'no ref keeps its commit from git gc', f'sets {CODE}{name}', lambda: repository.create_refs({f'{CODE}{name}': commit}))
    yield from of_snapshot(repository, folder, name, commit)


def of_snapshot(repository, folder, name, commit):
    try:
        files = snapshot.read(repository, commit)
    except Refusal as refusal:
        yield Ailment(name, str(refusal), 'without it neither `continue` nor `rerun` can run it')
        return
    changed, strange = snapshot.differences(files, folder)
    if changed:
        yield Ailment(name, f'its frozen code differs from the commit: {some(changed)}', 'writes it again from git', lambda: snapshot.write(files, folder))
    if strange:
        yield Ailment(name, f'its frozen code holds what the commit does not: {some(strange)}', f'look at it, and delete it: {folder / "code"}')


def of_state(repository, folder, name, info, known):
    """What it says of itself, and whether git and finished.txt know it."""
    try:
        state, content = statistic.state(folder), (folder / statistic.NAME).read_bytes()
    except FileNotFoundError:
        yield Ailment(name, 'it was recorded, and its training never began', f'continue {name}', harmless=True)
        return
    except (OSError, ValueError) as error:
        yield Ailment(name, f'{statistic.NAME} cannot be read ({error})', f'`continue {name}` or `rerun {name} -f` makes it again')
        return
    if info.get('imported'):
        return      # it is as the other tool left it
    if info['commit'] and known.result.get(name) != leaks.hidden(content) and repository.resolve(info['commit']):
        what = 'was killed, and' if state == statistic.KILLED else 'ended, and'
        yield Ailment(name, f'it {what} git has {"an older" if name in known.result else "no"} result of it', 'records its result',
                      lambda: launch.record_result(repository, folder, info))
    elif state in (statistic.KILLED, statistic.INTERRUPTED):
        yield Ailment(name, f'it is {state}', f'continue {name}', harmless=True)
    if state == statistic.FINISHED and info['tag'] != layout.SCRATCH and name not in finished(repository.root):
        yield Ailment(name, 'it is finished, and not in finished.txt', 'adds it', lambda: append(repository.root, name))


# --- lists and the rest ------------------------------------------------------------------------------------------------


def without_files(repository, known):
    """Runs that git knows and that have no folder: fetched, or deleted (`git clean -fdx`)."""
    gone = {}
    for tag, _, number in (name.rpartition('/') for name in sorted(known.code)):
        if not layout.run_folder(repository.root, tag, number).is_dir():
            gone.setdefault(tag, []).append(number)
    for tag, numbers in gone.items():
        yield Ailment(tag, f'git has its code (runs {some(numbers)}), and their files are not here: fetched, or deleted', f'rerun {tag}/{numbers[0]}', harmless=True)


def of_lists(repository, runs):
    """Lines of finished.txt that name no run, and half-written lists, titles and tables."""
    try:
        bad = experlist.read(repository.root, 'finished').bad
    except FileNotFoundError:
        bad = []
    except (OSError, ValueError) as error:
        yield Ailment('finished.txt', f'it cannot be read ({error})', 'move it away, and `tagrun doctor --fix` writes it again')
        return
    for line in bad:
        yield Ailment('finished.txt', f'line {line.number}, {line.text}: {line.reason}', 'tables leave it out; the list is yours to edit', harmless=True)
    for path in sorted(layout.statistic(repository.root).glob('*/.*.tmp')):
        if is_old(path):
            yield Ailment(path.parent.name, f'{path.name}: the half-written copy of a file', 'removes it', path.unlink)


def of_tensorboard(root):
    """What a TensorBoard that was killed told of itself."""
    for path in sorted([board.place(root) / 'server.json', *board.place(root).glob('*/server.json')]):
        if path.is_file() and path.stat().st_size and board.running(path.parent) is None:
            yield Ailment(path.parent.name, 'server.json tells of a TensorBoard that is dead', 'empties it', lambda path=path: os.truncate(path, 0))


def of_selftests(root):
    """Trainings that a selftest was told to keep, kept for what failed, or left as it was killed."""
    for place in sorted(layout.result(root).glob(f'{trainings.PREFIX}*')):
        if place.is_symlink() or not place.is_dir():
            continue
        owner = next(filter(None, map(lock.owner, [place, *place.iterdir()])), None)
        if owner is not None:
            yield Ailment(place.name, f'a selftest at work: process {owner.get("pid")}', 'wait for it', harmless=True)
        else:
            yield Ailment(place.name, 'trainings that a selftest kept or was killed in', 'removes them; `tagrun selftest` makes them again',
                          lambda place=place: shutil.rmtree(place))


def finished(root):
    try:
        return {f'{tag}/{number}' for tag, number in experlist.read(root, 'finished').runs}
    except (OSError, ValueError):
        return set()


def append(root, name):
    path = layout.list_file(root, 'finished')
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.append_line(path, name)


def is_old(path):
    """Whether nothing has changed it for STALE_S; a clock that was set back does not make it so."""
    try:
        return time.time() - path.lstat().st_mtime > STALE_S
    except OSError:     # gone meanwhile
        return False


def some(names):
    return ', '.join(names[:3]) + (f', … ({len(names)} in all)' if len(names) > 3 else '')
