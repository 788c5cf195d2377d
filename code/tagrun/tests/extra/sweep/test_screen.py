"""How a sweep looks on a terminal and elsewhere."""

import io
import re
import sys

import pexpect
import pytest

from tagrun.extra.sweep.screen import Screen


def test_a_terminal_shows_a_table_of_trials(stubbed):
    (stubbed.root / 'go').touch()
    shown = pexpect.run(
        f'"{sys.executable}" "{stubbed.root}/code/tagrun" sweep t how=slow,finished lr=1,2',
        dimensions=(24, 100),
        encoding='utf-8',
        cwd=str(stubbed.root),
        env={**stubbed.env, 'TERM': 'xterm'},
        timeout=60,
    )
    last = re.sub(r'\x1b\[[0-9]*[AKJ]', '', shown[shown.rindex('trial') :]).splitlines()
    assert last[0].split() == ['trial', 'status', 'values', 'best']
    assert last[4].split() == [
        't/3',
        'finished',
        'how=finished',
        'lr=2.0',
        'val/acc',
        '0.5000',
    ] and last[5].startswith('4/4 done')


class Terminal(io.StringIO):
    def isatty(self):
        return True


def terminal_in(monkeypatch):
    """A terminal of 40 columns and 10 lines as stderr."""
    stream = Terminal()
    monkeypatch.setattr(sys, 'stderr', stream)
    monkeypatch.setenv('TERM', 'xterm')
    monkeypatch.setenv('COLUMNS', '40')
    monkeypatch.setenv('LINES', '10')
    return stream


def test_a_table_is_drawn_over_the_one_before(monkeypatch):
    terminal = terminal_in(monkeypatch)
    screen = Screen()
    assert screen.is_terminal and screen.is_due() and screen.height() == 6
    screen.draw(('trial',), [('t/0',), ('t/1',)], (), '0/2 done')
    assert not screen.is_due() and terminal.getvalue().count('\n') == 4
    screen.draw(('trial',), [('t/0',)], (), '1/2 done')
    assert '\x1b[4A\r\x1b[J' in terminal.getvalue()


def test_a_long_or_hostile_line_stays_one_line(monkeypatch):
    terminal = terminal_in(monkeypatch)
    Screen().draw(('trial',), [], (), 'x' * 100 + '\x1b[2J')
    assert terminal.getvalue() == '\x1b[J' + 'x' * 39 + '\x1b[K\n'


def test_a_line_stays_above_the_table_and_the_table_is_due(monkeypatch):
    terminal = terminal_in(monkeypatch)
    screen = Screen()
    screen.draw(('trial',), [('t/0',)], (), '0/1 done')
    screen.line('t/0 failed')
    assert screen.is_due() and terminal.getvalue().endswith('\x1b[3A\r\x1b[Jt/0 failed\n')


def test_a_closed_screen_is_not_drawn_over(monkeypatch):
    terminal = terminal_in(monkeypatch)
    screen = Screen()
    screen.draw(('trial',), [('t/0',)], (), '0/1 done')
    screen.close()
    screen.line('the end')
    assert 'A\r' not in terminal.getvalue()


@pytest.mark.parametrize('term', ['dumb', None])
def test_elsewhere_there_are_plain_lines_only(term, monkeypatch, capsys):
    if term:
        monkeypatch.setattr(sys, 'stderr', Terminal())
        monkeypatch.setenv('TERM', term)
    screen = Screen()
    assert not screen.is_terminal and not screen.is_due() and screen.patience_s is None
    screen.draw(('trial',), [('t/0',)], (), '0/1 done')
    screen.line('t/0 finished')
    shown = sys.stderr.getvalue() if term else capsys.readouterr().err
    assert shown == 't/0 finished\n'
