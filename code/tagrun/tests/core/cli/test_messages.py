"""core/cli/messages.py: what a command prints beside its data."""

import io
import sys

import pytest

from tagrun.core.cli import messages
from tagrun.core.cli.messages import UserError


def test_what_drives_a_terminal_is_shown_not_sent():
    assert messages.printable('half \ud800') == 'half \\ud800'
    assert messages.printable('a\x1b]52;c;x\x07b\rc\x9b31m') == 'a\\x1b]52;c;x\\x07b\\x0dc\\x9b31m'


@pytest.mark.parametrize(
    'seconds, text',
    [
        (0.44, '0.4 s'),
        (59, '59 s'),
        (200, '3 min 20 s'),
        (18_720, '5 h 12 min'),
        (273_600, '3 d 4 h'),
    ],
)
def test_a_duration_is_read_at_a_glance(seconds, text):
    assert messages.duration(seconds) == text


@pytest.mark.parametrize(
    'seconds, text', [(9.96, '10.0 s'), (60, '1 min 0 s'), (86400, '1 d 0 h'), (1e12, '1e+12 s')]
)
def test_a_duration_at_the_edge_of_a_unit(seconds, text):
    assert messages.duration(seconds) == text
    assert messages.duration(float('nan')) == 'nan s'


@pytest.mark.parametrize(
    'value, text',
    [
        (None, ''),
        (0, '0.0000'),
        (0.93412, '0.9341'),
        (-0.5, '-0.5000'),
        (3.12e-5, '3.120e-05'),
        (123456.0, '1.235e+05'),
        (float('nan'), 'nan'),
        (float('inf'), 'inf'),
    ],
)
def test_a_figure_has_four_decimals_or_an_exponent(value, text):
    assert messages.figure(value) == text


def test_messages_go_to_stderr_and_a_terminal_that_is_gone_is_no_error(capsys, monkeypatch):
    messages.echo('hello\x07')
    assert capsys.readouterr() == ('', 'hello\\x07\n')

    class Gone(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    monkeypatch.setattr(sys, 'stderr', Gone())
    messages.echo('hello')


def test_a_style_is_for_a_terminal_that_has_colours(monkeypatch, capsys):
    assert messages.styled('x', 'bold') == 'x'
    monkeypatch.setattr(sys.stderr, 'isatty', lambda: True)
    monkeypatch.setenv('TERM', 'xterm')
    monkeypatch.delenv('NO_COLOR', raising=False)
    messages.echo('it is ', messages.styled('fine', 'green'), '.')
    assert capsys.readouterr().err == 'it is \x1b[32mfine\x1b[0m.\n'
    for name, value in (('NO_COLOR', '1'), ('TERM', 'dumb')):
        with monkeypatch.context() as context:
            context.setattr(sys.stderr, 'isatty', lambda: True)
            context.setenv(name, value)
            assert messages.styled('x', 'red') == 'x'


def test_a_style_of_another_text_is_none_of_ours(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, 'isatty', lambda: True)
    monkeypatch.setenv('TERM', 'xterm')
    monkeypatch.delenv('NO_COLOR', raising=False)
    messages.echo('\x1b[31mred ', messages.styled('\x1b[0m\x1b[2J', 'dim'))
    assert capsys.readouterr().err == '\\x1b[31mred \x1b[2m\\x1b[0m\\x1b[2J\x1b[0m\n'


def test_words_are_quoted_counted_and_guessed():
    assert messages.quote("a 'b; c") == "'a '\"'\"'b; c'"
    assert messages.plural(1, 'run') == '1 run' and messages.plural(10_000, 'run') == '10,000 runs'
    assert messages.did_you_mean('fvie', ['five', 'six']) == " Did you mean 'five'?"
    assert messages.did_you_mean('x', ['five']) == ''


def test_a_user_error_has_a_sentence_and_an_exit_code():
    assert str(UserError('no')) == 'no' and UserError('no').code == 1
    assert UserError('no', code=2).code == 2


def test_a_word_that_fills_the_screen_is_cut(capsys):
    messages.echo(f'before {"x" * 9999} after')
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith('before xxx') and line.endswith('x… after') and len(line) < 500


class Terminal(io.StringIO):
    """A stdout that says it is a terminal."""

    def isatty(self):
        return True


@pytest.mark.parametrize('text', ['a\x1b[2Jb', 'a\x9b2Jb', 'a\x7fb', 'a\u202eb', 'a\u2028b'])
def test_data_are_whole_in_a_pipe_and_harmless_on_a_terminal(monkeypatch, text):
    for stream, shown in ((io.StringIO(), f'{text}\n'), (Terminal(), messages.printable(text))):
        monkeypatch.setattr(sys, 'stdout', stream)
        messages.put(text)
        assert stream.getvalue().rstrip('\n') == shown.rstrip('\n')
    assert messages.printable(text) != text


def test_what_the_encoding_lacks_is_shown(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), 'ascii')
    monkeypatch.setattr(sys, 'stdout', stream)
    messages.put('é \ud800')
    assert stream.buffer.getvalue() == b'\\xe9 \\ud800\n'


def test_a_text_is_cut_to_so_many_characters():
    assert messages.shortened('abc', 3) == 'abc' and messages.shortened('abcd', 3) == 'ab…'
