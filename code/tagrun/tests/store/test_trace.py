"""store/trace.py: where two runs part, by step and by epoch."""

import pytest

from tagrun.store import trace


def test_the_first_difference_is_named_by_step_and_stream():
    one = ['1,1,aa,bb,2.5,', '1,2,aa,bb,2.25,', '1,,,,,cafe']
    assert trace.first_difference(one, one[:2]) is None
    assert trace.first_difference(one, [one[0], '1,2,aa,bc,2.25,'])['stream'] == 'batch'
    assert trace.first_difference(one, [one[0], '1,2,ab,bc,2.25,']) == {
        'epoch': '1',
        'step': '2',
        'stream': 'order',
        'here': 'aa',
        'there': 'ab',
    }
    assert trace.first_difference(one, one[:2] + ['1,,,,,babe'])['step'] == 'end'


def test_a_torn_last_line_of_a_trace_is_not_there_yet(tmp_path):
    (tmp_path / 'trace.csv').write_text(trace.HEADER + '1,1,aa,bb,2.5,\n1,2,a')
    assert trace.lines(tmp_path)[0] == ['1,1,aa,bb,2.5,']
    offset = trace.lines(tmp_path)[1]
    with open(tmp_path / 'trace.csv', 'a') as file:
        file.write('a,bb,2.25,\n')
    assert trace.lines(tmp_path, offset)[0] == ['1,2,aa,bb,2.25,']


STEPS = ['1,1,aa,bb,2.5,', '1,2,ab,bc,2.25,', '1,,,,,cafe', '2,1,aa,bb,2.0,']


def test_a_digest_has_a_line_an_epoch(tmp_path):
    head, first, second = trace.by_epoch(STEPS).splitlines()
    assert head == 'epoch,steps,order,batch,loss,weights'
    assert first.startswith('1,2,') and first.endswith(',cafe') and len(first.split(',')) == 6
    assert second.startswith('2,1,') and second.endswith(',')
    other = trace.by_epoch(['1,1,aa,bb,2.5,', '1,2,ab,bc,2.26,', '1,,,,,cafe']).splitlines()[1]
    assert [one == two for one, two in zip(first.split(','), other.split(','), strict=True)] == [
        *(True, True, True, True),
        *(False, True),
    ]


def test_the_digest_of_a_run_is_that_of_its_trace_or_the_one_it_has(tmp_path):
    assert trace.epochs(tmp_path) == [] and trace.lines(tmp_path) == ([], 0)
    digest = trace.by_epoch(STEPS)
    (tmp_path / trace.EPOCHS).write_text(digest)
    assert trace.epochs(tmp_path) == digest.splitlines()[1:]
    (tmp_path / trace.NAME).write_text(trace.HEADER + '\n'.join(STEPS[:3]) + '\n')
    assert trace.epochs(tmp_path) == digest.splitlines()[1:2]


def test_the_first_epoch_that_differs_is_named_by_its_stream():
    one = ['1,36,a,b,c,w', '2,36,a,b,c,w']
    assert trace.first_epoch_that_differs(one, one) is None
    assert trace.first_epoch_that_differs(one, []) is None
    assert trace.first_epoch_that_differs(one, [one[0], '2,36,a,x,c,w']) == {
        'epoch': '2',
        'step': None,
        'stream': 'batch',
        'here': 'b',
        'there': 'x',
    }
    difference = trace.first_epoch_that_differs(one, [one[0], '2,35,a,x,c,w'])
    assert (difference['stream'], difference['here'], difference['there']) == ('length', '36', '35')
    assert trace.first_epoch_that_differs(one, one[:1]) == {
        'stream': 'length',
        'here': '2 epochs',
        'there': '1 epochs',
    }


@pytest.mark.parametrize(
    'values, cell',
    [
        ({}, ''),
        ({'loss': 0.1}, '0.1'),
        ({'critic': 0.5, 'generator': float('inf')}, 'critic=0.5 generator=inf'),
        ({'loss': 0.5, 'kl': 1e-300}, 'loss=0.5 kl=1e-300'),
        ({'a,b c=ü': 2.0}, 'a_b_c__=2.0'),
    ],
)
def test_the_numbers_of_a_step_are_read_back_from_their_cell(values, cell):
    assert trace.step_cell(values) == cell
    assert list(trace.step_values(cell).values()) == list(values.values())


def test_a_cell_that_holds_something_else_has_no_numbers():
    assert trace.step_values('a=b 3') == {} and trace.step_values('0.5 x') == {}


def test_a_read_that_fails_for_a_moment_loses_no_place(tmp_path, monkeypatch):
    (tmp_path / trace.NAME).write_text(trace.HEADER + '1,1,a,b,0.5,\n')
    lines, offset = trace.lines(tmp_path)

    def broken(*_):
        raise OSError(5, 'Input/output error')

    with monkeypatch.context() as moment:
        moment.setattr(trace.safe_read, 'open_file', broken)
        assert trace.lines(tmp_path, offset) == ([], offset)
    with open(tmp_path / trace.NAME, 'a') as file:
        file.write('1,2,a,b,0.25,\n')
    assert trace.lines(tmp_path, offset)[0] == ['1,2,a,b,0.25,'] and len(lines) == 1
