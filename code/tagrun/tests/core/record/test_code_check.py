"""What would stop training is refused before a tag is spent on it."""

import pytest

from tagrun.core.cli.messages import UserError
from tagrun.core.record import code_check
from tagrun.core.record.snapshot import File


def test_code_that_python_cannot_compile_is_refused_and_a_pointer_of_git_lfs_named(capsys):
    with pytest.raises(UserError, match='code/a.py, line 2'):
        code_check.check([File('a.py', '100644', b'x = 1\ndef (\n')])
    code_check.check(
        [File('tagrun/a.py', '100644', b'def ('), File('w.bin', '100644', code_check.LFS)]
    )
    assert 'code/w.bin is kept by git LFS' in capsys.readouterr().err


@pytest.mark.parametrize(
    'path, reason',
    [
        ('random.py', "code/random.py hides Python's own module of that name, and torch cannot"),
        ('dataclasses/__init__.py', 'code/dataclasses/__init__.py hides Python'),
        ('numpy.py', 'code/numpy.py hides an installed package of that name, and torch cannot'),
        ('torch/__init__.py', 'code/torch/__init__.py hides an installed package'),
    ],
)
def test_a_file_that_hides_a_module_which_training_needs_is_refused(path, reason):
    with pytest.raises(UserError, match=reason):
        code_check.check([File(path, '100644', b'x = 1\n')])


def test_a_folder_without_init_hides_no_package_and_other_names_are_yours(capsys):
    code_check.check([File('numpy/a.py', '100644', b''), File('lib/random.py', '100644', b'')])
    assert capsys.readouterr().err == ''
    assert code_check.is_installed('numpy') and not code_check.is_installed('no_such_package')
