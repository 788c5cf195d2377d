"""Checkpoints that are damaged, foreign or no files, X12: none is loaded, and no pickle runs."""

import io
import pickle
import tarfile
import zipfile
from argparse import Namespace

import pytest
from hostile_inputs import Evil, inputs, plant

from tagrun.store import checkpoints


def damaged(good):
    """Return {what: bytes} of files that are not checkpoints of ours, made of one that is."""
    contents = {f'cut at {part} of 16': good[: len(good) * part // 16] for part in range(16)}
    for part in range(16):
        at = len(good) * part // 16
        flipped = good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :]
        contents[f'a bit flipped at {part} of 16'] = flipped
    for part in range(4):
        at = len(good) * part // 4
        contents[f'a page of zeros at {part} of 4'] = good[:at] + bytes(512) + good[at + 512 :]
    return contents


DAMAGES = [*damaged(bytes(4096)), 'longer', 'empty']
FOREIGN = [
    'a pickle',
    'a pickle in a zip',
    'a legacy file',
    'a tar',
    'text',
    'a zip of nothing',
    'a zip bomb',
    'a zip with ../',
    'a string of an import path',
    'a class of ours',
    'eval by name',
]


@pytest.fixture(scope='module')
def good(tmp_path_factory):
    """The bytes of a checkpoint."""
    import torch

    path = tmp_path_factory.mktemp('good') / 'epoch_1.pth'
    torch.save({'state': {'model': {'w': torch.arange(1, 301.0)}}, 'random': None}, path)
    return path.read_bytes()


@inputs('X12 damaged checkpoints', 'what', DAMAGES)
def test_a_damaged_checkpoint_is_named_and_never_loaded(tmp_path, good, what):
    from tagrun.training import checkpoint

    content = {**damaged(good), 'longer': good + b'\0', 'empty': b''}[what]
    put(tmp_path, content, good)
    with pytest.raises(ValueError, match='epoch_1.pth is damaged'):
        checkpoint.load(tmp_path, 'epoch_1.pth')


@inputs('X12 foreign checkpoints', 'what', FOREIGN)
def test_a_foreign_checkpoint_runs_nothing_even_where_its_sum_is_right(
    tmp_path, good, what, monkeypatch
):
    from tagrun.training import checkpoint

    monkeypatch.chdir(tmp_path)
    content = foreign(what, good)
    put(tmp_path, content, content)
    try:
        loaded = checkpoint.load(tmp_path, 'epoch_1.pth')
    except (ValueError, RuntimeError, OSError, pickle.UnpicklingError, EOFError, KeyError):
        loaded = None
    assert not (tmp_path / 'PWNED').exists()
    assert loaded is None or (
        what == 'a string of an import path'
        and loaded == {'_instantiator': 'os.system', 'x': 'touch PWNED'}
    )


@inputs('X12 checkpoints that are no files', 'what', ['FIFO', 'FOLDER', 'LOOP', 'DEVICE'])
def test_a_checkpoint_that_is_no_file_does_not_count(tmp_path, what):
    put(tmp_path, b'', b'x')
    plant(tmp_path / 'checkpoint' / 'epoch_1.pth', what)
    assert checkpoints.listed(tmp_path) == {}


def put(folder, content, summed):
    """A run's folder with one checkpoint, and the sum of `summed`."""
    (folder / 'checkpoint').mkdir()
    (folder / 'checkpoint' / 'epoch_1.pth').write_bytes(summed)
    checkpoints.write_sums(
        folder, {'epoch_1.pth': checkpoints.digest(folder / 'checkpoint' / 'epoch_1.pth')}
    )
    (folder / 'checkpoint' / 'epoch_1.pth').write_bytes(content)


def foreign(what, good):
    """The bytes of a file that torch may be given for a checkpoint."""
    import torch

    buffer = io.BytesIO()
    if what == 'a pickle':
        return pickle.dumps(Evil())
    if what == 'a pickle in a zip':
        torch.save(Evil(), buffer)
    elif what == 'a legacy file':
        torch.save({'x': Evil()}, buffer, _use_new_zipfile_serialization=False)
    elif what == 'a tar':
        with tarfile.open(fileobj=buffer, mode='w') as archive:
            for name in ('sys_info', 'pickle', 'storages', 'tensors'):
                member = tarfile.TarInfo(name)
                member.size = len(pickle.dumps(Evil()))
                archive.addfile(member, io.BytesIO(pickle.dumps(Evil())))
    elif what == 'text':
        return b'#!/bin/sh\ntouch PWNED\n'
    elif what in ('a zip of nothing', 'a zip bomb', 'a zip with ../'):
        with zipfile.ZipFile(buffer, 'w', zipfile.ZIP_DEFLATED) as archive:
            if what == 'a zip bomb':
                archive.writestr('archive/data.pkl', bytes(200 << 20))
            elif what == 'a zip with ../':
                archive.writestr('../PWNED', b'x')
    elif what == 'a string of an import path':
        torch.save({'_instantiator': 'os.system', 'x': 'touch PWNED'}, buffer)
    elif what == 'a class of ours':
        torch.save({'x': Namespace(a=1)}, buffer)
    else:
        with zipfile.ZipFile(buffer, 'w') as archive:
            archive.writestr(
                'archive/data.pkl',
                b"cbuiltins\neval\n(S'__import__(\"os\").system(\"touch PWNED\")'\ntR.",
            )
            archive.writestr('archive/version', b'3\n')
    return buffer.getvalue()
