"""The steps that close a run: each is done, whatever another one raised.

errors = []; attempt(file.close, errors); attempt(lock.release, errors)
"""

from collections.abc import Callable

from tagrun.training.report import sentence
from tagrun.training.signals import Stop


def attempt(step: Callable[[], object], errors: list[BaseException]) -> bool:
    """Return whether `step` succeeded. What it raises is added to `errors`, unless it is there."""
    try:
        step()
        return True
    except BaseException as failure:
        if all(sentence(failure) != sentence(error) for error in errors):
            _forget_context(failure, errors)
            errors.append(failure)
        return False


def cause(error: BaseException, stop: Stop) -> BaseException:
    """Return what ended a run: the signal, where it went to all processes of the job.

    It then took a data worker first, and the last save counts.
    """
    lost_worker = isinstance(error, RuntimeError) and 'DataLoader worker' in sentence(error)
    return stop.exception() if stop.signal and lost_worker else error


def _forget_context(failure: BaseException, errors: list[BaseException]) -> None:
    """Cut from a failure's context the errors that came before: each has its own traceback."""
    link: BaseException | None = failure
    while link is not None:
        if any(link.__context__ is error for error in errors):
            link.__context__ = None
        link = link.__context__
