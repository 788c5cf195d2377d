"""training/terminal.py: whether a stream leads to a terminal that can draw, and how wide it is."""

import io

import pytest
from emulated_terminal import Terminal

from tagrun.training.terminal import NARROWEST, USUAL, can_draw, width_of


@pytest.fixture
def terminal():
    terminal = Terminal()
    yield terminal
    terminal.close()


@pytest.mark.parametrize(
    ('term', 'can'),
    [('xterm-256color', True), ('tmux', True), ('dumb', False), ('unknown', False), ('', False)],
)
def test_a_terminal_can_be_drawn_on_unless_it_is_a_dumb_one(terminal, monkeypatch, term, can):
    monkeypatch.setenv('TERM', term)
    assert can_draw(terminal) == can


def test_what_is_no_terminal_cannot_be_drawn_on(terminal, monkeypatch):
    monkeypatch.setenv('TERM', 'xterm')
    closed = io.StringIO()
    closed.close()
    for stream in (None, io.StringIO(), closed):
        assert not can_draw(stream)


@pytest.mark.parametrize('columns', [40, 80, 200])
def test_the_width_is_that_of_the_terminal_now(terminal, columns):
    terminal.resize(columns)
    assert width_of(terminal) == columns


def test_where_the_width_is_not_known_it_is_the_usual_one_and_never_tiny(terminal):
    assert width_of(io.StringIO()) == USUAL
    terminal.resize(1)
    assert width_of(terminal) == NARROWEST
