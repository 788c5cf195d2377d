"""Imports that must fail in a run are refused before it has a tag."""

import pytest

from tagrun.core.cli.messages import UserError
from tagrun.core.record import imported_modules
from tagrun.core.record.snapshot import File


def check(tmp_path, recorded, ignored=()):
    """Check files of code/, {path: text}; `ignored` are in the work tree alone."""
    for path in (*recorded, *ignored):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(recorded.get(path, 'X = 1\n'))
    files = [File(path, '100644', text.encode()) for path, text in recorded.items()]
    imported_modules.check(tmp_path, files)


@pytest.mark.parametrize(
    'statement, ignored, named',
    [
        ('import lib', ['lib/__init__.py'], 'imports lib, but git ignores code/lib,'),
        ('import lib.parts as parts', ['lib/parts.py'], 'imports lib, but git ignores code/lib,'),
        ('from lib.parts import X', ['lib/parts.py'], 'git add -f code/lib'),
        ('from helpers import local_a', ['helpers/local_a.py'], 'git add -f code/helpers/local_a.'),
        ('import helpers.local_a', ['helpers/local_a.py'], 'imports helpers.local_a, but git'),
        ('import local_paths', ['local_paths.py'], 'model.py, line 2, imports local_paths'),
        ('import helpers.deep', ['helpers/build/x.py'], 'code/helpers/deep.py, line 1'),
    ],
)
def test_a_module_that_git_ignores_is_refused_with_what_to_type(
    tmp_path, statement, ignored, named
):
    recorded = {
        'main.py': 'import model\n',
        'model.py': f'"""A network."""\n{statement}\n',
        'helpers/__init__.py': '',
        'helpers/deep.py': 'from .build import x\n',
    }
    with pytest.raises(UserError, match=named):
        check(tmp_path, recorded, ignored)


@pytest.mark.parametrize(
    'statement',
    [
        'import no_such_package',
        'import torch, json, xml.dom',
        'from helpers import anything',
        'import helpers.deep',
        'try:\n    import lib\nexcept ImportError:\n    lib = None',
        'def debug():\n    import lib',
        'from .model import nothing',
        'this is not Python',
    ],
)
def test_other_imports_are_left_alone(tmp_path, statement, capsys):
    recorded = {
        'main.py': 'import model\n',
        'model.py': f'{statement}\n',
        'unused.py': 'import lib\n',
        'helpers/__init__.py': '',
        'helpers/deep.py': '',
    }
    check(tmp_path, recorded, ['lib/__init__.py'])
    assert capsys.readouterr().err == ''


@pytest.mark.parametrize(
    'statement', ['import pandas.io', 'from pandas.io import x', 'def f():\n    import pandas.io']
)
def test_a_part_of_a_package_that_a_file_hides_is_refused(tmp_path, statement):
    recorded = {'main.py': f'{statement}\n', 'pandas.py': ''}
    with pytest.raises(UserError, match='imports pandas.io, but code/pandas.py hides the package'):
        check(tmp_path, recorded)


def test_a_hidden_package_is_named_and_is_no_refusal(tmp_path, capsys):
    recorded = {
        'main.py': 'import pandas\nfrom numpy.mine import x\nfrom pandas import io\n',
        'pandas.py': '',
        'numpy/__init__.py': '',
        'numpy/mine.py': '',
        'tagrun/__init__.py': '',
    }
    check(tmp_path, recorded)
    told = capsys.readouterr().err.splitlines()
    assert [line.partition(':')[2].partition(':')[0] for line in told] == [
        ' code/numpy hides the installed package numpy',
        ' code/pandas hides the installed package pandas',
    ]
