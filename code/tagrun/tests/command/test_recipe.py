"""The command recipe: it lists, shows and applies; recipes/test_recipes.py trains each."""

import json

import pytest
from project_factory import fresh_project


@pytest.fixture
def fresh(tmp_path, data):
    return fresh_project(tmp_path / "a 'b; c", data)


def test_it_lists_shows_and_applies_a_recipe(fresh):
    listed = fresh.tagrun('recipe')
    assert {'gan', 'k-fold', 'metrics'} <= {line.split()[0] for line in listed.stdout.splitlines()}
    assert max(map(len, listed.stdout.splitlines())) <= 80
    sentences = json.loads(fresh.tagrun('recipe', '--json').stdout)
    assert all(sentence in listed.stdout for sentence in sentences.values())
    shown = fresh.tagrun('recipe', 'metrics').stdout
    assert shown.startswith(f'# {sentences["metrics"]}\n') and 'code/requirements.txt' in shown
    assert '5 files changed' in shown
    files = json.loads(fresh.tagrun('recipe', 'metrics', '--json').stdout)['files']
    assert '+torchmetrics==' in fresh.tagrun('recipe', 'metrics', '--diff').stdout
    assert fresh.git('status', '--porcelain') == ''
    said = fresh.tagrun('recipe', 'metrics', '--apply').stderr
    assert said.startswith('metrics: code/config.py') and 'run scores' in said
    assert 'packages ' in said
    changed = [line[3:] for line in fresh.git('status', '--porcelain').splitlines()]
    assert changed == files == [path for path in files if path in said]


def test_refusals_say_what_to_type(fresh):
    assert 'need the name' in fresh.tagrun('recipe', '--apply', code=2).stderr
    assert "Did you mean 'gan'" in fresh.tagrun('recipe', 'gna', code=1).stderr
    with open(fresh.root / 'code' / 'config.py', 'a') as file:
        file.write('\nmine = 1  # an argument\n')
    refused = fresh.tagrun('recipe', 'gan', '--apply', code=1)
    assert 'not committed: code/config.py. Commit first: git add -A && git commit' in refused.stderr
    fresh.commit('mine')
    # it fits all the same, and the argument stays
    fresh.tagrun('recipe', 'gan', '--apply')
    assert 'mine = 1' in (fresh.root / 'code' / 'config.py').read_text()
