"""training/progress.py: bars on a terminal, a plain line now and then elsewhere."""

import io
import sys

import pytest
from emulated_terminal import Terminal

from tagrun.training import progress
from tagrun.training.epoch_history import EpochHistory
from tagrun.training.meter import Meter
from tagrun.training.progress import Bars, clock


class Screen(io.StringIO):
    """What stderr shows; `terminal`: whether it is one."""

    def __init__(self, terminal):
        super().__init__()
        self.terminal = terminal

    def isatty(self):
        return self.terminal


@pytest.fixture
def meter():
    meter = Meter()
    meter.mean(1, loss=0.25)
    return meter


def screen(monkeypatch, terminal):
    """A screen that is drawn anew at each step."""
    shown = Screen(terminal)
    monkeypatch.setattr(sys, '__stderr__', shown)
    monkeypatch.setattr(progress, 'LINE_S', 0)
    monkeypatch.setattr(progress, 'REDRAW_S', 0)
    return shown


def test_without_a_terminal_a_plain_line_comes_now_and_then(monkeypatch, meter):
    shown = screen(monkeypatch, terminal=False)
    bars = Bars(40, 0)
    bars.phase('train', 3, batches=36, done=10)
    bars.step(meter)
    bars.phase('val', 3, batches=None, done=0)
    bars.step(meter)
    bars.epoch(EpochHistory('val/acc', 'max'))
    bars.close()
    assert shown.getvalue() == 'epoch 3/40 train 11/36 loss 0.25\nepoch 3/40 val 1 loss 0.25\n'


def test_nothing_is_said_before_it_is_time(monkeypatch, meter):
    shown = screen(monkeypatch, terminal=False)
    monkeypatch.setattr(progress, 'LINE_S', 1000)
    bars = Bars(40, 0)
    bars.phase('train', 1, batches=36, done=0)
    bars.step(meter)
    assert shown.getvalue() == ''


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv('TERM', 'xterm-256color')
    monkeypatch.setattr(progress, 'REDRAW_S', 0)
    terminal = Terminal()
    yield terminal
    terminal.close()


def test_a_terminal_shows_the_phase_and_the_run(terminal, meter):
    bars = Bars(40, 2, terminal, monitor='val/acc')
    bars.phase('train', 3, batches=36, done=10)
    bars.step(meter)
    train, run = terminal.rows()
    assert train.startswith('train  ━') and 'loss 0.2500  11/36' in train
    assert run.startswith('run    ━') and run.endswith('epoch 3/40')
    history = EpochHistory('val/acc', 'max')
    history.add({'val/acc': 0.75}, {}, seconds=1)
    bars.epoch(history)
    bars.phase('train', 4, batches=36, done=0)
    bars.step(meter)
    assert 'val/acc 0.7500 best, epoch 1  epoch 4/40' in terminal.rows()[1]
    bars.close()
    assert terminal.rows() == []
    bars.close()  # a second time changes nothing


def test_the_watched_metric_and_the_loss_come_first_and_the_rest_last(terminal):
    meter = Meter()
    meter.mean(1, norm=3.0, loss=0.25, acc=0.5, other=1.0)
    bars = Bars(40, 0, terminal, monitor='val/acc')
    bars.phase('train', 1, batches=36, done=0)
    terminal.resize(120)
    bars.step(meter)
    words = terminal.rows()[0].split('  ')
    assert words[2:5] == ['acc 0.5000', 'loss 0.2500', '1/36']
    assert words[-2:] == ['norm 3.0000', 'other 1.0000']


@pytest.mark.parametrize('columns', [20, 40, 60, 80, 120, 200])
def test_both_bars_fit_at_each_width_and_when_it_changes(terminal, meter, columns):
    bars = Bars(1000, 998, terminal, monitor='val/loss')
    bars.phase('train', 999, batches=100_000, done=0)
    for size in (columns, 200, columns):
        terminal.resize(size)
        bars.step(meter)
        assert [row.split()[0] for row in terminal.rows()] == ['train', 'run']
        bars_drawn = sum('━' in row for row in terminal.rows())
        assert bars_drawn == (2 if size >= 40 else 0) and 'loss 0.25' in terminal.rows()[0]


def test_a_short_phase_does_not_take_the_bar_of_a_longer_one(terminal, meter, monkeypatch):
    bars = Bars(40, 0, terminal)
    bars.phase('train', 1, batches=36, done=0)
    bars.step(meter)
    bars.phase('val', 1, batches=4, done=0)
    bars.step(meter)
    assert terminal.rows()[0].startswith('train')
    monkeypatch.setattr(progress, 'SHORT_S', 0)
    bars.step(meter)
    assert terminal.rows()[0].startswith('val')


def test_where_the_number_of_batches_or_epochs_is_not_known_counts_are_shown(terminal, meter):
    bars = Bars(None, 0, terminal)
    bars.phase('train', 1, batches=None, done=0)
    bars.step(meter)
    train, run = terminal.rows()
    assert '━' not in train + run and train.split()[:4] == ['train', 'loss', '0.2500', '1']
    assert run.split() == ['run', 'epoch', '1']


@pytest.mark.parametrize(
    ('seconds', 'text'),
    [(0, '0:00'), (7.2, '0:08'), (3723, '1:02:03'), (183_840, '2 d 03:04')],
)
def test_times_are_short(seconds, text):
    assert clock(seconds) == text


def test_a_dumb_terminal_has_plain_lines(terminal, meter, monkeypatch):
    monkeypatch.setenv('TERM', 'dumb')
    monkeypatch.setattr(progress, 'LINE_S', 0)
    bars = Bars(40, 0, terminal)
    bars.phase('train', 1, batches=36, done=0)
    bars.step(meter)
    bars.close()
    assert ''.join(terminal.writes) == 'epoch 1/40 train 1/36 loss 0.25\n'


def test_a_terminal_that_went_away_stops_nothing(monkeypatch, meter):
    shown = screen(monkeypatch, terminal=False)
    bars = Bars(1, 0)
    bars.phase('train', 1, batches=1, done=0)
    shown.close()
    bars.step(meter)
    monkeypatch.setattr(sys, '__stderr__', None)
    Bars(1, 0).close()
    assert shown.closed


def test_a_single_phase_has_a_bar_of_its_own_and_none_of_a_run(terminal, meter):
    bars = Bars(None, 0, terminal, one_phase=True)
    bars.phase('test', 3, batches=2, done=0)
    bars.step(meter)
    (row,) = terminal.rows()
    assert row.startswith('test  ━') and 'loss 0.25' in row
