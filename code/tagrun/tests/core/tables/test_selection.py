"""core/tables/selection.py: which rows and columns, and in which order."""

import argparse
import math
import re

import pytest
from run_factory import listed, run

from tagrun.core.cli.messages import UserError
from tagrun.core.tables import selection
from tagrun.core.tables.selection import STATUS, Selection
from tagrun.store import layout
from tagrun.store.run_ref import RunRef


def parsed(*words):
    parser = argparse.ArgumentParser()
    selection.add_options(parser)
    (choice,) = selection.read_options(parser.parse_args(words))
    return choice


def names(table):
    return [row.name for row in table.rows]


@pytest.fixture
def filled(root):
    for number, acc in enumerate((0.5, math.nan, 0.9, 0.7)):
        run(root, f't1/{number}', metric={'val/acc': acc}, hparam={'lr': number})
    return root


def test_the_options_are_values():
    assert parsed() == Selection()
    words = ['paper', '--sort-by', 'acc', '--where', 'acc > 0', '--group', '--top', '3']
    chosen = parsed(*words, '--keep', 'lr|seed', '--only-changed')
    assert chosen.set == 'paper' and chosen.top == 3 and chosen.group and chosen.only_changed
    assert chosen.keep == re.compile('lr|seed') and chosen.drop is None


def test_several_sets_are_a_selection_each():
    parser = argparse.ArgumentParser()
    selection.add_options(parser)
    choices = selection.read_options(parser.parse_args(['a', 'b', '--top', '3']))
    assert choices == [Selection(set='a', top=3), Selection(set='b', top=3)]


def test_over_goes_with_group():
    assert parsed('--group', '--over', 'fold').words() == ['--group', '--over', 'fold']
    with pytest.raises(UserError, match='--group --over fold') as refusal:
        parsed('--over', 'fold')
    assert refusal.value.code == 2


def test_an_argument_that_no_run_has_is_refused(filled):
    with pytest.raises(UserError, match="no run has an argument 'hiden'. Did you mean 'hidden'?"):
        selection.select(filled, Selection(group=True, over='lr,hiden'))


def test_lines_of_the_title_that_no_run_has_are_named(filled, capsys):
    path = layout.title_file(filled, 'finished')
    path.parent.mkdir(parents=True)
    path.write_text(
        '{"hparam": ["lr", "dropout"], "metric": ["val/acc", "val/f1"], "run": ["seed"]}'
    )
    selection.select(filled, Selection(drop=re.compile('f1')))
    assert capsys.readouterr().err.endswith('finished.json: no run has dropout, val/f1\n')
    path.write_text('{"hparam": ["lr"], "metric": ["val/acc"]}')
    selection.select(filled, Selection())
    assert capsys.readouterr().err == "the set 'finished'\n"


def test_a_selection_is_the_words_that_ask_for_it():
    words = ['paper', '--sort-by', 'acc', '--sort-order', 'asc', '--group', '--top', '3']
    chosen = parsed(*words, '--keep', 'lr', '--only-changed')
    assert chosen.words() == [*words, '--keep', 'lr', '--only-changed']
    assert Selection().words() == []


@pytest.mark.parametrize('text', ['0', '-1', 'x', '1.5', '9' * 5000])
def test_the_number_of_rows_is_validated(text, capsys):
    with pytest.raises(SystemExit) as exit:
        parsed(f'--top={text}')
    assert (
        exit.value.code == 2 and 'is not a number of rows; e.g. --top 10' in capsys.readouterr().err
    )


def test_an_invalid_pattern_is_refused():
    with pytest.raises(UserError, match=r"'\(' is not a valid regular expression") as refusal:
        parsed('--drop', '(')
    assert refusal.value.code == 2


@pytest.mark.parametrize(
    'chosen, expected',
    [
        (Selection(), '0123'),
        (Selection(sort_by='acc'), '2301'),
        (Selection(sort_by='acc', sort_order='asc'), '0321'),
        (Selection(sort_by='lr', sort_order='desc'), '3210'),
        (Selection(top=2), '23'),
        (Selection(where='acc < 0.8'), '03'),
    ],
)
def test_rows_are_filtered_sorted_and_cut(filled, chosen, expected):
    assert [name[-1] for name in names(selection.select(filled, chosen))] == list(expected)


def test_a_condition_that_no_run_meets_is_refused(filled):
    with pytest.raises(UserError, match='of 4 runs none has acc > 2'):
        selection.select(filled, Selection(where='acc > 2'))


def test_drop_leaves_columns_out_and_keep_brings_them_back(filled):
    chosen = Selection(drop=re.compile('.'), keep=re.compile('^(lr|seed)$'))
    columns = selection.select(filled, chosen).columns
    assert [column.name for column in columns] == ['lr', 'seed']
    chosen = Selection(only_changed=True, keep=re.compile('model'))
    columns = selection.select(filled, chosen).columns
    assert [column.name for column in columns] == ['model', 'lr', 'val/acc']


def test_the_title_file_says_which_columns(filled):
    path = layout.title_file(filled, 'finished')
    path.parent.mkdir()
    path.write_text('{"hparam": ["lr"]}')
    assert [column.name for column in selection.select(filled, Selection()).columns] == ['lr']
    path.write_text('{')
    with pytest.raises(UserError, match=r'finished\.json'):
        selection.select(filled, Selection())


def test_the_status_comes_first_where_a_run_is_not_finished(filled, capsys):
    assert STATUS not in selection.select(filled, Selection()).columns
    run(filled, 'scratch/0', status='failed')
    assert selection.select(filled, Selection()).columns[0] == STATUS
    assert 'scratch/0 is a run by hand: no commit has its code' in capsys.readouterr().err


def test_more_runs_are_added_once_and_need_no_list(filled):
    run(filled, 't2/0')
    more = [RunRef('t1', 3), RunRef('t2', 0)]
    listed(filled, 'paper', 't1/3', 't1/0')
    assert names(selection.select(filled, Selection(set='paper'), more)) == ['t1/3', 't1/0', 't2/0']
    layout.list_file(filled, 'finished').unlink()
    layout.list_file(filled, 'paper').unlink()
    table = selection.select(filled, Selection(), more)
    assert table.name == 'finished' and names(table) == ['t1/3', 't2/0']
