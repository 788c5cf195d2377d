"""core/tables/sets.py: which set, and its runs."""

import pytest
from run_factory import listed, run

from tagrun.core.cli.messages import UserError
from tagrun.core.tables import sets
from tagrun.store import experlist


def test_without_a_name_it_is_record_and_else_finished(root, capsys):
    with pytest.raises(UserError, match='there is no list of runs yet'):
        sets.name(root, None)
    run(root, 't1/0')
    assert sets.name(root, None) == 'finished'
    listed(root, 'record', 't1/0')
    assert sets.name(root, None) == 'record'
    assert capsys.readouterr().err == "the set 'finished'\nthe set 'record'\n"


@pytest.mark.parametrize(
    'word, message',
    [
        ('papr', "there is no set 'papr': there is finished, paper. Did you mean 'paper'"),
        ('t1', "there is no set 't1': .*`record --to t1 t1` makes one of the tag's runs"),
        ('../x', "'../x' is not the name of a set"),
    ],
)
def test_an_unknown_set_is_refused_with_what_to_type(root, word, message):
    run(root, 't1/0')
    listed(root, 'paper', 't1/0')
    with pytest.raises(UserError, match=message):
        sets.name(root, word)


def test_a_run_that_cannot_be_read_is_named_and_the_others_load(root, capsys):
    run(root, 't1/0')
    (run(root, 't1/1') / 'statistic.json').write_text('{')
    listed(root, 'finished', 'no run')
    assert [row.name for row in sets.load(root, 'finished')] == ['t1/0']
    err = capsys.readouterr().err
    assert 'finished.txt, line 3: no run' in err and 't1/1: statistic.json: not JSON' in err


def test_a_set_without_a_readable_run_is_refused(root):
    path = listed(root, 'paper', '# empty')
    with pytest.raises(UserError, match=r'paper.txt is empty: `record <tag>` adds a run'):
        sets.load(root, 'paper')
    listed(root, 'paper', 'nonsense line')
    with pytest.raises(UserError, match=r'no run of paper.txt can be read'):
        sets.load(root, 'paper')
    path.unlink()
    path.mkdir()
    with pytest.raises((UserError, ValueError)):
        sets.load(root, 'paper')


def test_many_complaints_are_cut(root, capsys):
    run(root, 't1/0')
    listed(root, 'finished', *(f'line {number}' for number in range(30)))
    assert len(experlist.read(root, 'finished').bad) == 30
    sets.load(root, 'finished')
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == sets.SHOWN + 1 and lines[-1] == '… and 10 more lines'
