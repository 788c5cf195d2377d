"""training/live_block.py: lines that stay at the bottom, as a terminal's user sees them."""

import threading

import pytest
from emulated_terminal import Terminal
from rich.text import Text

from tagrun.training.live_block import Block


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv('TERM', 'xterm-256color')
    terminal = Terminal()
    yield terminal
    terminal.close()


def lines(*texts):
    return [Text(text) for text in texts]


def test_lines_are_drawn_in_place_and_what_is_printed_goes_above_them(terminal):
    block = Block(terminal)
    block.show(lines('train 1', 'run 1'))
    block.print('epoch 1\n')
    block.show(lines('train 2', 'run 2'))
    block.print('epoch 2\n')
    assert terminal.rows() == ['epoch 1', 'epoch 2', 'train 2', 'run 2']
    block.close()
    assert terminal.rows() == ['epoch 1', 'epoch 2']


def test_each_drawing_is_one_write_that_erases_no_line_before_it_has_the_next(terminal):
    block = Block(terminal)
    block.show(lines('train 1', 'run 1'))
    terminal.writes.clear()
    block.show(lines('train 2', 'run 2'))
    block.print('epoch 1\n')
    drawing, printing = terminal.writes
    assert drawing.index('run 2') < drawing.index('\x1b[J')
    assert printing.index('run 2') < printing.index('\x1b[J')


def test_a_line_that_has_no_end_yet_takes_the_block_away_until_it_has(terminal):
    block = Block(terminal)
    block.show(lines('bar'))
    block.print('half a')
    block.show(lines('bar 2'))
    assert terminal.rows() == ['half a']
    block.print(' line\n')
    assert terminal.rows() == ['half a line', 'bar 2']
    block.close()
    assert terminal.rows() == ['half a line']


@pytest.mark.parametrize('columns', [20, 40, 79, 120])
def test_a_line_is_never_wider_than_the_terminal(terminal, columns):
    terminal.resize(columns)
    block = Block(terminal)
    for _ in range(5):
        block.show(lines('x' * 300, '日本' * 200))
    assert [row[0] for row in terminal.rows()] == ['x', '日']


def test_at_the_bottom_of_the_screen_the_block_stays_whole(terminal):
    block = Block(terminal)
    for number in range(100):
        block.show(lines(f'train {number}', f'run {number}'))
        block.print(f'epoch {number}\n')
    rows = terminal.rows()
    assert rows[-2:] == ['train 99', 'run 99'] and rows[0] == f'epoch {100 - len(rows) + 2}'


def test_a_text_of_several_lines_leaves_nothing_of_the_block(terminal):
    block = Block(terminal)
    block.show(lines('train' * 10, 'run' * 10))
    block.print('a\n\nb\nc\n')
    assert terminal.rows() == ['a', 'b', 'c', 'train' * 10, 'run' * 10]
    block.print('open')
    assert terminal.rows() == ['a', 'b', 'c', 'open']


def test_threads_that_print_at_once_break_no_line(terminal):
    block = Block(terminal)

    def work(name):
        for number in range(50):
            block.show(lines(f'bar {name}'))
            block.print(f'{name} {number}\n')

    threads = [threading.Thread(target=work, args=(name,)) for name in 'abc']
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    *printed, last = terminal.rows()
    assert last.startswith('bar ') and all(row[:2] in ('a ', 'b ', 'c ') for row in printed)


def test_colours_are_left_out_where_the_user_wants_none(terminal, monkeypatch):
    block = Block(terminal)
    block.show([block.bar(0.5, 10)])
    assert '\x1b[3' in terminal.writes[-1]
    monkeypatch.setenv('NO_COLOR', '1')
    block = Block(terminal)
    block.show([block.bar(0.5, 10)])
    assert '\x1b[3' not in terminal.writes[-1]


def test_a_terminal_that_went_away_stops_nothing(terminal):
    block = Block(terminal)
    block.show(lines('bar'))
    count = len(terminal.writes)
    terminal.close()
    block.show(lines('bar'))
    block.print('text\n')
    block.close()
    assert len(terminal.writes) == count
