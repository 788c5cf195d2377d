"""`tagrun weights`: where it writes, and what it refuses."""

import subprocess
import sys

import pytest
import torch


def test_the_best_weights_go_into_a_file_once(trained, tmp_path):
    path = tmp_path / 'x' / 'model.pt'
    path.parent.mkdir()
    said = trained.tagrun('weights', 'first', '-o', 'model.pt', cwd=path.parent).stderr
    content = torch.load(path, weights_only=True)
    best = trained.statistic('first/0')['best_epoch']
    assert f'model.pt: 6 tensors, 1,098 numbers, of first/0, epoch_{best}.pth' in said
    assert content['metadata']['weights'] in said and len(content['weights']) == 6
    refused = trained.tagrun('weights', 'first', '-o', path, code=1).stderr
    assert refused == f'tagrun: {path} exists: --force replaces it\n'
    trained.tagrun('weights', 'second/0:1', '-o', path, '--force')
    content = torch.load(path, weights_only=True)
    assert content['metadata']['run'] == 'second/0'
    assert [entry.name for entry in path.parent.iterdir()] == ['model.pt']


@pytest.mark.parametrize(
    'words, code, sentence',
    [
        (['first'], 2, '-o/--output is missing'),
        (['first', '-o', 'm.bin'], 2, 'the name ends in .safetensors or .pt'),
        (['first:9', '-o', 'm.pt'], 1, "first/0 has no checkpoint '9'"),
        (['first', '-o', 'none/m.pt'], 1, 'there is no folder'),
    ],
)
def test_what_it_cannot_do_is_one_sentence(trained, words, code, sentence):
    assert sentence in trained.tagrun('weights', *words, code=code).stderr


def test_without_the_package_it_says_what_to_type(trained, tmp_path):
    hidden = 'import sys; sys.modules["safetensors"] = None; sys.argv[0] = {tool!r}; import runpy; '
    program = hidden + 'sys.path[0] = {tool!r}; runpy.run_path({tool!r}, run_name="__main__")'
    tool = str(trained.root / 'code' / 'tagrun')
    words = ['weights', 'first', '-o', str(tmp_path / 'm.safetensors')]
    done = subprocess.run(
        [sys.executable, '-c', program.replace('{tool!r}', repr(tool)), *words],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 1 and 'needs the package safetensors: ' in done.stderr
    assert "requirements-safetensors.txt'" in done.stderr and 'Traceback' not in done.stderr
