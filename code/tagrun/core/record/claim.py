"""Make a run of a commit: claim its id, write its snapshot and its run.json.

    folder = create_run(repository, 't1', commit, seed, tag_message='why')
    folder = create_run_with_new_seed(repository, 't1', commit)

It touches no branch, no index and no file of yours, and starts nothing: core/launch does.
"""

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tagrun.core.cli.messages import UserError
from tagrun.core.git.process import GitError
from tagrun.core.git.repository import Repository
from tagrun.core.record import code_check, contract, frozen_copy, input_files, snapshot
from tagrun.core.record.provenance import RESEEDED
from tagrun.store import jsonfile, layout, run_json
from tagrun.store.run_ref import TAGS, RunRef

SEED_BITS = 32
SEED_FILE = 'code/seed'
PREPARING = 'preparing.json'  # in a run's folder, until it has its run.json: the keys of that


def fresh_seed() -> int:
    """Return a seed that nobody chose."""
    return secrets.randbits(SEED_BITS)


def read_seed(content: bytes | None) -> int:
    """Return the integer of a code/seed file. Raises UserError for any other content."""
    content = content or b''
    try:
        seed = int(content)
    except ValueError:
        seed = -1
    if not 0 <= seed < 2**63:
        text = content.decode(errors='replace').strip()[:40]
        raise UserError(f'code/seed holds {text!r}; one integer from 0 to 2^63 - 1 belongs there')
    return seed


def seed_file(seed: int) -> dict[str, bytes]:
    """Return {path: content} of a code/seed file, for Repository.write_tree."""
    return {SEED_FILE: f'{seed}\n'.encode()}


def create_run_with_new_seed(
    repository: Repository, tag: str, commit: str, more: Mapping[str, Any] | None = None
) -> Path:
    """Create a run of a side commit that differs from `commit` by a fresh seed; return its folder.

    more: further keys of its run.json.
    """
    if not repository.resolve(commit):
        raise UserError(snapshot.absent(commit))
    seed = fresh_seed()
    tree = repository.write_tree(commit, seed_file(seed))
    message = f'tagrun: {tag} {RESEEDED}\n\nseed {seed}\n'
    side_commit = repository.commit_tree(tree, commit, message)
    return create_run(repository, tag, side_commit, seed, more)


def create_run(
    repository: Repository,
    tag: str,
    commit: str,
    seed: int,
    more: Mapping[str, Any] | None = None,
    tag_message: str | None = None,
    made: dict[str, str] | None = None,
) -> Path:
    """Claim the tag's next id for `commit` and write its files; return the run's folder.

    more: further keys of its run.json; what `inputs` names is kept for it. tag_message: create the
    annotated tag with it, at the commit; creating it is the lock. made: gets {ref: id} of what git
    got. Raises UserError if the tag exists.
    """
    more = {**(more or {}), run_json.CREATED: run_json.now()}
    files = snapshot.read(repository, commit)
    code_check.check(files)
    if more.get('inputs'):
        features = contract.features(repository, commit)
        input_files.require_feature(features, f'the code of commit {commit[:10]}')
    refs = {}
    if tag_message:
        refs[TAGS + tag] = repository.make_tag(tag, commit, tag_message)
    run = _claim(repository, tag, commit, refs, {**more, 'seed': seed})
    if made is not None:
        made |= {**refs, run.code_ref: commit}
    folder = run.folder(repository.root)
    input_files.mark(repository.root, more.get('inputs'), str(run))
    frozen_copy.write(files, folder)
    _write_run_json(repository, run, commit, seed, more)
    return folder


def complete(repository: Repository, folder: Path, commit: str) -> None:
    """Write the files of a run that was killed while it was created.

    Its folder has the keys of its run.json. Where that file is lost, its tag's message says what it
    takes from other runs, and all else is lost.
    """
    run, more = RunRef.of_folder(folder), jsonfile.read_or_none(folder / PREPARING)
    if more is None:
        seed = read_seed(repository.file(commit, SEED_FILE))
        more = {'inputs': input_files.of_tag(repository, run.tag)}
    else:
        seed = more['seed']
    input_files.mark(repository.root, more.get('inputs'), str(run))
    frozen_copy.write(snapshot.read(repository, commit), folder)
    _write_run_json(repository, run, commit, seed, more)


def tag_exists(tag: str) -> str:
    """Return the sentence that refuses a tag's name which is taken."""
    return (
        f'the tag {tag!r} exists: take another name, or `rerun {tag}` runs its code again, '
        f'`continue {tag}` goes on with it'
    )


def _write_run_json(
    repository: Repository,
    run: RunRef,
    commit: str,
    seed: int,
    more: Mapping[str, Any] | None = None,
) -> None:
    folder = run.folder(repository.root)
    more = {**(more or {}), 'seed': seed}
    info = run_json.build(repository.root, run.tag, run.number, commit, **more)
    run_json.write(folder, info)
    (folder / PREPARING).unlink(missing_ok=True)


def _claim(
    repository: Repository, tag: str, commit: str, refs: dict[str, str], more: Mapping[str, Any]
) -> RunRef:
    """Claim an id as a folder and as a ref, and create `refs` with it.

    The folder has `more` before git has the ref: so a run that is killed while it is created can be
    completed. An id whose ref came from somebody else is passed over.
    """
    number = 0
    while True:
        run = _claim_folder(repository, tag, number)
        preparing = run.folder(repository.root) / PREPARING
        jsonfile.write(preparing, more)
        try:
            repository.create_refs({**refs, run.code_ref: commit})
            return run
        except GitError as error:
            preparing.unlink()
            preparing.parent.rmdir()
            if refs and repository.resolve(TAGS + tag):
                raise UserError(tag_exists(tag)) from None
            if not repository.resolve(run.code_ref):
                raise UserError(f'git could not record the run: {error}') from None
            number = run.number + 1


def _claim_folder(repository: Repository, tag: str, first: int) -> RunRef:
    try:
        number, _ = layout.claim(repository.root, tag, first)
    except OSError as error:
        results = layout.result(repository.root)
        raise UserError(f'{results} cannot be written: {error.strerror}') from None
    return RunRef(tag, number)
