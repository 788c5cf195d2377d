"""checkpoint/: epoch_<n>.pth, the links epoch_last.pth and epoch_best.pth, and SHA256SUMS.

    sha256sum -c SHA256SUMS              (in the folder: what Tagrun itself checks before it loads)
    name = named(folder, 'best')         # 'epoch_3.pth'

A file that SHA256SUMS does not list was not finished and does not count. The list is in the order
of writing: the last line is the newest. epoch_3.pth holds the state after the third epoch;
epoch_4_train_250.pth the fourth one's, after 250 batches of its phase `train`. epoch_3.shards/
holds the weights that several processes divided among them; epoch_3.pth has the digests of its
files. What NEEDED names (needed.py) stays: epoch_5_8f75c398.pth is such a checkpoint, of a run that
came to its fifth epoch a second time.
"""

import errno
import hashlib
import re
import shutil
import zipfile
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path

from tagrun.store import atomic, needed, safe_read

FOLDER = 'checkpoint'
SUMS = 'SHA256SUMS'
NO_FILE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP)
LAST, BEST = 'epoch_last.pth', 'epoch_best.pth'
FILE = re.compile(r'epoch_[\w.-]+\.pth')
LINE = re.compile(rf'([0-9a-f]{{64}})  ({FILE.pattern})')
LONGEST = 40  # characters of a phase in a file's name
TRIES = 100  # a run at work may remove what was just named


def name_within(epoch: int, phase: str, batch: int) -> str:
    """Return the name of a save in the middle of an epoch: 'epoch_4_train_250.pth'.

    A phase of other characters than file names have, or a very long one, gets a checksum.
    """
    part = re.sub(r'[^A-Za-z0-9_.-]', '-', phase)[:LONGEST]
    if part != phase or not phase:
        part = f'{part}-{zlib.crc32(phase.encode("utf-8", "surrogatepass")):08x}'
    return f'epoch_{epoch}_{part}_{batch}.pth'


def is_own_name(stem: str) -> bool:
    """Return whether training names a save so: 'epoch_3', or 'epoch_4_train_250' in mid-epoch."""
    return bool(re.fullmatch(r'epoch_\d+(_.+_\d+)?', stem))


def listed(folder: str | Path) -> dict[str, str]:
    """Return {file name: SHA-256}, oldest first, of a run's finished checkpoints.

    Those that are not there any more are left out; {} where there is no list.
    """
    directory = Path(folder) / FOLDER
    try:
        lines = safe_read.read_bytes(directory / SUMS).decode('ascii', 'replace').splitlines()
    except ValueError:
        return {}
    except OSError as error:
        # an unreadable disk is another matter: without checkpoints the run would begin anew
        if error.errno not in NO_FILE:
            raise
        return {}
    sums = {}
    for line in lines:
        match = LINE.fullmatch(line)
        if match and (directory / match[2]).is_file():
            sums[match[2]] = match[1]
    return sums


def lost_list(folder: str | Path) -> list[str]:
    """Return the checkpoints of a run whose SHA256SUMS is gone, the oldest first; else [].

    A first save that was killed leaves one file, and no link: it was never listed.
    """
    directory = Path(folder) / FOLDER
    try:
        if (directory / SUMS).stat().st_size == 0 or listed(folder):
            return []
    except OSError as error:
        if error.errno not in NO_FILE:
            raise
    paths = [path for path in directory.glob('epoch_*.pth') if path.is_file()]
    files = [path for path in paths if not path.is_symlink() and FILE.fullmatch(path.name)]
    was_listed = len(files) > 1 or any(path.is_symlink() for path in paths)
    return [path.name for path in sorted(files, key=_age)] if was_listed else []


def restore_list(folder: str | Path) -> list[str]:
    """Write SHA256SUMS again, of those of `lost_list` that are whole; return their names.

    Each is read whole: torch.save keeps a CRC-32 of each part. Training compares those of shards
    itself. Raises ValueError where not one is whole.
    """
    directory = Path(folder) / FOLDER
    whole = [name for name in lost_list(folder) if is_whole(directory / name)]
    if not whole:
        raise ValueError(f'no checkpoint in {directory} is whole')
    write_sums(folder, {name: digest(directory / name) for name in whole})
    return whole


def is_whole(path: Path) -> bool:
    """Return whether a file is an archive of torch.save of which each part has its CRC-32."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    # RuntimeError: a kind of archive that Python cannot read
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError):
        return False


def _age(path: Path) -> tuple[int, bool, int, float]:
    """Return what sorts saves: epochs that are done, whether one is under way, and how far."""
    numbers = [int(number) for number in re.findall(r'\d+', path.stem)] or [0]
    is_within = bool(re.fullmatch(r'epoch_\d+_.+_\d+', path.stem))
    done = numbers[0] - is_within
    return done, is_within, int(path.stat().st_mtime), numbers[-1]


def write_sums(folder: str | Path, sums: Mapping[str, str]) -> None:
    """Write which checkpoints count, {file name: SHA-256}: the commit point of a save."""
    text = ''.join(f'{digest}  {name}\n' for name, digest in sums.items())
    atomic.write(Path(folder) / FOLDER / SUMS, text)


def forget_after(folder: str | Path, name: str) -> None:
    """Drop from the list what is newer than `name`: a run that goes on from it makes it again.

    What another run needs stays, before the others: `name` is the newest then.
    """
    sums = listed(folder)
    names = list(sums)
    older, newer = names[: names.index(name) + 1], names[names.index(name) + 1 :]
    if newer:
        shorten(folder, {each: sums[each] for each in [*newer, *older]}, older)


def shorten(folder: str | Path, sums: Mapping[str, str], keep: Collection[str]) -> set[str]:
    """Write a list of those of `sums` that are in `keep`, or that another run needs.

    Returns the names of the others: they may be removed.
    """
    directory = Path(folder) / FOLDER
    stays = _staying(sums, keep, needed.digests(directory))
    write_sums(folder, stays)
    # again: who came to need one meanwhile may have seen it listed
    later = _staying(sums, stays, needed.digests(directory))
    if later != stays:
        write_sums(folder, later)
    return set(sums) - set(later)


def _staying(
    sums: Mapping[str, str], keep: Collection[str], needed_now: set[str]
) -> dict[str, str]:
    return {name: sums[name] for name in sums if name in keep or sums[name] in needed_now}


def make_way(folder: str | Path, name: str) -> None:
    """Drop `name` from the list, for it is written again: until the new one is whole there is none.

    Where another run needs it, it stays under another name.
    """
    sums = listed(folder)
    if name not in sums:
        return
    directory, digest_before = Path(folder) / FOLDER, sums.pop(name)
    write_sums(folder, sums)
    if digest_before not in needed.digests(directory):
        return
    other = f'{Path(name).stem}_{digest_before[:8]}.pth'
    copy(directory / name, directory / other)
    write_sums(folder, {other: digest_before, **sums})


def copy(path: Path, target: Path) -> None:
    """Put a checkpoint, with its folder of shards, under another name, as hard links if it can."""
    remove(target)
    atomic.copy(path, target)
    copy_shards(path, target)


def copy_shards(path: Path, target: Path) -> None:
    """Put the folder of shards of a checkpoint beside another one, if there is one."""
    parts = path.with_name(shards(path.name))
    if parts.is_dir():
        new = target.with_name(shards(target.name))
        remove(new)
        shutil.copytree(parts, new, copy_function=atomic.copy)


def shards(name: str) -> str:
    """Return the folder beside a checkpoint that several processes divided: 'epoch_3.shards'."""
    return f'{Path(name).stem}.shards'


def remove(path: Path) -> None:
    """Remove a file, or a folder of shards, if there is one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def digest(path: str | Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    state, chunk = hashlib.sha256(), bytearray(1 << 20)
    with safe_read.open_file(path) as file:
        while count := file.readinto(chunk):
            state.update(memoryview(chunk)[:count])
    return state.hexdigest()


def newest(folder: str | Path) -> str | None:
    """Return the name of the newest finished checkpoint, or None."""
    return next(reversed(listed(folder)), None)


def named(folder: str | Path, which: str) -> str | None:
    """Return the file name of a finished checkpoint; None where there is no such one.

    which: 'best', 'last', the number of an epoch ('3'), or the file's name ('epoch_3.pth' or
    'epoch_3').
    """
    if which in ('best', 'epoch_best', BEST):
        return best(folder)
    if which in ('last', 'epoch_last', LAST):
        return newest(folder)
    stem = f'epoch_{which}' if which.isdecimal() else which.removesuffix('.pth')
    name = f'{stem}.pth'
    return name if name in listed(folder) else None


def best(folder: str | Path) -> str | None:
    """Return the name of the best epoch's checkpoint (what epoch_best.pth points to), or None."""
    link = Path(folder) / FOLDER / BEST
    if not link.is_symlink():
        return None
    name = link.readlink().name
    return name if name in listed(folder) else None


def with_digest(folder: str | Path, name: str, sha256: str) -> str | None:
    """Return the name of the listed checkpoint with this SHA-256, or else `name` if it is listed.

    A run that came to the same epoch a second time has another file of that name.
    """
    sums = listed(folder)
    if sums.get(name) == sha256:
        return name
    others = (other for other, digest_of in sums.items() if digest_of == sha256)
    return next(others, name if name in sums else None)


def reserve(folder: str | Path, which: str, run: str | None = None) -> tuple[str, str] | None:
    """Return (file name, SHA-256) of a checkpoint, which from now on is kept for `run`.

    which: as in `named`. run: its name; None: it is not recorded yet. None where there is no such
    checkpoint.
    """
    directory = Path(folder) / FOLDER
    for _ in range(TRIES):
        chosen = with_sum(folder, which)
        if chosen is None:
            return None
        if run:
            needed.add(directory, *chosen, run)
        else:
            needed.hold(directory, *chosen)
        if listed(folder).get(chosen[0]) == chosen[1]:
            return chosen
    return None


def with_sum(folder: str | Path, which: str) -> tuple[str, str] | None:
    """Return (file name, SHA-256) of a checkpoint, as SHA256SUMS has it; None without one."""
    name = named(folder, which)
    digest_of = listed(folder).get(name or '')
    return (name, digest_of) if name and digest_of else None
