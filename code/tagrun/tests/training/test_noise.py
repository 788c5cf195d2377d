"""training/noise.py: a library that prints on its own is told from the researcher."""

import contextlib
import logging
import sys
import traceback

import pytest

from tagrun.training import noise

FAILING = 'try: 1 / 0\nexcept ZeroDivisionError: trace()'


class Screen:
    """A stream that remembers what it thinks of whoever prints."""

    def __init__(self):
        self.noise, self.warnings = [], 0

    def write(self, text):
        frame = sys._getframe().f_back
        self.noise.append(noise.is_noise(frame))
        self.warnings += noise.is_warning(frame)

    def flush(self):
        pass


@pytest.fixture
def screen():
    return Screen()


def run_as(screen, module, code, **names):
    """Run code as if it stood in a file of that module, with this screen for stderr."""
    # not a fixture: pytest puts its own stream there before a test
    with contextlib.redirect_stderr(screen):
        exec(compile(code, module, 'exec'), {'__name__': module, 'sys': sys, **names})


@pytest.mark.parametrize(
    'module', ['torch.utils.tensorboard._pytorch_graph', 'multiprocessing.process', 'tensorboard']
)
def test_what_a_library_prints_is_noise(screen, module):
    run_as(screen, module, "print('Error occurs, No graph saved', file=sys.stderr)")
    run_as(screen, module, "sys.stderr.write('Process 3:')")
    run_as(screen, module, "logging.error('x')", logging=fresh_logging(screen))
    run_as(
        screen, module, 'try: 1 / 0\nexcept ZeroDivisionError: trace()', trace=traceback.print_exc
    )
    assert screen.noise and all(screen.noise) and not screen.warnings


def fresh_logging(screen):
    logger = logging.Logger('own')
    logger.addHandler(logging.StreamHandler(screen))
    return logger


def test_what_the_researcher_prints_is_not(screen):
    run_as(screen, 'epoch', "print('mine', file=sys.stderr)")
    run_as(screen, 'epoch', "logging.error('x')", logging=fresh_logging(screen))
    run_as(
        screen, 'epoch', 'try: 1 / 0\nexcept ZeroDivisionError: trace()', trace=traceback.print_exc
    )
    # torch calls print itself, in model.apply(print) or tensor.register_hook(print)
    run_as(
        screen, 'torch.nn.modules.module', 'call(sys.stderr)', call=lambda file: print(1, file=file)
    )
    run_as(screen, 'torch.nn.modules.module', 'hook(1, file=sys.stderr)', hook=print)
    assert screen.noise and not any(screen.noise)


def test_a_warning_is_noise_and_counted(screen):
    run_as(screen, 'warnings', "sys.stderr.write('epoch.py:1: UserWarning: deprecated')")
    assert screen.noise == [True] and screen.warnings == 1


def test_a_thread_that_ends_is_noise_in_a_data_worker_alone(screen):
    frames = []
    run_as(screen, 'threading', 'frames.append(sys._getframe())', frames=frames)
    assert noise.is_noise(frames[0], in_worker=True) and not noise.is_noise(frames[0])


def test_nobody_who_prints_is_not_noise():
    assert not noise.is_noise(None)
