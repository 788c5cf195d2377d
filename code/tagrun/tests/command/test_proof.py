"""`tagrun proof`: it starts bench/proof.py with the words that it is given."""

import sys


def test_help_lists_the_options_and_installs_nothing(clone):
    process = clone.start('proof', '-h', TAGRUN_PYTHON=sys.executable)
    out, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, '')
    assert '--full' in out and '--only' in out
    assert not clone.venv.exists()


def test_what_the_tests_need_is_installed_first(clone):
    (clone.root / 'code' / 'requirements.txt').write_text('absent-a\n')
    said = clone.run('proof', '--only', '15', code=1, TAGRUN_PYTHON=sys.executable)
    assert 'lacks absent-a' in said


def test_a_figure_that_does_not_exist_is_refused_with_2(clone):
    for name in ('requirements.txt', 'requirements-test.txt'):
        (clone.root / 'code' / name).write_text('')
    said = clone.run('proof', '--only', '99', code=2, TAGRUN_PYTHON=sys.executable)
    assert 'proof: --only takes 1, 2, 3' in said and 'not 99\nusage: tagrun proof' in said
