"""training/environment.py: what a result may depend on besides code, config and seed."""

import json
import os
import random
import subprocess
import sys

import torch
from project_factory import CODE

from tagrun.store import run_json
from tagrun.training import environment
from tagrun.training.loader import Loader


def test_the_surroundings_have_the_version_of_this_copy_or_none(tmp_path, monkeypatch):
    content = environment.collect(torch.device('cpu'), {})
    assert content['tagrun'] == (CODE / 'tagrun' / 'VERSION').read_text().strip()
    json.dumps(content)
    monkeypatch.setattr(environment, 'VERSION', tmp_path / 'VERSION')
    assert environment.collect(torch.device('cpu'), {})['tagrun'] is None


def test_other_surroundings_than_at_the_first_start_are_named(tmp_path, capsys):
    environment.record(tmp_path, torch.device('cpu'), {})
    assert capsys.readouterr().err == ''
    path = tmp_path / 'environment.json'
    path.write_text(json.dumps({**json.loads(path.read_text()), 'torch': '1.0.0'}))
    environment.record(tmp_path, torch.device('cpu'), {})
    assert 'not as at the first start of this run: torch' in capsys.readouterr().err


def data(loader):
    return environment.collect(torch.device('cpu'), {'train': loader})['data']['train']


def test_a_fingerprint_of_the_data_tells_samples_labels_and_their_number_apart():
    samples = [(torch.full((2,), float(index)), index) for index in range(20)]
    first = data(Loader(samples, 4, seed=1))
    assert first['samples'] == 20 and first == data(Loader(samples, 5, seed=2, shuffle=True))
    other_label = [*samples[:-2], (samples[-2][0], 99), samples[-1]]
    other_value = [(torch.ones(2), 0), *samples[1:]]
    digests = {data(Loader(each, 4, seed=1))['digest'] for each in (other_label, other_value)}
    assert len({first['digest'], *digests}) == 3
    assert data(Loader(samples[:19], 4, seed=1))['samples'] == 19


def test_data_that_cannot_be_read_by_index_has_no_fingerprint():
    class Stream(torch.utils.data.IterableDataset):
        def __iter__(self):
            return iter(range(3))

    assert data(torch.utils.data.DataLoader(Stream())) is data([1, 2]) is data(None) is None


def test_reading_samples_draws_no_random_number_of_the_run():
    class Drawing(torch.utils.data.Dataset):
        def __len__(self):
            return 3

        def __getitem__(self, index):
            return torch.rand(()) + random.random()

    torch.manual_seed(5)
    random.seed(5)
    expected = torch.rand(()).item(), random.random()
    torch.manual_seed(5)
    random.seed(5)
    first = data(Loader(Drawing(), 1, seed=1))
    assert (torch.rand(()).item(), random.random()) == expected
    assert data(Loader(Drawing(), 1, seed=1)) == first


def test_what_the_first_start_wrote_stays(tmp_path):
    assert environment.write(tmp_path, {'torch': '2', 'cores': 2}) == []
    assert environment.write(tmp_path, {'torch': '3', 'cores': 2}) == ['torch']
    assert json.loads((tmp_path / 'environment.json').read_text()) == {'torch': '2', 'cores': 2}


def test_a_fingerprint_that_is_missing_at_one_start_is_no_change(tmp_path):
    first = {'data': {'train': {'samples': 3, 'digest': 'aa'}, 'val': None}}
    assert environment.write(tmp_path, first) == []
    for digest, changed in ((None, []), ('aa', []), ('bb', ['data'])):
        data = {'train': {'samples': 3, 'digest': digest}, 'val': None}
        assert environment.write(tmp_path, {'data': data}) == changed
    assert environment.write(tmp_path, {'data': {}}) == ['data']


def test_what_torch_and_python_were_set_to_is_recorded(tmp_path):
    """In processes of their own, with the hash seed of the run, with another, and with none."""
    for seed, variable in ((4242, '4242'), (4242, '7'), (4242, None)):
        folder = tmp_path / 't1' / str(len(list(tmp_path.glob('t1/*'))))
        folder.mkdir(parents=True)
        run_json.write(folder, run_json.build(tmp_path, 't1', int(folder.name), None, seed))
        code = (
            f'import os, sys, torch; from pathlib import Path; sys.path.append({str(CODE)!r})\n'
            'from tagrun.training import environment, seeding\n'
            "os.environ['PYTHONHASHSEED'] = '4242'\n"
            "seeding.set_determinism('exact')\n"
            f'environment.record(Path({str(folder)!r}), torch.device("cpu"), {{}})'
        )
        environ = {**os.environ, 'PYTHONHASHSEED': variable or 'random'}
        subprocess.run([sys.executable, '-c', code], env=environ, check=True)
        content = json.loads((folder / 'environment.json').read_text())
        assert content['string_hashes'] == {
            'seeded': str(seed) == variable,
            'PYTHONHASHSEED': variable or 'random',
        }
        assert content['determinism']['algorithms'] == 'error'
        assert content['cpu_capability'] == torch.backends.cpu.get_cpu_capability()
