"""The files that a run is to take: `run --from` and `--weights-from`, and what a rerun takes again.

    record = chosen(root, weights='pre/0:best')     # {'pre/0': {'file': 'epoch_3.pth', …}}
    check(root, record, 'fine/0')                   # UserError: input pre/0 epoch_3.pth has changed
    mark(root, record, 'fine/1')                    # no save of pre/0 removes it

Both look at the files themselves, so that nothing is recorded that could not be read. store/inputs
explains the record; training reads the files, and compares their SHA-256 again.
"""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tagrun.core.cli import selectors
from tagrun.core.cli.messages import UserError, quote
from tagrun.core.environment import check as packages
from tagrun.core.git.repository import Repository
from tagrun.core.project import CODE
from tagrun.core.record import contract
from tagrun.store import checkpoints, inputs, layout, needed, run_json, run_ref, safe_read
from tagrun.store.inputs import CHECKPOINT, WEIGHTS, Input
from tagrun.store.run_ref import RunRef

SHOWN = 12  # digits of a SHA-256 in a sentence
SAFETENSORS = CODE / 'requirements-safetensors.txt'
ENDING = '.safetensors'
# how such a file goes on after eight bytes, and how torch.save's begin: a zip archive, or a pickle
SAFE_JSON, TORCH = b'{', (b'PK', b'\x80\x02')
# the line of a tag's message that has the inputs as JSON
LINE = 'inputs '
VERBS = {CHECKPOINT: 'everything of', WEIGHTS: 'weights of', inputs.CODE: 'its code reads'}


def chosen(
    root: Path,
    start: str | None = None,
    weights: str | None = None,
    strict: bool = True,
    hold: bool = True,
) -> dict[str, Any]:
    """Return the `inputs` of a run that begins with a checkpoint or with weights.

    start: of `--from`, <run>[:<checkpoint>], without one its last. weights: of `--weights-from`,
    the same (without one its best), or a path. strict: whether weights that do not fit are refused.
    hold: keep the checkpoint until the run is recorded. Raises UserError for what is not there, or
    is damaged.
    """
    some = []
    if start:
        of_run = _as_run(root, start)
        if of_run is None:
            raise UserError(
                f"--from {start}: a run's checkpoint is meant, e.g. t1/0:best; "
                f'--weights-from {quote(start)} takes the weights of a file'
            )
        some.append(_of_run(root, of_run, CHECKPOINT, hold))
    if weights:
        of_run = _as_run(root, weights)
        if of_run:
            some.append(_of_run(root, of_run, WEIGHTS, hold)._replace(strict=strict))
        else:
            some.append(_of_file(root, weights, strict))
    return inputs.dump(some)


def check(root: Path, record: Any, trained: str) -> None:
    """Raise UserError for the first input that is missing or has changed; keep the others.

    record: `inputs` of the run that was trained with them. trained: its name.
    """
    for each in inputs.parse(record or {}):
        lacking = absence(root, each)
        if lacking:
            raise UserError(f'{lacking}; {trained} was trained with SHA-256 {each.sha256[:SHOWN]}…')
        path = each.path(root)
        assert path is not None
        if each.run:
            needed.hold(path.parent, path.name, each.sha256)
        elif path.name.endswith(ENDING):
            _require_safetensors()
        digest = _digest(path)
        if digest != each.sha256:
            raise UserError(
                f'input {each.words} has changed: its SHA-256 is {digest[:SHOWN]}…, and {trained} '
                f'was trained with {each.sha256[:SHOWN]}…'
            )


def mark(root: Path, record: Any, run: str) -> None:
    """Keep the checkpoints of `inputs` for a run, as long as it has a folder."""
    for each in inputs.known(record):
        folder = each.run.folder(root) / checkpoints.FOLDER if each.run else None
        if folder and folder.is_dir():
            needed.add(folder, each.file, each.sha256, run)


def start_seed(root: Path, record: Any) -> int | None:
    """Return the seed of the run whose checkpoint a run begins with; None without one.

    With another one the data would be split anew, and the run validated on what it was trained on.
    """
    starts = (each.run for each in inputs.known(record) if each.what == CHECKPOINT and each.run)
    run = next(starts, None)
    info = (run_json.read_or_none(run.folder(root)) or {}) if run else {}
    seed: int | None = info.get('seed')
    return seed


def absence(root: Path, each: Input) -> str:
    """Return why an input cannot be read here, as the start of a sentence; '' if it is here.

    It looks at names alone: whether the content is the recorded one, `check` says.
    """
    if each.path(root):
        return ''
    if not each.run:
        return f'input {each.words} is not here'
    info = run_json.read_or_none(each.run.folder(root))
    if info is None:
        return f'input {each.words} is not here: the run {each.run} does not exist'
    if info.get('fetched_from'):
        return (
            f'input {each.words} is not here: {each.run} was fetched, and checkpoints do not come '
            f'along (copy its folder {checkpoints.FOLDER}/ from where it was trained)'
        )
    names = [Path(name).stem for name in checkpoints.listed(each.run.folder(root))]
    has = ', '.join(names) or 'no checkpoint'
    return f'input {each.words} is not here: {each.run} has {has}'


def lacking(root: Path, runs: Iterable[RunRef]) -> dict[RunRef, str]:
    """Return {run: names of its inputs that are not here}, of those that lack some."""
    result = {}
    for run in runs:
        info = run_json.read_or_none(run.folder(root)) or {}
        absent = [each.name for each in inputs.known(info.get('inputs')) if absence(root, each)]
        if absent:
            result[run] = ', '.join(absent)
    return result


def lines(record: Any) -> list[str]:
    """Return what a run takes, a line each: 'weights of pre/0:epoch_3.pth (best)'."""
    texts = []
    for each in inputs.known(record):
        asked = f' ({each.asked[0]})' if each.asked else ''
        loose = '' if each.strict else ', as far as they fit'
        texts.append(f'{VERBS[each.what]} {each.name}{asked}{loose}')
    return texts


def message_lines(record: Mapping[str, Any]) -> list[str]:
    """Return what a tag's message says of the inputs: a line each, and one for programs."""
    return [*lines(record), LINE + json.dumps(record)] if record else []


def of_message(message: str) -> dict[str, Any]:
    """Return the `inputs` of a tag's message; {} where it has none."""
    for line in message.splitlines():
        if line.startswith(LINE + '{'):
            try:
                return inputs.dump(inputs.parse(json.loads(line.removeprefix(LINE))))
            except (ValueError, RecursionError):
                return {}
    return {}


def of_tag(repository: Repository, tag: str) -> dict[str, Any]:
    """Return the `inputs` that a tag's message has; {} where it has none."""
    ref = run_ref.TAGS + tag
    return of_message(dict(repository.refs(ref, ('refname', 'contents'))).get(ref, ''))


def require_feature(features: frozenset[str], whose: str) -> None:
    """Raise UserError where a code's features lack `inputs`: it would begin without them."""
    if contract.INPUTS not in features:
        raise UserError(
            f'{whose} is older than --from and --weights-from, and would begin without them: '
            'bring code/tagrun up to date there'
        )


# --- what --from and --weights-from name ---------------------------------------------------------


def _of_run(root: Path, word: str, what: str, hold: bool) -> Input:
    name, _, asked = word.partition(':')
    run = selectors.run(root, name)
    folder = run.folder(root)
    if not asked:
        has_best = what == WEIGHTS and checkpoints.best(folder)
        asked = 'best' if has_best else 'last'
    # UserError where there is no such checkpoint
    selectors.checkpoint(root, f'{run}:{asked}')
    find = checkpoints.reserve if hold else checkpoints.with_sum
    reserved = find(folder, asked)
    if not reserved:
        raise UserError(f'{run} removed its checkpoint {asked!r} just now: type it again')
    file, sha256 = reserved
    digest = _digest(folder / checkpoints.FOLDER / file)
    if digest != sha256:
        raise UserError(
            f'{run}:{file} is damaged: its SHA-256 is {digest[:SHOWN]}…, and {checkpoints.SUMS} '
            f'has {sha256[:SHOWN]}…; take another checkpoint of it'
        )
    moving = (asked,) if asked in inputs.MOVING else ()
    return Input(run, file, sha256, what, asked=moving)


def _as_run(root: Path, word: str) -> str | None:
    """Return <run>[:<checkpoint>] of a word that means a run; None for the path of a file.

    A path may lead to a checkpoint of a run of this project: then that is meant.
    """
    if not os.path.isfile(word):
        is_path = word.endswith(('.pth', '.pt', '.bin', '.ckpt', ENDING)) and ':' not in word
        return None if is_path else word
    results = os.path.realpath(layout.result(root))
    path = Path(os.path.realpath(word))
    if path.is_relative_to(results):
        parts = path.relative_to(results).parts
        run = RunRef.parse('/'.join(parts[:2]))
        is_checkpoint = run and parts[2:-1] == (checkpoints.FOLDER,)
        if run and is_checkpoint and checkpoints.named(run.folder(root), parts[-1]):
            return f'{run}:{parts[-1]}'
    return None


def _of_file(root: Path, word: str, strict: bool) -> Input:
    path = os.path.abspath(os.path.expanduser(word))
    if path.endswith(ENDING):
        _require_safetensors()
    try:
        digest, start = _digest(Path(path)), safe_read.start(path, len(SAFE_JSON) + 8)
    except UserError as error:
        raise UserError(f'--weights-from {word}: {error}') from None
    is_safe = path.endswith(ENDING) and start[8:] == SAFE_JSON
    if not is_safe and not start.startswith(TORCH):
        raise UserError(
            f'--weights-from {word}: it is not a file of torch.save, nor a {ENDING} file'
        )
    name = _in_project(root, path)
    return Input(None, name, digest, WEIGHTS, strict)


def _in_project(root: Path, path: str) -> str:
    """Return a path as run.json has it: relative to the project if it is in it."""
    for absolute in (os.path.abspath, os.path.realpath):
        relative = os.path.relpath(absolute(path), absolute(root))
        if not relative.startswith('..'):
            return relative
    return path


def _require_safetensors() -> None:
    packages.refuse_if_incomplete([SAFETENSORS])


def _digest(path: Path) -> str:
    try:
        return checkpoints.digest(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, 'strerror', None) or error
        raise UserError(f'{path} cannot be read: {reason}') from None
