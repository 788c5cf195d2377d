"""The readable files of one run, for a comparison with another.

    files = run_files.read(root, RunRef('t1', 0))        # files.commit, files.hparam, files.metric

A file that is missing, or cannot be read, counts as empty.
"""

from pathlib import Path
from typing import Any, NamedTuple

from tagrun.store import jsonfile, run_json, statistic
from tagrun.store.run_ref import RunRef


class RunFiles(NamedTuple):
    """One run, and the contents of its files; {} for a file that cannot be read."""

    run: RunRef
    folder: Path
    statistic: dict[str, Any]
    info: dict[str, Any]  # run.json
    environment: dict[str, Any]

    @property
    def commit(self) -> str | None:
        """The commit of the run's code; None for a run by hand."""
        return self.info.get('commit')

    @property
    def seed(self) -> int | None:
        return self.info.get('seed', self.statistic.get('seed'))

    @property
    def hparam(self) -> dict[str, Any]:
        return dict(self.statistic.get('hparam', {}))

    @property
    def metric(self) -> dict[str, Any]:
        return dict(self.statistic.get('metric', {}))


def read(root: Path, run: RunRef) -> RunFiles:
    """Read a run's files."""
    return read_folder(run, run.folder(root))


def read_folder(run: RunRef, folder: Path) -> RunFiles:
    """Read the files of a run, or of one of its evaluations, in `folder`."""
    return RunFiles(
        run,
        folder,
        statistic.read_or_none(folder) or {},
        run_json.read_or_none(folder) or {},
        jsonfile.read_or_none(folder / 'environment.json') or {},
    )
