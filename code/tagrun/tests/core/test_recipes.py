"""core/recipes.py: what a recipe makes of a commit, written as a whole or not at all."""

import errno
import os

import pytest
import small_repository

from tagrun.core import recipes
from tagrun.core.cli.messages import UserError
from tagrun.core.git.repository import Repository
from tagrun.store import atomic

CONFIG = 'lr = 0.1\nsteps = 3\n'
PATCH = """diff --git a/code/config.py b/code/config.py
--- a/code/config.py
+++ b/code/config.py
@@ -1,2 +1,2 @@
-lr = 0.1
+lr = 0.2
 steps = 3
diff --git a/code/old.py b/code/old.py
deleted file mode 100644
--- a/code/old.py
+++ /dev/null
@@ -1 +0,0 @@
-old = 1
"""
FILES = {
    'README.md': '# a sentence about it\n\nWhy.\n\n    run it\n    itb it\n\nOr:\n\n    no\n',
    'changes.patch': PATCH,
    'removed.txt': 'gone.py\nnever.py\n',
    'main.py': 'print(2)\n',
    'parts/more.yaml': 'a: 1\n',
    'requirements.txt': '# why\nPyYAML==6.0.3\nNumPy==9.9\n',
}


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """The recipe `other`, with a file of each kind."""
    monkeypatch.setattr(recipes, 'FOLDER', tmp_path / 'recipes')
    for name, text in FILES.items():
        path = tmp_path / 'recipes' / 'other' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return recipes.find('other')


def made(tmp_path, below=''):
    """Return a project that is as the recipe expects it; `below` the top of its repository."""
    root = small_repository.make(tmp_path, below)
    (root / 'code' / 'config.py').write_text(CONFIG)
    (root / 'code' / 'old.py').write_text('old = 1\n')
    (root / 'code' / 'gone.py').write_text('gone = 1\n')
    (root / 'code' / 'requirements.txt').write_text('numpy==2.4.6')
    small_repository.commit(root, 'the template')
    return Repository.at(root)


@pytest.fixture
def repository(tmp_path):
    return made(tmp_path)


def contents(repository):
    files = [path for path in (repository.root / 'code').rglob('*') if path.is_file()]
    return {path.relative_to(repository.root).as_posix(): path.read_text() for path in files}


WRITTEN = {
    'code/config.py': 'lr = 0.2\nsteps = 3\n',
    'code/main.py': 'print(2)\n',
    'code/parts/more.yaml': 'a: 1\n',
    'code/requirements.txt': 'numpy==2.4.6\nPyYAML==6.0.3\n',
}


@pytest.mark.parametrize('below', ['', 'research/o n e'])
def test_whole_files_patch_and_requirements_are_written_and_nothing_else(tmp_path, recipe, below):
    repository = made(tmp_path, below)
    change = recipes.plan(repository, recipe)
    assert contents(repository)['code/config.py'] == CONFIG
    assert set(change.after) == {*WRITTEN, 'code/old.py', 'code/gone.py'}
    recipes.apply(repository, change)
    assert contents(repository) == WRITTEN
    stat = repository.diff(change.head, change.tree, 'code', form='--stat=78')
    assert '6 files changed' in stat and 'code/old.py' in stat


def test_a_recipe_has_a_sentence_and_what_to_type(recipe):
    assert recipes.listed() == [recipe]
    assert recipe.sentence == 'a sentence about it'
    assert recipe.commands() == ['run it', 'itb it']
    assert set(recipe.files()) == {'main.py', 'parts/more.yaml'}


@pytest.mark.parametrize('path', ['config.py', 'main.py', 'old.py', 'parts/more.yaml'])
def test_work_that_is_not_committed_is_named_and_nothing_is_written(repository, recipe, path):
    file = repository.root / 'code' / path
    file.parent.mkdir(exist_ok=True)
    file.write_text('mine = 1\n')
    (repository.directory / 'info' / 'exclude').write_text('*.yaml\n')
    small_repository.git(repository.root, 'update-index', '--assume-unchanged', 'code/main.py')
    before = contents(repository)
    with pytest.raises(UserError, match=f'not committed: code/{path}. Commit first'):
        recipes.apply(repository, recipes.plan(repository, recipe))
    assert contents(repository) == before


def test_other_work_may_be_uncommitted(repository, recipe):
    (repository.root / 'code' / 'new.py').write_text('mine = 1\n')
    recipes.apply(repository, recipes.plan(repository, recipe))
    assert contents(repository) == {**WRITTEN, 'code/new.py': 'mine = 1\n'}


def test_it_is_applied_once(repository, recipe):
    change = recipes.plan(repository, recipe)
    recipes.apply(repository, change)
    with pytest.raises(UserError, match='have it already, not committed'):
        recipes.apply(repository, recipes.plan(repository, recipe))
    small_repository.commit(repository.root, 'applied')
    with pytest.raises(UserError, match="HEAD has the recipe 'other' already"):
        recipes.plan(repository, recipe)


def test_where_the_lines_are_others_it_does_not_fit(repository, recipe):
    (repository.root / 'code' / 'config.py').write_text('lr = 0.3\n')
    small_repository.commit(repository.root, 'mine')
    with pytest.raises(UserError, match=r'does not fit .* \(patch failed: code/config.py:1\)'):
        recipes.plan(repository, recipe)


def test_a_repository_without_a_commit_says_what_to_type(tmp_path, recipe):
    small_repository.git(tmp_path, 'init', '-q')
    with pytest.raises(UserError, match='git commit -m start'):
        recipes.plan(Repository.at(tmp_path), recipe)


@pytest.mark.parametrize('failure', [OSError(errno.ENOSPC, 'no room', 'x'), KeyboardInterrupt()])
def test_after_a_failure_all_files_are_as_they_were(repository, recipe, monkeypatch, failure):
    before, calls, write = contents(repository), [], atomic.write

    def failing(path, content):
        calls.append(path)
        if len(calls) == 3:
            raise failure
        write(path, content)

    monkeypatch.setattr(atomic, 'write', failing)
    with pytest.raises((UserError, KeyboardInterrupt)):
        recipes.apply(repository, recipes.plan(repository, recipe))
    assert len(calls) > 3 and contents(repository) == before


def test_line_ends_that_git_wrote_are_not_work_of_yours(repository, recipe):
    file = repository.root / 'code' / 'config.py'
    file.write_bytes(CONFIG.replace('\n', '\r\n').encode())
    recipes.apply(repository, recipes.plan(repository, recipe))
    assert contents(repository) == WRITTEN


def test_a_fifo_in_a_files_place_is_not_waited_for(repository, recipe):
    file = repository.root / 'code' / 'config.py'
    change = recipes.plan(repository, recipe)
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(UserError, match='not a regular file'):
        recipes.apply(repository, change)


def test_another_name_is_refused_with_the_nearest(recipe):
    with pytest.raises(UserError, match="no recipe 'othr'. Did you mean 'other'"):
        recipes.find('othr')
