"""notebook.py: `from tagrun import load, runs`, in a real kernel, in a script, from any folder."""

import shutil
import subprocess
import sys

import pytest
from notebooks import executed
from project_factory import CODE, Project

from tagrun.core.cli.messages import UserError
from tagrun.extra.loading import notebook as notebook_module

FIRST = """
import sys
sys.path.append({code!r})
from tagrun import load, runs
before = list(sys.path)
first, second = load('first/0'), load('second')
first
"""
MODEL = """
import torch
x = torch.ones(3, 40)
first.model(x).shape, torch.equal(second.model(x), -3 * second.model.layers(x)), sys.path == before
"""
TABLE = "runs('finished')[['expernameid', 'hidden', 'val/acc']].to_csv('table.csv', index=False)"
UNKNOWN = "load('frist')"
GOES_ON = "len(first.history), len(first.trace), load('first:1').checkpoint.file"
CELLS = (FIRST, MODEL, '%%time\nfirst.loaders()["test"]', TABLE, UNKNOWN, GOES_ON)


@pytest.fixture(scope='module')
def notebook(tmp_path_factory, trained):
    """({cell: all it printed}, the notebook's folder, which is not the project's)."""
    folder = tmp_path_factory.mktemp('notebook')
    sources = [cell.replace('{code!r}', repr(str(trained.root / 'code'))) for cell in CELLS]
    return dict(zip(CELLS, executed(sources, folder, folder), strict=True)), folder


def test_a_kernel_shows_a_run_and_uses_two_models(notebook):
    texts, _ = notebook
    assert texts[FIRST].startswith('first/0: finished, epoch 2/2, val/acc')
    assert texts[MODEL] == '(torch.Size([3, 10]), True, True)'
    assert texts[GOES_ON] == "(2, 36, 'epoch_1.pth')"


def test_an_unknown_run_is_an_exception_with_the_sentence_of_the_commands(notebook, trained):
    texts, _ = notebook
    said = trained.tagrun('weights', 'frist', '-o', 'x.pt', code=1).stderr
    assert texts[UNKNOWN] and said == f'tagrun: {texts[UNKNOWN]}\n'


def test_a_set_is_the_csv_file_of_table(notebook, trained):
    _, folder = notebook
    trained.tagrun('table', 'finished', '--drop', '.*', '--keep', '^hidden$|^val/acc$')
    written = trained.root / '__statistic__' / 'table' / 'finished.csv'
    assert (folder / 'table.csv').read_text() == written.read_text()


def test_a_run_is_named_as_on_the_command_line(trained, monkeypatch, tmp_path):
    monkeypatch.setattr(notebook_module, 'ROOT', trained.root)
    monkeypatch.chdir(tmp_path)
    names = ['first', 'fir', 'first/0', '@last', trained.folder('first/0')]
    refs = [str(notebook_module.load(name).ref) for name in names]
    assert refs == ['first/0', 'first/0', 'first/0', 'second/0', 'first/0']
    assert notebook_module.load('first:1').checkpoint.file == 'epoch_1.pth'
    for word in ('first/3', 'first:9', 'a b'):
        with pytest.raises(UserError):
            notebook_module.load(word)


def test_a_set_can_be_chosen_from_and_grouped(trained, monkeypatch):
    monkeypatch.setattr(notebook_module, 'ROOT', trained.root)
    runs = notebook_module.runs
    assert runs('finished', where='hidden == 8')['expernameid'].tolist() == ['second/0']
    assert len(runs('finished', sort_by='acc', top=1)) == 1
    assert runs(group=True)['n'].tolist() == [1, 1]
    with pytest.raises(UserError, match="there is no set 'finishd'"):
        runs('finishd')


def python(code, cwd):
    """A function that runs a script in a folder, with code/ last on sys.path."""
    start = f'import sys; sys.path.append({str(code)!r})\n'
    return lambda text: subprocess.run(
        [sys.executable, '-c', start + text], cwd=cwd, capture_output=True, text=True, timeout=120
    )


def test_importing_tagrun_costs_nothing_until_load_is_asked_for(tmp_path):
    text = 'import tagrun; print([name for name in sys.modules if "tagrun" in name])'
    assert python(CODE, cwd=tmp_path)(text).stdout == "['tagrun']\n"
    done = python(CODE, cwd=tmp_path)('from tagrun import nothing')
    assert "cannot import name 'nothing' from 'tagrun'" in done.stderr


def test_without_the_capability_it_is_an_import_error(trained, tmp_path):
    project = Project(shutil.copytree(trained.root / 'code', tmp_path / 'code').parent)
    shutil.rmtree(project.root / 'code' / 'tagrun' / 'extra' / 'loading')
    done = python(project.root / 'code', cwd=tmp_path)('from tagrun import load')
    assert "ImportError: cannot import name 'load' from 'tagrun'" in done.stderr
    # a frozen copy has less still
    shutil.rmtree(project.root / 'code' / 'tagrun' / 'core')
    done = python(project.root / 'code', cwd=tmp_path)('from tagrun import load')
    assert "ImportError: load is for notebooks and scripts, not for a run's code" in done.stderr
