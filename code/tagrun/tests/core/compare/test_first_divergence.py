"""core/compare/first_divergence.py: the first difference of two runs, and no other."""

import pytest
from run_factory import run

from tagrun.core.compare import first_divergence
from tagrun.store import history, trace

LINES = ['1,1,aa,bb,0.5,', '1,2,aa,bb,0.4,', '1,,,,,cc']


@pytest.fixture
def folders(root):
    """Two runs that are the same."""
    both = [run(root, f't1/{number}', digest={'weights': 'w'}) for number in range(2)]
    for folder in both:
        write_trace(folder, LINES)
        history.write(folder, [{'epoch': 1, 'val/acc': 0.5, 'seconds': 1.0}])
    return both


def write_trace(folder, lines):
    (folder / trace.NAME).write_text(trace.HEADER + ''.join(f'{line}\n' for line in lines))


def test_two_runs_that_are_the_same_have_no_difference(folders):
    assert first_divergence.between(*folders) is None


def test_the_first_step_and_stream_that_differ_are_named(folders):
    write_trace(folders[1], [LINES[0], '1,2,aa,xx,9.9,', LINES[2]])
    assert first_divergence.between(*folders) == {
        'epoch': '1',
        'step': '2',
        'stream': 'batch',
        'here': 'bb',
        'there': 'xx',
    }


def test_a_shorter_trace_is_a_difference_of_length(folders):
    write_trace(folders[1], LINES[:2])
    difference = first_divergence.between(*folders)
    assert difference == {'stream': 'length', 'here': 3, 'there': 2}


def test_without_a_trace_its_digest_of_each_epoch_is_compared(folders):
    write_trace(folders[0], LINES)
    digest = trace.by_epoch(LINES)
    (folders[1] / trace.NAME).unlink()
    (folders[1] / trace.EPOCHS).write_text(digest)
    assert first_divergence.between(*folders) is None
    (folders[1] / trace.EPOCHS).write_text(digest.replace('cc', 'dd'))
    difference = first_divergence.between(*folders)
    assert (difference['stream'], difference['epoch'], difference['step']) == ('weights', '1', None)


def test_then_the_metrics_count_but_not_the_seconds(folders):
    history.write(folders[1], [{'epoch': 1, 'val/acc': 0.5, 'seconds': 9.0}])
    assert first_divergence.between(*folders) is None
    history.write(folders[1], [{'epoch': 1, 'val/acc': 0.6, 'seconds': 1.0}])
    difference = first_divergence.between(*folders)
    assert difference['stream'] == 'val/acc' and difference['step'] == 'end'
    assert (difference['here'], difference['there']) == ('0.5', '0.6')
    history.write(folders[1], [{'epoch': 1, 'val/acc': 0.5}, {'epoch': 2, 'val/acc': 0.5}])
    difference = first_divergence.between(*folders)
    assert difference == {'stream': 'length', 'here': '1 epochs', 'there': '2 epochs'}


def test_at_last_the_weights_count(root, folders):
    other = run(root, 't2/0', digest={'weights': 'x'})
    for name in (trace.NAME, history.NAME):
        (other / name).write_bytes((folders[0] / name).read_bytes())
    difference = first_divergence.between(folders[0], other)
    assert difference == {'stream': 'weights', 'here': 'w', 'there': 'x'}


def test_what_cannot_be_read_is_empty(folders):
    (folders[0] / history.NAME).unlink()
    (folders[0] / 'statistic.json').write_text('{')
    assert first_divergence.metrics(folders[0]) == []
    assert first_divergence.weights(folders[0]) is None
    assert first_divergence.metrics(folders[1])[0]['val/acc'] == '0.5'


def test_a_run_that_goes_further_is_the_same_as_far_as_both_go(folders):
    write_trace(folders[1], LINES[:1])
    history.write(folders[1], [])
    assert first_divergence.as_far_as_both_go(*folders) is None
    (folders[1] / trace.NAME).unlink()
    (folders[1] / trace.EPOCHS).write_text(trace.by_epoch(LINES[:1]))
    assert first_divergence.as_far_as_both_go(*folders) is None
    history.write(folders[1], [{'epoch': 1, 'val/acc': 0.6}])
    assert first_divergence.as_far_as_both_go(*folders)['stream'] == 'val/acc'
    write_trace(folders[1], ['1,1,aa,bb,0.6,'])
    assert first_divergence.as_far_as_both_go(*folders)['stream'] == 'loss'


@pytest.mark.parametrize(
    'difference, text',
    [
        ({'epoch': '2', 'step': '31'}, 'the loss at step 31 of epoch 2'),
        ({'epoch': '2', 'step': 'end'}, 'the loss at the end of epoch 2'),
        ({'epoch': '2', 'step': None}, 'the loss in epoch 2'),
        ({}, 'the loss'),
    ],
)
def test_where_a_difference_is_is_said_as_far_as_it_is_known(difference, text):
    assert first_divergence.what({'stream': 'loss', **difference}) == text
    assert first_divergence.what({'stream': 'val/acc'}) == 'val/acc'
