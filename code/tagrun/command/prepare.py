"""Everything between the verb and the training: the side commit, the tag, the claimed id, the snapshot, run.json.

    commit = side_commit(repository, parent, replaced, message)
    folder = new_run(repository, tag, commit, seed, tag_message='why')

Nothing of the user's is touched: no branch, no index, no file. It starts nothing: launch.py does.
"""
import secrets

from tagrun.command import snapshot
from tagrun.command.git import Failed
from tagrun.command.recorded import FURTHER
from tagrun.command.say import Refusal, say
from tagrun.store import layout, run_json

SEED_BITS = 32


def fresh_seed():
    return secrets.randbits(SEED_BITS)


def read_seed(content):
    """The integer of a code/seed file (bytes or None). Raises Refusal."""
    try:
        seed = int(content or b'')
    except ValueError:
        seed = -1
    if not 0 <= seed < 2 ** 63:
        raise Refusal(f'code/seed holds {(content or b"").decode(errors="replace").strip()[:40]!r}; one integer from 0 to 2^63 - 1 belongs there')
    return seed


def another_seed(repository, tag, commit, **more):
    """A new run of `commit` with a fresh seed: a side commit that differs from it by code/seed alone; the run's folder."""
    if not repository.resolve(commit):
        raise Refusal(snapshot.absent(commit))
    seed = fresh_seed()
    tree = repository.write_tree(commit, {'code/seed': f'{seed}\n'.encode()})
    return new_run(repository, tag, repository.commit_tree(tree, commit, f'tagrun: {tag} {FURTHER}\n\nseed {seed}\n'), seed, **more)


def new_run(repository, tag, commit, seed, tag_message=None, **more):
    """Claim the tag's next id for `commit` and put its files there; the run's folder.

    tag_message: create the annotated tag with it, at the commit; creating it is the lock. Raises Refusal if the tag exists.
    more: further keys of run.json.
    """
    files = snapshot.read(repository, commit)
    snapshot.check(files)
    refs = {f'refs/tags/{tag}': repository.make_tag(tag, commit, tag_message)} if tag_message else {}
    number, folder = _claim(repository, tag, commit, refs)
    snapshot.write(files, folder)
    run_json.write(folder, run_json.build(repository.root, tag, number, commit, seed, **more))
    return folder


def complete(repository, folder, commit):
    """The files that a run lacks which was killed while `new_run` prepared it: it is as good as one that never began."""
    seed = read_seed(repository.file(commit, 'code/seed'))
    snapshot.write(snapshot.read(repository, commit), folder)
    run_json.write(folder, run_json.build(repository.root, folder.parent.name, int(folder.name), commit, seed))


def _claim(repository, tag, commit, refs):
    """Claim an id as a folder and as a ref; an id of which somebody else's ref is here already is passed over."""
    number = 0
    while True:
        try:
            number, folder = layout.claim(repository.root, tag, number)
        except OSError as error:
            raise Refusal(f'{layout.result(repository.root)} cannot be written: {error.strerror}') from None
        try:
            repository.create_refs({**refs, f'refs/tagrun/code/{tag}/{number}': commit})
            return number, folder
        except Failed as error:
            folder.rmdir()
            if refs and repository.resolve(f'refs/tags/{tag}'):
                raise Refusal(tag_exists(tag)) from None
            if not repository.resolve(f'refs/tagrun/code/{tag}/{number}'):
                raise Refusal(f'git could not record the run: {error}') from None
            number += 1


def tag_exists(tag):
    return f'the tag {tag!r} exists: take another name, or `rerun {tag}` runs its code again, `continue {tag}` goes on with it'


def tell_mended(paths):
    if paths:
        say(f'tagrun: the frozen code had been changed ({", ".join(paths[:5])}{", …" if len(paths) > 5 else ""}); it is the tag\'s again')
