"""Each recipe, as `recipe --apply` leaves it: read, trained, killed, continued and run again."""

import json
import re
import subprocess
import sys

import pytest
from campaign import Runs, kills, reruns
from project_factory import CODE, fresh_project
from recipe_project import NAMES, make_recipe

from tagrun.core import recipes
from tagrun.core.environment import check

WITHOUT_WORKERS = ('reinforcement',)  # no DataLoader gets the other number of workers
LONGEST_SENTENCE, WIDTH = 62, 80
MOST_LINES = 300  # that a reader has before him, patches too: five minutes


@pytest.fixture
def root(tmp_path):
    return tmp_path / "a 'b; c"


@pytest.mark.parametrize('count', [2, pytest.param(10, marks=pytest.mark.slow)])
@pytest.mark.parametrize('name', NAMES)
def test_a_recipe_killed_anywhere_ends_with_the_same_bits_and_so_does_its_rerun(
    name, count, root, data
):
    project = make_recipe(root, name, data)
    with Runs(project) as runs:
        assert EXPECTED.get(name, is_trained)(project)
        tally = kills(runs, count, seed=NAMES.index(name))
        assert tally.tried == count and not tally.bad
        assert not reruns(runs, 1).bad


def is_trained(project):
    return bool(project.statistic('t1/0')['metric'])


def has_all_stages(project):
    stages = [float(row['train/stage']) for row in project.outcome('t1/0')['history']]
    return stages == sorted(stages) and {0, 1, 2} <= set(stages)


def has_a_column_for_each_class(project):
    history = project.outcome('t1/0')['history']
    rates = {row['lr'] for row in history}
    return {f'val/f1/{digit}' for digit in range(10)} <= set(history[0]) and len(rates) > 1


def has_samples(project):
    texts = (project.folder('t1/0') / 'samples.txt').read_text()
    return len(texts) > 1000 and 'lr_vectors' in project.outcome('t1/0')['history'][0]


def has_its_input(project):
    info = json.loads((project.folder('t1/0') / 'run.json').read_text())
    return set(info['inputs']) == {'pre/0'}


EXPECTED = {
    'pipelines': has_all_stages,
    'metrics': has_a_column_for_each_class,
    'language-model': has_samples,
    'two-stage': has_its_input,
}


@pytest.mark.slow
@pytest.mark.parametrize('name', NAMES)
def test_selftest_calls_a_recipe_exact(name, root, data):
    project = make_recipe(root, name, data)
    words = ('--json', '--kills', '3', '--seed', '1', '--steps', '48')
    checks = json.loads(project.tagrun('selftest', *words).stdout)['checks']
    assert checks['rerun']['exact'] and checks['resume']['exact']
    assert ('untested' in checks['workers']) == (name in WITHOUT_WORKERS)


def test_the_folds_are_equal_parts_and_the_same_with_every_seed(root, data):
    project = fresh_project(root, data)
    project.tagrun('recipe', 'k-fold', '--apply')
    script = """
import config, dataloader, types
args = {name: value for name, value in vars(config).items() if name[0] != '_'}
for seed in (1, 2):
    samples = []
    for fold in range(config.folds):
        values = {**args, 'fold': fold, 'seed': seed}
        loaders = dataloader.build_loaders(types.SimpleNamespace(**values))
        parts = {name: set(map(bytes, loaders[name].dataset.dataset.x.numpy())) for name in loaders}
        assert not parts['train'] & parts['val'] and len(parts['train']) == 3200
        samples += sorted(parts['val'])
    print(len(set(samples)), hash(tuple(samples)))
"""
    printed = python(project, script).split('\n')
    assert printed[0] == printed[1] and printed[0].startswith('4000 ')


def test_an_experiments_file_takes_arguments_and_names_what_it_does_not_find(root, data):
    project = fresh_project(root, data)
    project.tagrun('recipe', 'registry', '--apply')
    script = """
import config, model, registry, types
args = {name: value for name, value in vars(config).items() if name[0] != '_'}
def network(**values):
    return model.build_model(types.SimpleNamespace(**{**args, **values}))
print(network(channels=7)[1].out_channels)
folder = registry.FOLDER
(folder / 'a.yaml').write_text('model: {name: cn}')
(folder / 'b.yaml').write_text('model: {name: mlp, hidden: $hiden, dropout: 0}')
for name in ('none', 'a', 'b'):
    try:
        network(experiment=name)
    except ValueError as error:
        print(error)
"""
    channels, *errors = python(project, script).splitlines()
    assert channels == '7'
    assert errors == [
        "config.py: experiment is 'none'; one of a, b, mixed, perceptron, plain",
        "a.yaml: model is 'cn'; one of linear, mlp, cnn, Gru",
        "b.yaml: $hiden: config.py has no argument 'hiden'",
    ]


def python(project, script):
    """Run a script beside the project's files, in the project's folder; what it printed."""
    done = subprocess.run(
        [sys.executable, '-c', script],
        cwd=project.root,
        env={**project.env, 'PYTHONPATH': str(project.root / 'code'), 'PYTHONHASHSEED': '1'},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize('name', NAMES)
def test_a_recipe_can_be_read_in_five_minutes(name):
    recipe = recipes.find(name)
    assert recipe.sentence and len(recipe.sentence) <= LONGEST_SENTENCE
    readme = recipe.readme()
    assert max(map(len, readme.splitlines())) <= WIDTH
    assert recipe.commands() and 'What comes out' in readme and 'FIGURES' not in readme
    lines = [content.count(b'\n') for content in recipe.files().values()]
    patch = recipe.folder / recipes.PATCH
    if patch.exists():
        lines += [line[0] in '+-' for line in patch.read_text().splitlines()]
    assert sum(lines) <= MOST_LINES


@pytest.mark.parametrize('name', NAMES)
def test_a_recipes_files_hide_no_module_and_its_pins_are_those_of_the_tests(name):
    recipe = recipes.find(name)
    modules = {path.removesuffix('.py') for path in recipe.files() if path.endswith('.py')}
    assert not modules & set(sys.stdlib_module_names)
    pins = (check.read_or_none(recipe.folder / recipes.REQUIREMENTS) or '').splitlines()
    tested = [line for file in CODE.glob('requirements-*.txt') for line in file.read_text().split()]
    assert {pin for pin in pins if not pin.startswith('#')} <= set(tested)


HOOKS = CODE / 'tagrun' / 'recipes' / 'hooks.md'


def test_the_lines_that_hooks_md_quotes_are_in_the_templates_files():
    rows = [row for row in HOOKS.read_text().splitlines() if row.startswith('| `')]
    assert len(rows) == 10
    for row in rows:
        _, _, file, line, _ = re.split(r' ?\| ?', row, maxsplit=4)
        text = (CODE / file.strip('`')).read_text()
        assert line.strip('`') in text, row
