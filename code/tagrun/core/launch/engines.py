"""Choose where a run is trained: here, in the background, or by an engine such as Slurm.

    engines.add_options(parser); …; options = engines.read_options(args)
    engines.check(repository, options)              # before a tag is spent
    engines.load('slurm').submit(repository, folders, options)

An engine is a file extra/<x>/on_<name>.py with the functions of Engine below. What it starts,
wherever that is, is what `command` returns, e.g. `tagrun continue <tag>/<id>`: of a run without a
checkpoint that is its beginning, and of one that was killed the rest.
"""

import argparse
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

from tagrun.core import finder
from tagrun.core.cli.messages import UserError, plural
from tagrun.core.git.repository import Repository
from tagrun.store import evaluations, run_json
from tagrun.store.evaluations import EvaluationRef

PREFIX = 'on_'  # how the file of an engine begins


class LaunchOptions(NamedTuple):
    """How runs are to be started."""

    detach: bool = False  # in the background
    process_count: int | None = None  # that train one run together; None: not said
    engine: str | None = None  # None: here
    engine_options: Any = None  # what the engine's read_options returned


class Engine(Protocol):
    """What the module of an engine has."""

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add its own options, in a group with its name."""

    def read_options(self, args: argparse.Namespace) -> Any:
        """Return the values of its own options, for LaunchOptions.engine_options."""

    def check(self, repository: Repository, options: LaunchOptions) -> None:
        """Raise UserError for what cannot work."""

    def submit(self, repository: Repository, folders: list[Path], options: LaunchOptions) -> int:
        """Train the prepared runs in `folders`, or queue them; return the exit code.

        A folder may be that of an evaluation: store/evaluations.py.
        """

    def states(self, root: Path, ids: Collection[str]) -> dict[str, str]:
        """Return {id: jobs.QUEUED or jobs.RUNNING} of those jobs that it has."""

    def cancel(self, root: Path, ids: Collection[str]) -> None:
        """Cancel these jobs. Their training saves and ends, and can be continued."""


def names() -> list[str]:
    """Return the names of the engines, sorted."""
    return [_name(path) for path in finder.modules(f'{PREFIX}*.py')]


def load(name: str) -> Engine:
    """Return the module of an engine, one of `names`."""
    (path,) = finder.modules(f'{PREFIX}{name}.py')
    return _module(path)


def _name(path: Path) -> str:
    return path.stem.removeprefix(PREFIX)


def _module(path: Path) -> Engine:
    return cast(Engine, finder.load(path))


def command(folder: Path) -> list[str]:
    """Return the words that train the prepared run in `folder`: ['continue', 't1/0'].

    Of an evaluation they make it: ['evaluate', 't1/0/evaluation/2'].
    """
    ref = evaluations.of_folder(folder)
    return ['evaluate' if isinstance(ref, EvaluationRef) else 'continue', str(ref)]


def describe(folders: Sequence[Path]) -> str:
    """Return 't1/0', or 't1/0 to t1/4, 5 runs', of prepared runs or evaluations."""
    first, last = (evaluations.of_folder(folders[index]) for index in (0, -1))
    if len(folders) == 1:
        return str(first)
    noun = 'evaluation' if isinstance(first, EvaluationRef) else 'run'
    return f'{first} to {last}, {plural(len(folders), noun)}'


def words_to_show(folder: Path) -> str:
    """Return what shows how a prepared run or evaluation is: 'expls t1'."""
    ref = evaluations.of_folder(folder)
    if isinstance(ref, EvaluationRef):
        return f'tagrun expls --evaluations {ref.run}'
    return f'expls {ref.tag}'


def words_to_cancel(folders: Sequence[Path]) -> str:
    """Return what cancels them: 'tagrun stop t1'."""
    refs = [evaluations.of_folder(folder) for folder in folders]
    if len(refs) == 1 or isinstance(refs[0], EvaluationRef):
        return f'tagrun stop {" ".join(map(str, refs))}'
    return f'tagrun stop {refs[0].tag}'


def add_options(parser: argparse.ArgumentParser, training: bool = True) -> None:
    """Add -d and --nproc, and where there are engines --on and what they add.

    training: False for an evaluation, which has one process.
    """
    what = 'train' if training else 'evaluate'
    parser.add_argument('-d', '--detach', action='store_true', help=f'{what} in the background')
    group = parser.add_argument_group('processes and machines')
    if training:
        group.add_argument(
            '--nproc',
            metavar='COUNT',
            type=int,
            help='train in so many processes; else one, or one for each GPU of '
            'CUDA_VISIBLE_DEVICES',
        )
    paths = finder.modules(f'{PREFIX}*.py')
    choices = [_name(path) for path in paths]
    group.add_argument(
        '--on',
        metavar='ENGINE',
        choices=choices,
        help=f'{what} it elsewhere: {", ".join(choices)}',
    )
    for path in paths:
        _module(path).add_options(parser)


def read_options(args: argparse.Namespace) -> LaunchOptions:
    """Return the values of what `add_options` added."""
    engine_options = load(args.on).read_options(args) if args.on else None
    return LaunchOptions(args.detach, getattr(args, 'nproc', None), args.on, engine_options)


def check(repository: Repository, options: LaunchOptions) -> None:
    """Raise UserError where runs cannot be started as the options say."""
    count = options.process_count
    if count is not None and not 0 < count <= run_json.MOST:
        raise UserError(f'--nproc takes a number from 1 to {run_json.MOST}, not {count}', code=2)
    if options.engine:
        load(options.engine).check(repository, options)
