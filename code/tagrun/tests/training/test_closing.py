"""training/closing.py: a step that fails is noted once, with a traceback of its own."""

from tagrun.training.closing import attempt


def raising(error):
    def step():
        raise error

    return step


def test_what_a_step_raises_is_added_unless_it_is_there():
    errors = []
    assert attempt(lambda: None, errors) and errors == []
    assert not attempt(raising(OSError('disk')), errors)
    assert not attempt(raising(OSError('disk')), errors)
    assert not attempt(raising(KeyboardInterrupt()), errors)
    assert [type(error) for error in errors] == [OSError, KeyboardInterrupt]


def test_the_context_of_a_failure_leaves_out_the_errors_that_came_before():
    errors = []
    try:
        raise ValueError('first')
    except ValueError as first:
        errors.append(first)
        attempt(raising(OSError('second')), errors)
    assert errors[1].__context__ is None
