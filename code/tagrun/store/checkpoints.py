"""checkpoint/: epoch_<n>.pth files, the links epoch_last.pth and epoch_best.pth, and SHA256SUMS, which says what counts.

    sha256sum -c SHA256SUMS              (in the folder: what Tagrun itself checks before it loads)

A file that SHA256SUMS does not list was not finished and is nothing. The list is in the order of writing: the last line is the newest.
epoch_3.pth holds the state after the third epoch; epoch_4_train_250.pth the fourth one's, after 250 batches of its phase `train`.
epoch_3.shards/ holds the weights that several processes divided among them; epoch_3.pth has the digests of its files.
"""
import errno
import hashlib
import re
import shutil
from pathlib import Path

from tagrun.store import atomic, reading

FOLDER = 'checkpoint'
SUMS = 'SHA256SUMS'
NO_FILE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP)
LAST, BEST = 'epoch_last.pth', 'epoch_best.pth'


def listed(folder):
    """{file name: SHA-256}, oldest first, of the checkpoints of a run's folder that were finished and are there; {} where no list says so."""
    place = Path(folder) / FOLDER
    try:
        lines = reading.regular(place / SUMS).decode('ascii', 'replace').splitlines()
    except ValueError:
        return {}
    except OSError as error:
        if error.errno not in NO_FILE:  # an unreadable disk is another matter: "none" would begin the run anew
            raise
        return {}
    pairs = (re.fullmatch(r'([0-9a-f]{64})  (epoch_[\w.-]+\.pth)', line) for line in lines)
    return {pair[2]: pair[1] for pair in pairs if pair and (place / pair[2]).is_file()}


def write_sums(folder, sums):
    """Say what counts: the commit point of a save."""
    text = ''.join(f'{digest}  {name}\n' for name, digest in sums.items())
    atomic.write(Path(folder) / FOLDER / SUMS, text)


def forget_after(folder, name):
    """Drop from the list what is newer than `name`: a run that goes on from there makes it again."""
    sums = listed(folder)
    names = list(sums)
    if names[-1] != name:
        write_sums(folder, {one: sums[one] for one in names[:names.index(name) + 1]})


def shards(name):
    """The folder that a checkpoint has beside it where its model was divided over several processes: 'epoch_3.shards'."""
    return f'{Path(name).stem}.shards'


def remove(path):
    """A file, or a folder of shards; nothing where there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def digest(path):
    """The SHA-256 of a file, in hexadecimal."""
    state, chunk = hashlib.sha256(), bytearray(1 << 20)
    with reading.opened(path) as file:
        while count := file.readinto(chunk):
            state.update(memoryview(chunk)[:count])
    return state.hexdigest()


def newest(folder):
    """Name of the newest finished checkpoint, or None."""
    return next(reversed(listed(folder)), None)


def best(folder):
    """Name of the best epoch's checkpoint (what epoch_best.pth points to), or None."""
    link = Path(folder) / FOLDER / BEST
    name = link.readlink().name if link.is_symlink() else None
    return name if name in listed(folder) else None
