"""training/fingerprint.py: a look at a data set leaves no trace, and costs no run."""

import json
import os
import signal
import zipfile

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from tagrun.training import throwaway
from tagrun.training.class_names import class_names
from tagrun.training.fingerprint import fingerprints
from tagrun.training.graph import draw
from tagrun.training.loader import Loader

ROWS, WIDTH = 2_000, 1_024


class Rows(Dataset):
    """Row i of a file is WIDTH times i. It is opened when the first sample is read."""

    def __init__(self, path):
        self.path, self.file = path, None

    def __len__(self):
        return ROWS

    def __getitem__(self, index):
        if self.file is None:
            self.file = self.open()
        return torch.tensor([self.read(int(index)), float(index)]), int(index)

    def open(self):
        return open(self.path, 'rb', buffering=0)

    def read(self, index):
        self.file.seek(index * WIDTH * 4)
        content = np.frombuffer(self.file.read(WIDTH * 4), '<f4')
        return float(content[-1]) if len(content) else -1.0


class Buffered(Rows):
    def open(self):
        return open(self.path, 'rb')


class Zipped(Rows):
    """A member of a zip file a row; the zip keeps one file for all of them."""

    def open(self):
        return zipfile.ZipFile(self.path.with_suffix('.zip'))

    def read(self, index):
        return float(np.frombuffer(self.file.read(str(index % 50)), '<f4')[-1]) + index // 50 * 50


class Named(Rows):
    """Its classes are in the file, too."""

    @property
    def classes(self):
        self[0]
        return ['a', 'b']


class Mixed(Rows):
    """Its file is read where only its position says what comes."""

    def read(self, index):
        self.file.seek(0)
        for _ in range(3):
            self.file.seek(index * WIDTH * 4 // 3, os.SEEK_CUR)
        self.file.seek(index * WIDTH * 4 - self.file.tell(), os.SEEK_CUR)
        return float(np.frombuffer(self.file.read(WIDTH * 4), '<f4')[-1])


@pytest.fixture(scope='module')
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp('data') / 'rows'
    rows = np.arange(ROWS, dtype='<f4')
    rows.repeat(WIDTH).tofile(path)
    with zipfile.ZipFile(path.with_suffix('.zip'), 'w') as archive:
        for index in range(50):
            archive.writestr(str(index), rows[index].repeat(WIDTH).tobytes())
    return path


@pytest.mark.parametrize('kind', [Rows, Buffered, Zipped, Named, Mixed])
def test_a_file_that_opens_at_the_first_sample_is_opened_by_each_worker(path, kind):
    dataset = kind(path)
    loader = Loader(dataset, 50, seed=7, shuffle=True, stochastic=False, num_workers=3)
    loaders = {'train': loader, 'val': Loader(dataset, 50, seed=7)}
    expected = {'samples': ROWS, 'digest': fingerprints({'x': [1], 'y': loader})['y']['digest']}
    assert fingerprints(loaders) == {'train': expected, 'val': expected}
    assert class_names(loaders)['val'] == (['a', 'b'] if kind is Named else None)
    assert draw(torch.nn.Linear(2, 2), loaders['val'], torch.device('cpu'))[1] == ''
    assert dataset.file is None
    rows = torch.cat([x for x, _ in loader])
    assert len(rows) == ROWS and torch.equal(rows[:, 0], rows[:, 1])


def test_a_file_that_was_open_before_is_where_it_was(path):
    dataset = Rows(path)
    dataset.file = dataset.open()
    dataset.file.seek(40)
    result = fingerprints({'train': Loader(dataset, 50, seed=7)})['train']
    assert result == fingerprints({'train': Loader(Rows(path), 50, seed=7)})['train']
    assert dataset.file.tell() == 40
    dataset.file.close()


def die(_):
    os.kill(os.getpid(), signal.SIGSEGV)


class Keyed(Dataset):
    """Its keys are strings; or `read` does what a test wants."""

    def __init__(self, read=None):
        self.read, self.samples = read, {f'cat {index}': index for index in range(5)}

    def __len__(self):
        return 5

    def __getitem__(self, key):
        return self.samples[key] if self.read is None else self.read(key)


def hang(_):
    signal.pause()


@pytest.mark.parametrize(
    'read, reason',
    [
        (None, 'KeyError: 0'),
        (die, 'crashed (SIGSEGV)'),
        (lambda _: os._exit(3), 'exit code 3'),
        (hang, 'took longer than 0.5 s'),
        (lambda _: exec('raise MemoryError'), 'MemoryError'),
    ],
)
def test_data_that_cannot_be_read_by_number_have_no_digest_and_that_is_said(
    read, reason, capsys, monkeypatch
):
    seconds = 0.5 if read is hang else 60
    monkeypatch.setattr(throwaway.collect, '__defaults__', (seconds,))
    loaders = {'val': [1], 'train': DataLoader(Keyed(read), sampler=['cat 1'])}
    assert fingerprints(loaders) == {'val': None, 'train': {'samples': 5, 'digest': None}}
    said = ' '.join(capsys.readouterr().err.split())
    assert 'the data of train get no fingerprint' in said and reason in said
    assert said.count('tagrun:') == 1


def test_one_data_set_that_fails_leaves_the_others_theirs():
    samples = [(torch.ones(2), 1)] * 4
    loaders = {'train': DataLoader(Keyed()), 'val': Loader(samples, 2, seed=1)}
    assert fingerprints(loaders)['val']['digest'] is not None
    loaders = {'val': Loader(samples, 2, seed=1), 'train': DataLoader(Keyed(die))}
    assert fingerprints(loaders)['val']['digest'] is not None


LAZY = '''

class Rows(Dataset):
    """Row i of the file is i. It is opened when the first sample is read."""
    file = None

    def __len__(self):
        return 4000

    def __getitem__(self, index):
        if self.file is None:
            self.file = open(DATA / 'rows', 'rb', buffering=0)
        self.file.seek(int(index) * 4096)
        row = np.frombuffer(self.file.read(4096), '<i8')
        return torch.full((40,), float(row[-1])), torch.tensor(int(index))


def build_loaders(args):
    rows = Rows()
    options = {'seed': args.seed, 'stochastic': False, 'num_workers': 4}
    return {
        phase: Loader(rows, 50, shuffle=phase == 'train', **options)
        for phase in ('train', 'val', 'test')
    }
'''


def test_each_of_24000_samples_of_a_run_is_its_own_indexs(project):
    np.arange(4000, dtype='<i8').repeat(512).tofile(project.root / '__data__' / 'rows')
    path = project.root / 'code' / 'dataloader.py'
    path.write_text(path.read_text() + LAZY)
    step = '            with torch.autocast('
    count = (
        '            counts = len(y), int((x[:, 0].long() != y).sum())\n'
        "            with open(run.folder / 'counts', 'a') as file:\n"
        "                print(*counts, file=file)\n"
        '            x, y = x / 4000, y % 10\n'
    )
    project.edit('epoch.py', step, count + step)
    project.tagrun('run', 't1', '--set', 'model=linear', 'epochs=2')
    lines = (project.folder('t1/0') / 'counts').read_text().splitlines()
    counts = [list(map(int, line.split())) for line in lines]
    assert [sum(column) for column in zip(*counts, strict=True)] == [24_000, 0]
    environment = json.loads((project.folder('t1/0') / 'environment.json').read_text())
    assert environment['data']['train']['digest'] == environment['data']['val']['digest']
