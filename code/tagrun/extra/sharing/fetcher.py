"""Make the runs of a remote, whose refs were fetched, runs of this clone: their refs and files.

    fetcher = Fetcher(repository, 'origin', remote_names.fetched_refs(repository, 'origin'))
    fetcher.take_runs()
    fetcher.new, fetcher.updated, fetcher.renamed, fetcher.failed

Runs of this clone stay as they are. A new run gets its refs, and then its folder by one rename
(store/incoming.py). Of a run that went on, the files are replaced, and then its refs. So after a
kill the next fetch sees by the refs and the folder what it has to do.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tagrun.core.cli.messages import UserError, echo
from tagrun.core.git.process import GitError
from tagrun.core.git.repository import Repository
from tagrun.extra.sharing import remote_names, result_files
from tagrun.extra.sharing.remote_names import RefIndex, RunObjects
from tagrun.store import (
    atomic,
    experlist,
    incoming,
    jsonfile,
    layout,
    limits,
    run_json,
    statistic,
)
from tagrun.store.incoming import Incoming
from tagrun.store.run_ref import TAGS, RunRef

RUNS_AT_ONCE = 200
REPORT_EVERY = 2000  # runs between two lines that say how far it is
TOO_MUCH = f'one fetch writes at most {limits.FETCHED >> 20} MB; fetch again for it'
REFS_PER_RUN = 6  # three here and three of the remote
PACK_FROM = 1000  # new refs that are worth one file
NO_NAME = 'its name is taken here, and so are those beside it; delete or rename one of them here'

Refs = dict[str, tuple[str, str | None]]  # {full ref: (object, the object that it has now)}
Files = Mapping[str, bytes | dict[str, Any]]


class Wanted(NamedTuple):
    """A run whose files are to be written."""

    remote_run: RunRef  # its name at the remote
    run: RunRef  # its name here
    objects: RunObjects
    before: RunObjects | None  # what this clone has of it

    @property
    def is_new(self) -> bool:
        """Whether this clone has no state of it, or this very one without its files."""
        return not self.went_on

    @property
    def went_on(self) -> bool:
        """Whether this clone has an earlier state of it."""
        return self.before is not None and self.before.result not in (None, self.objects.result)


class Fetcher:
    """Makes runs of a remote runs of this clone, and knows afterwards which ones."""

    def __init__(self, repository: Repository, remote: str, index: RefIndex) -> None:
        """index: the runs of the remote."""
        self.repository = repository
        self.remote = remote
        self.index = index
        self.new: list[RunRef] = []  # names here
        self.updated: list[RunRef] = []  # names here
        self.renamed: dict[RunRef, RunRef] = {}  # {name at the remote: other name here}
        self.failed: list[tuple[RunRef, str]] = []  # [(run, why), …]
        self._local = remote_names.local_refs(repository)
        self.branches = self._local.branches
        self._result = os.fspath(layout.result(repository.root))
        self._folders = _runs_with_folder(repository.root)
        self._tag_refs = {f'{TAGS}{tag}' for tag in self._local.tags}
        self._local_names: dict[RunRef, RunRef] = {}  # {name at the remote: name here}
        self._room = limits.FETCHED  # bytes that this fetch may still write

    def take_runs(self) -> None:
        """Choose the names of all runs, then write those that this clone lacks."""
        wanted, new_runs = self._choose()
        if not wanted and not incoming.is_left(self.repository.root):
            return
        with incoming.Incoming(self.repository.root, on_wait=_report_wait) as place:
            for start in range(0, len(wanted), RUNS_AT_ONCE):
                if start and start % REPORT_EVERY == 0:
                    echo(f'{start:,} of {len(wanted):,} runs …')
                self._take(wanted[start : start + RUNS_AT_ONCE], place)
        if new_runs * REFS_PER_RUN > PACK_FROM:
            self.repository.pack_refs()

    # --- names ---

    def _choose(self) -> tuple[list[Wanted], int]:
        """Return the runs whose files are to be written, and how many are new.

        The names of all runs are known then.
        """
        known = self._local.by_key()
        owner = remote_names.safe_name(self.remote)
        wanted: list[Wanted] = []
        new_runs = 0
        for remote_run, objects in self.index.runs.items():
            run = known.get(objects.key) or self._free_name(remote_run, objects, owner)
            if run is None:
                # there is nothing to show yet of a run without a result
                if objects.result:
                    self.failed.append((remote_run, NO_NAME))
                continue
            before = self._local.runs.get(run)
            self._local_names[remote_run] = run
            if before is None or not self._is_current(before, objects):
                self._local.add(run, objects)
                wanted.append(Wanted(remote_run, run, objects, before))
            elif before.result and not self._has_files(run):
                wanted.append(Wanted(remote_run, run, before, before))
            new_runs += before is None
        return wanted, new_runs

    def _free_name(self, run: RunRef, objects: RunObjects, owner: str) -> RunRef | None:
        tags = remote_names.candidates(run.tag, owner) if objects.result else [run.tag]

        def fits(name: RunRef, present: RunObjects | None) -> bool:
            return self._fits(name, present, objects)

        return remote_names.free_name(run, objects, self._local, tags, fits)

    def _fits(self, name: RunRef, present: RunObjects | None, objects: RunObjects) -> bool:
        """Return whether a run of the remote can have a name here: it is free, or `present` is an
        earlier state of that run, fetched before.
        """
        if present is None:
            return name not in self._folders
        if present.code != objects.code:
            return False
        if self._is_current(present, objects):
            return True
        if present.result and not self.repository.is_ancestor(present.result, objects.result):
            return False
        return name not in self._folders or self._is_fetched(name)

    def _is_current(self, present: RunObjects, objects: RunObjects) -> bool:
        """Return whether a run here is as new as at the remote."""
        if objects.result in (None, present.result):
            return True
        return present.result is not None and self.repository.is_ancestor(
            objects.result, present.result
        )

    def _is_fetched(self, run: RunRef) -> bool:
        """Return whether a run's folder came from a remote, or has nothing that did not.

        Older versions wrote run.json late: a kill left a folder without it.
        """
        folder = run.folder(self.repository.root)
        try:
            return bool(run_json.read(folder).get('fetched_from'))
        except FileNotFoundError:
            names = {path.name for path in folder.iterdir() if path.suffix != '.tmp'}
            return names <= {*result_files.RAW, statistic.NAME}
        except (OSError, ValueError):
            return False

    def _has_files(self, run: RunRef) -> bool:
        """Return whether a run's files are all here. A run of this clone's own counts as such."""
        if run not in self._folders:
            return False
        try:
            # not pathlib: this is asked of ten thousand runs
            return os.stat(f'{self._result}/{run}/{statistic.NAME}').st_size > 0
        except OSError:
            return not self._is_fetched(run)

    # --- refs and files ---

    def _take(self, wanted: Sequence[Wanted], place: Incoming) -> None:
        """Write some runs, as many at once as memory has room for."""
        commits = [each.objects.result for each in wanted if each.objects.result]
        sizes = result_files.sizes(self.repository, commits)
        part: list[Wanted] = []
        room = limits.AT_ONCE
        for each in wanted:
            size = sum(sizes.get(each.objects.result or '', {}).values())
            if size > self._room:
                self.failed.append((each.remote_run, TOO_MUCH))
                continue
            self._room -= size
            if size > room and part:
                self._write_runs(part, sizes, place)
                part, room = [], limits.AT_ONCE
            part.append(each)
            room -= size
        self._write_runs(part, sizes, place)

    def _write_runs(
        self, wanted: Sequence[Wanted], sizes: result_files.Sizes, place: Incoming
    ) -> None:
        """Write the refs and the folders of some runs."""
        results = result_files.read(self.repository, _results(wanted), sizes)
        files: dict[RunRef, Files] = {}
        valid: list[Wanted] = []
        for each in wanted:
            try:
                if each.objects.result:
                    files[each.run] = self._convert(each, results[each.objects.result])
                valid.append(each)
            except ValueError as error:
                self.failed.append((each.remote_run, str(error)))
        accepted = self._set_refs({each.run: _refs(each) for each in valid if each.is_new})
        for each in valid:
            if each.run in files and (each.went_on or each.run in accepted):
                self._write_folder(each.run, files[each.run], place)
                self._note(each)
        self._set_refs({each.run: _refs(each) for each in valid if each.went_on})

    def _convert(self, wanted: Wanted, result: result_files.Result) -> Files:
        return result_files.convert(
            self.repository.root,
            self.remote,
            wanted.run,
            wanted.objects.code,
            result,
            self._local_names,
        )

    def _note(self, wanted: Wanted) -> None:
        (self.updated if wanted.went_on else self.new).append(wanted.run)
        if wanted.run != wanted.remote_run:
            self.renamed[wanted.remote_run] = wanted.run

    def _set_refs(self, wanted: Mapping[RunRef, Refs]) -> set[RunRef]:
        """Set the refs of some runs; return the runs whose refs git took.

        A ref that git refuses stops no other run.
        """
        refs_of = {run: self._without_known_tags(refs) for run, refs in wanted.items()}
        refs: Refs = {}
        for part in refs_of.values():
            refs.update(part)
        self._tag_refs.update(name for name in refs if name.startswith(TAGS))
        try:
            if refs:
                self.repository.update_refs(refs)
            return set(wanted)
        except GitError:
            return {run for run, part in refs_of.items() if self._set_one(run, part)}

    def _without_known_tags(self, refs: Refs) -> Refs:
        return {name: value for name, value in refs.items() if name not in self._tag_refs}

    def _set_one(self, run: RunRef, refs: Refs) -> bool:
        tags = {row[0] for row in self.repository.refs(TAGS, ('refname',))}
        try:
            self.repository.update_refs(
                {name: value for name, value in refs.items() if name not in tags}
            )
            return True
        except GitError as error:
            self.failed.append((run, str(error)))
            return False

    def _write_folder(self, run: RunRef, files: Files, place: Incoming) -> None:
        """Write the files of a run, run.json first, which says where it is from.

        Of a folder that is there they are replaced, statistic.json last.
        """
        content = files[statistic.NAME]
        if isinstance(content, dict) and content['status'] == statistic.FINISHED:
            place.add_to(experlist.FINISHED, run)
        folder = run.folder(self.repository.root)
        if folder.parent.is_symlink() or folder.is_symlink():
            raise UserError(f'{folder} is a link to another place: nothing is written there')
        if folder.is_dir() and any(folder.iterdir()):
            _write(folder, files)
            _remove_half_written(folder)
        else:
            new = place.new_folder()
            _write(new, files)
            if not place.place(new, run):
                raise UserError(f'{folder}: another process made it. Fetch again')
        place.is_whole(run)


def _write(folder: Path, files: Files) -> None:
    for name, content in files.items():
        if not isinstance(content, bytes):
            content = jsonfile.dumps(content).encode('utf-8', 'backslashreplace')
        # not durable: git has it
        atomic.write(folder / name, content, durable=False)


def _remove_half_written(folder: Path) -> None:
    """Remove what a kill left of an earlier fetch: only one fetch at a time writes here."""
    for path in folder.glob('.*.tmp'):
        path.unlink()


def _report_wait() -> None:
    echo('another `fetch` or `import` is at work here: this one waits for it')


def _results(wanted: Iterable[Wanted]) -> list[str]:
    return [each.objects.result for each in wanted if each.objects.result]


def _runs_with_folder(root: Path) -> set[RunRef]:
    runs: set[RunRef] = set()
    for tag in layout.tags(root):
        runs.update(RunRef(tag, number) for number in layout.numbers(root, tag))
    return runs


def _refs(wanted: Wanted) -> Refs:
    """Return the refs that make a run a run of this clone."""
    run, objects, before = wanted.run, wanted.objects, wanted.before
    refs: Refs = {}
    if objects.tag:
        refs[run.tag_ref] = (objects.tag, None)
    if before is None:
        refs[run.code_ref] = (objects.code, None)
    if objects.result and (before is None or before.result != objects.result):
        refs[run.result_ref] = (objects.result, before.result if before else None)
    return refs
