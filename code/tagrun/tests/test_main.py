"""__main__.py: which command a word means, and how each kind of error is answered."""

import errno
import re
import shutil
import sys
from types import SimpleNamespace

import pytest
from project_factory import CODE

from tagrun import __main__ as entry
from tagrun.core import finder
from tagrun.core.cli import root_help


@pytest.fixture(autouse=True)
def path_is_restored(monkeypatch):
    monkeypatch.setattr(sys, 'path', [*sys.path])


@pytest.fixture
def command(monkeypatch):
    """Make every word a command that does this with its own words."""

    def is_now(main):
        monkeypatch.setattr(finder, 'command', lambda name: SimpleNamespace(main=main))

    return is_now


def raising(error):
    def main(argv):
        raise error

    return main


@pytest.mark.parametrize('word', ['-V', '--version'])
def test_the_version_is_that_of_the_file(word, capsys):
    assert entry.main([word]) == 0
    text = (CODE / 'tagrun' / 'VERSION').read_text().strip()
    assert capsys.readouterr().out == f'tagrun {text}\n'
    assert text.count('.') == 2


@pytest.mark.parametrize('word', entry.HELP)
def test_help_shows_the_commands(word, capsys, monkeypatch):
    monkeypatch.setenv('COLUMNS', '80')
    assert entry.main([word]) == 0
    assert capsys.readouterr().out == root_help.text(80) + '\n'


def test_help_and_a_command_is_the_help_of_that_command(capsys):
    texts = []
    for words in (['help', 'why'], ['why', '-h']):
        with pytest.raises(SystemExit) as exit:
            entry.main(words)
        assert exit.value.code == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1] and texts[0].startswith('usage: tagrun why')
    assert entry.main(['help', 'whi']) == 2
    assert "did you mean 'why'?" in capsys.readouterr().err


def test_no_word_at_all_is_wrong_usage(capsys):
    assert entry.main([]) == 2
    assert 'usage: tagrun <command>' in capsys.readouterr().out


@pytest.mark.parametrize('alias, name', entry.ALIASES.items())
def test_a_short_name_means_its_command(alias, name, monkeypatch):
    asked = []
    module = SimpleNamespace(main=lambda argv: asked.append(argv))
    monkeypatch.setattr(finder, 'command', lambda word: asked.append(word) or module)
    assert entry.main([alias, 'a b', '-x']) == 0
    assert asked == [name, ['a b', '-x']]


@pytest.mark.parametrize(
    'word, hint',
    [
        ('tabel', "did you mean 'table'?"),
        ('resum', "did you mean 'resume'?"),
        ('status', '`expls` shows what trains and what has ended'),
        ('kill', '`stop <run>` saves a run and stops it'),
        ('qqqq', '`tagrun --help` lists all commands'),
        ('../run', "did you mean 'run'?"),
        ('', '`tagrun --help` lists all commands'),
    ],
)
def test_an_unknown_command_is_one_sentence(word, hint, capsys):
    assert entry.main([word]) == 2
    assert capsys.readouterr().err == f'tagrun: unknown command {word!r}: {hint}\n'


def test_what_is_named_instead_of_a_wrong_word_exists():
    commands = {*finder.command_files(), *entry.ALIASES}
    for word, hint in entry.INSTEAD.items():
        named = re.findall('`(?:tagrun )?([a-z]+)', hint)
        assert word not in commands and named and {*named} <= {*commands, 'rm', 'tagrun'}


def test_a_command_whose_folder_was_deleted_is_unknown(stubbed):
    shutil.rmtree(stubbed.root / 'code' / 'tagrun' / 'extra' / 'sweep')
    said = stubbed.tagrun('sweep', 'lr=1,2', code=2).stderr
    assert said.startswith("tagrun: unknown command 'sweep': ") and said.count('\n') == 1
    assert '\n  sweep ' not in stubbed.tagrun('-h').stdout


def test_a_missing_package_is_named_with_what_to_type(command, capsys, monkeypatch):
    monkeypatch.delenv('TAGRUN_DEBUG', raising=False)
    command(raising(ModuleNotFoundError("No module named 'nosuch'", name='nosuch')))
    assert entry.main(['run']) == 1
    said = capsys.readouterr().err
    assert "the package 'nosuch' is missing" in said and 'requirements.txt' in said


def test_a_module_of_ours_that_is_missing_is_a_bug_and_shown_in_full(command, monkeypatch):
    monkeypatch.delenv('TAGRUN_DEBUG', raising=False)
    command(raising(ModuleNotFoundError("No module named 'tagrun.x'", name='tagrun.x')))
    with pytest.raises(ModuleNotFoundError):
        entry.main(['run'])


def test_a_full_disk_is_one_sentence_and_another_error_of_the_system_is_a_bug(
    command, capsys, monkeypatch
):
    monkeypatch.delenv('TAGRUN_DEBUG', raising=False)
    command(raising(OSError(errno.ENOSPC, 'No space left on device', 'a.pth')))
    assert entry.main(['run']) == 1
    assert capsys.readouterr().err == "tagrun: [Errno 28] No space left on device: 'a.pth'\n"
    command(raising(OSError(errno.ENOTDIR, 'Not a directory', 'a.pth')))
    with pytest.raises(NotADirectoryError):
        entry.main(['run'])


def test_control_c_ends_with_130_and_a_commands_own_exit_code_is_passed_on(command):
    command(raising(KeyboardInterrupt()))
    assert entry.main(['run']) == 130
    command(lambda argv: 75)
    assert entry.main(['run']) == 75


def test_a_file_of_the_researcher_hides_no_module_of_pythons_own(stubbed):
    for name in ('queue.py', 'difflib.py', 'tagrun.py'):
        (stubbed.root / 'code' / name).write_text('raise SystemExit("hidden")\n')
    assert stubbed.tagrun('-V').stdout.startswith('tagrun ')
    assert stubbed.tagrun('table', '-h').stdout.startswith('usage: tagrun table')


def test_code_comes_last_on_the_path_and_the_tools_own_folder_not_at_all():
    sys.path.insert(0, str(CODE / 'tagrun'))
    entry.main(['-V'])
    assert sys.path[-1] == str(CODE) and str(CODE / 'tagrun') not in sys.path
