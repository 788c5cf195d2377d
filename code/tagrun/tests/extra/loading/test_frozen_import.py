"""frozen_import.py: modules of runs live side by side, and nothing else notices."""

import importlib
import inspect
import pickle
import sys

import pytest
from project_factory import CODE

from tagrun.extra.loading.frozen_import import FrozenCode

FILES = {
    'helper.py': 'VALUE = {value}\n',
    'model.py': '''
import importlib
import json
import pkg.deep
import pkg.deep as short
from helper import VALUE
from importlib import import_module
from pkg import deep
from tagrun import training


class Net:
    def forward(self):
        import late
        from pkg.deep import WORD

        return VALUE, late.VALUE, WORD, training.VALUE


def names():
    return importlib.import_module('helper').VALUE, import_module('pkg.deep').WORD


def same():
    return pkg.deep is short is deep and json.__name__ == 'json' and importlib.util is not None
''',
    'late.py': 'from helper import VALUE\nVALUE *= 10\n',
    'pkg/__init__.py': '',
    'pkg/deep.py': "from . import sister\nfrom .sister import NAME\nWORD = NAME + '{value}'\n",
    'pkg/sister.py': "import helper\nNAME = 'word' * helper.VALUE\n",
    'space/inner.py': 'VALUE = {value}\n',
    'tagrun/__init__.py': '',
    'tagrun/training/__init__.py': 'from tagrun.training.part import VALUE\n',
    'tagrun/training/part.py': 'VALUE = -{value}\n',
    'queue.py': "MINE = 'mine'\n",
}


@pytest.fixture
def make(tmp_path):
    """A function that makes the code of a run whose files have a value."""

    def made(value, **more):
        folder = tmp_path / f"a 'b; {value}" / 'code'
        texts = {**FILES, **{f'{name}.py': text for name, text in more.items()}}
        for name, text in texts.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace('{value}', str(value)))
        return FrozenCode(f't{value}/0', folder)

    return made


def test_two_runs_with_modules_of_the_same_names_live_side_by_side(make):
    before, one, two = list(sys.path), make(1), make(2)
    nets = [code.module('model').Net() for code in (one, two)]
    # the late imports come after both were loaded
    assert [net.forward() for net in nets] == [(1, 10, 'word1', -1), (2, 20, 'wordword2', -2)]
    assert [code.module('model').names() for code in (one, two)] == [
        (1, 'word1'),
        (2, 'wordword2'),
    ]
    assert one.module('model').same() and one.module('model') is one.module('model')
    assert type(nets[0]) is not type(nets[1]) and sys.path == before


def test_what_is_not_of_a_run_is_imported_as_usual(make):
    import helpers_of_nobody_else as mine

    code = make(3, uses='import helpers_of_nobody_else as it\nimport queue, sys\nimport os.path\n')
    uses = code.module('uses')
    assert uses.it is mine and uses.sys is sys and uses.queue.MINE == 'mine'
    assert not hasattr(importlib.import_module('queue'), 'MINE')
    for name in ('helper', 'late', 'pkg', 'space'):
        assert name not in sys.modules
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module(name)


@pytest.fixture(autouse=True)
def installed(monkeypatch, tmp_path):
    """A package that is not of a run's code."""
    (tmp_path / 'installed').mkdir()
    (tmp_path / 'installed' / 'helpers_of_nobody_else.py').write_text('')
    monkeypatch.syspath_prepend(tmp_path / 'installed')
    yield
    sys.modules.pop('helpers_of_nobody_else', None)


def test_a_file_of_today_that_the_run_lacks_is_not_taken(make):
    assert (CODE / 'mnist1d_data.py').exists() and str(CODE) in sys.path
    code = make(
        4, uses='try:\n    import mnist1d_data\nexcept ImportError as error:\n    e = error\n'
    )
    uses = code.module('uses')
    assert not hasattr(uses, 'mnist1d_data')
    code = make(5, late='import mnist1d_data\n')
    with pytest.raises(ModuleNotFoundError, match='the code of t5/0 has no mnist1d_data'):
        code.module('model').Net().forward()


def test_a_missing_module_is_named_as_it_was_typed(make):
    code = make(6, uses='import nowhere_at_all\n')
    with pytest.raises(ModuleNotFoundError, match="No module named 'nowhere_at_all'"):
        code.module('uses')
    with pytest.raises(ModuleNotFoundError, match='the code of t6/0 has no state'):
        code.module('state')
    code = make(11, uses='import pkg.nothing\n')
    with pytest.raises(ModuleNotFoundError, match='the code of t11/0 has no pkg.nothing'):
        code.module('uses')
    assert code.has('model') and not code.has('state') and not code.has('sys')


def test_no_bytecode_is_written_nor_read(make):
    code = make(7)
    planted = code.folder / '__pycache__' / f'helper.{sys.implementation.cache_tag}.pyc'
    source = code.folder / 'helper.py'
    import py_compile

    py_compile.compile(str(source), str(planted), doraise=True)
    planted.write_bytes(planted.read_bytes().replace(b'VALUE', b'VALUF'))
    files = sorted(code.folder.rglob('*'))
    assert code.module('model').Net().forward()[0] == 7
    assert sorted(code.folder.rglob('*')) == files


def test_a_folder_without_init_is_found_and_an_installed_package_comes_before_it(make):
    code = make(8, uses='from space.inner import VALUE\nimport json\n')
    (code.folder / 'json').mkdir()
    uses = code.module('uses')
    assert uses.VALUE == 8 and uses.json.dumps(1) == '1'


def test_classes_can_be_copied_pickled_and_shown(make):
    net = make(9).module('model').Net()
    assert type(pickle.loads(pickle.dumps(net))) is type(net)
    assert 'import late' in inspect.getsource(type(net))


def test_an_error_in_the_code_of_a_run_is_its_own_and_names_its_file(make):
    code = make(10, uses='1 / 0\n')
    with pytest.raises(ZeroDivisionError) as caught:
        code.module('uses')
    assert caught.traceback[-1].path == code.folder / 'uses.py'
