"""training/progress.py: bars on a terminal, a plain line now and then elsewhere."""

import io
import sys

import pytest

from tagrun.training import progress
from tagrun.training.meter import Meter
from tagrun.training.progress import Bars


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
    bars.epoch()
    bars.close()
    assert shown.getvalue() == 'epoch 3/40 train 11/36 loss 0.25\nepoch 3/40 val 1 loss 0.25\n'


def test_nothing_is_said_before_it_is_time(monkeypatch, meter):
    shown = screen(monkeypatch, terminal=False)
    monkeypatch.setattr(progress, 'LINE_S', 1000)
    bars = Bars(40, 0)
    bars.phase('train', 1, batches=36, done=0)
    bars.step(meter)
    assert shown.getvalue() == ''


def test_a_terminal_shows_the_phase_and_the_run(monkeypatch, meter):
    shown = screen(monkeypatch, terminal=True)
    bars = Bars(40, 2)
    bars.phase('train', 3, batches=36, done=10)
    bars.step(meter)
    bars.epoch()
    bars.close()
    text = shown.getvalue()
    assert '3 train' in text and '11/36' in text and 'loss 0.25' in text and 'epoch 2/40' in text
    assert text.endswith('\r\x1b[K')
    bars.close()  # a second time changes nothing
    assert shown.getvalue() == text


def test_a_terminal_that_went_away_stops_nothing(monkeypatch, meter):
    shown = screen(monkeypatch, terminal=False)
    bars = Bars(1, 0)
    bars.phase('train', 1, batches=1, done=0)
    shown.close()
    bars.step(meter)
    monkeypatch.setattr(sys, '__stderr__', None)
    Bars(1, 0).close()
    assert shown.closed


def test_a_single_phase_has_a_bar_of_its_own_and_none_of_a_run(monkeypatch, meter):
    shown = screen(monkeypatch, terminal=True)
    bars = Bars(None, 0, one_phase=True)
    bars.phase('test', 3, batches=2, done=0)
    bars.step(meter)
    bars.close()
    assert '3 test' in shown.getvalue() and 'loss 0.25' in shown.getvalue()
    assert 'run' not in shown.getvalue()
