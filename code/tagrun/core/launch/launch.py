"""Start the training of a prepared run, wait for it, and do what is due at its end.

    code = start_run(repository, folder, options)

Exit codes: 0 finished, 1 failed, 75 stopped and resumable, 130 Ctrl-C, 137 killed by kill -9 (128
and the number of the signal).

The job is training_process.py's; files come back. At its end the result commit is made, of a failed
or stopped run too. It trains nothing itself and reads none of your files.

When a run is about to train, each file extra/<x>/before_<name>.py is called: before(repository,
folder, info), with the Repository, the run's folder and the content of its run.json. When it has
ended, however it did, after(…) of each extra/<x>/after_<name>.py. These return at once (what takes
longer they leave to a process of their own). What they raise becomes one line on the screen: the
run and its exit code stay what they were.
"""

from pathlib import Path
from typing import Any

from tagrun.core import finder
from tagrun.core.cli.messages import UserError, echo, quote
from tagrun.core.git.process import GitError
from tagrun.core.git.repository import Repository
from tagrun.core.launch import (
    early_failure,
    engines,
    rerun_verdict,
    result_commit,
    run_log,
    summary,
    tensorboard,
    training_process,
)
from tagrun.core.launch.early_failure import Made
from tagrun.core.launch.engines import LaunchOptions
from tagrun.core.launch.ownership import Owned
from tagrun.core.record import claim, contract, frozen_copy
from tagrun.store import checkpoints, first_step, jsonfile, layout, run_json, statistic
from tagrun.store.run_ref import RunRef

RESUMABLE = training_process.RESUMABLE
CTRL_C = training_process.CTRL_C
# what training opens by name in the run's folder
OWN = ('code', 'checkpoint', 'tensorboard', 'log', 'lock', 'trace.csv')


def start_run(
    repository: Repository,
    folder: Path,
    options: LaunchOptions,
    count: int = 1,
    made: Made | None = None,
) -> int:
    """Train the prepared run in `folder`, and count - 1 more of its commit; return the exit code.

    Where that is, the options say: here, in the background, or by an engine. made: what the command
    made for the run, and takes back if it fails here before its first training step.
    """
    set_process_count(folder, options.process_count)
    if options.engine:
        info = run_json.read(folder)
        others = [_create_another(repository, info) for _ in range(1, count)]
        return engines.load(options.engine).submit(repository, [folder, *others], options)
    with Owned(folder) as owned:
        return start_owned(repository, owned, options, count, made)


def start_owned(
    repository: Repository,
    owned: Owned,
    options: LaunchOptions,
    count: int = 1,
    made: Made | None = None,
) -> int:
    """Train a run that we own, and others, as `start_run`: here or in the background."""
    run, log = RunRef.of_folder(owned.folder), quote(owned.folder / 'log')
    if run.tag != layout.SCRATCH:
        tensorboard.start(repository)
    if options.detach:
        echo(f'{run} trains in the background:  tail -f {log}')
        if not owned.in_background():
            return 0
    return train_seeds(repository, owned, count, made)


def train_seeds(repository: Repository, owned: Owned, count: int, made: Made | None = None) -> int:
    """Train the run that we own, then count - 1 more of its commit, each with a fresh seed.

    Returns the first exit code that is not 0. A run that fails or is killed does not stop the
    others; a signal to us does, and a run that was taken back: the others would fail as it did.
    """
    folder = owned.folder
    info, codes = run_json.read(folder), [train_owned(repository, owned, made)]
    for done in range(1, count):
        if not folder.is_dir():
            break
        if codes[-1] in (RESUMABLE, CTRL_C):
            echo(
                f'tagrun: {done} of {count} runs were begun; when {run_json.name(info)} is '
                f'done, `rerun {info["tag"]} --seeds {count - done}` adds the others'
            )
            break
        # as it is now: the others take the inputs that the first one's code chose
        info = run_json.read_or_none(folder) or info
        folder = _create_another(repository, info)
        again = ['rerun', info['tag'], '--seeds', str(count - done)]
        made = made and early_failure.of_run(folder, again)
        codes.append(train_here(repository, folder, made))
    return next((code for code in codes if code), 0)


def train_here(repository: Repository, folder: Path, made: Made | None = None) -> int:
    """Train the run in `folder` to its end; return the exit code. made: as in `start_run`.

    Raises UserError where somebody else trains it.
    """
    with Owned(folder) as owned:
        return train_owned(repository, owned, made)


def train_owned(repository: Repository, owned: Owned, made: Made | None = None) -> int:
    """Train a run that we own, as `train_here`."""
    folder = owned.folder
    _refuse_links(folder)
    info = run_log.choose_form(repository, folder, run_json.read(folder))
    frozen_copy.repair(repository, folder, info['commit'])
    tensorboard.add(repository, folder)
    watch = rerun_verdict.Watch(repository.root, folder, info) if info.get('exact') else None
    _call_extras('before', repository, folder, info)
    before, look = statistic.read_or_none(folder), watch.look if watch else None
    code = training_process.train(repository.root, folder, owned, info['seed'], look)
    if info.get('fast') and not code:
        code = _load_again(repository, folder, info)
    if training_process.is_still_owned(folder, code):
        return 1
    training_process.say_last_words(folder, info, code)
    failed = training_process.failed_by_itself(code) and not owned.asked
    code = training_process.write_ending(folder, info, code, before, owned.asked)
    frozen_copy.clean(folder)
    if made and failed and not first_step.is_done(folder):
        return _fail_early(repository, folder, info, made)
    if watch:
        code = watch.end() or code
    _conclude(repository, folder, info)
    return code


def _conclude(repository: Repository, folder: Path, info: dict[str, Any]) -> None:
    """Do what is due at a run's end."""
    summary.show(folder, info)
    record_result(repository, folder, info)
    _call_extras('after', repository, folder, info)


def _fail_early(repository: Repository, folder: Path, info: dict[str, Any], made: Made) -> int:
    """Take back a run that failed before its first training step; return the exit code."""
    freed = early_failure.take_back(repository, folder, made)
    if freed:
        _call_extras('after', repository, freed.log.parent, info)
        early_failure.report(freed, made)
    else:
        _conclude(repository, folder, info)
    return 1


def record_result(repository: Repository, folder: Path, info: dict[str, Any]) -> None:
    """Make the result commit of a run; where git does not take it, say so."""
    if not info['commit']:
        return
    try:
        result_commit.record(repository, folder, info)
    except (GitError, OSError, ValueError) as error:
        echo(f'tagrun: git did not take the result ({error}); the files are all in {quote(folder)}')


def set_process_count(folder: Path, count: int | None) -> None:
    """Write to run.json in how many processes the run is to train; nothing for None.

    Raises UserError where its code can have one only.
    """
    if not count:
        return
    info = run_json.read(folder)
    if count > 1 and contract.NPROC not in contract.frozen_features(folder):
        raise UserError(
            f'{run_json.name(info)}: its code is older than --nproc, and trains in one '
            'process: leave it out'
        )
    run_json.write(folder, {**info, 'nproc': count})


def process_count(folder: Path) -> int | None:
    """Return in how many processes a run is to train, or did; None where that is not known."""
    try:
        count: int | None = run_json.read(folder).get('nproc')
        return count or jsonfile.read(folder / 'environment.json').get('world_size')
    except (OSError, ValueError):
        return None


def _create_another(repository: Repository, info: dict[str, Any]) -> Path:
    """Create a run of the same commit, with a fresh seed and as many processes."""
    more = {key: info[key] for key in ('nproc',) if key in info} | run_json.settings(info)
    return claim.create_run_with_new_seed(repository, info['tag'], info['commit'], more)


def _refuse_links(folder: Path) -> None:
    """Raise UserError where training would write through a link, planted in shared results."""
    for path in (folder, *(folder / name for name in OWN)):
        if path.is_symlink():
            raise UserError(
                f'{path} is a link, and training would write where it points: remove it, '
                'or put there what it points to'
            )


def _load_again(repository: Repository, folder: Path, info: dict[str, Any]) -> int:
    """Let a new process load what a quick trial saved, and compare it; return its exit code.

    As it begins where the trial ended, it trains nothing (training/short_run.py).
    """
    newest = checkpoints.newest(folder)
    if not newest:
        return 0
    # as it is now: training may have added inputs
    again = {**run_json.read(folder), 'resume': newest}
    run_json.write(folder, again)
    with Owned(folder) as owned:
        return training_process.train(repository.root, folder, owned, info['seed'])


def _call_extras(when: str, repository: Repository, folder: Path, info: dict[str, Any]) -> None:
    """Call before(…) or after(…) of every extra/<x>/<when>_<name>.py.

    One that fails stops neither the others nor us.
    """
    for path in finder.modules(f'{when}_*.py'):
        try:
            getattr(finder.load(path), when)(repository, folder, info)
        except Exception as error:
            echo(f'tagrun: extra/{path.name}: {type(error).__name__}: {error}'.partition('\n')[0])
