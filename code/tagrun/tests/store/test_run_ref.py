"""store/run_ref.py: which run, how it is written, and its refs and folder."""

from pathlib import Path

import pytest

from tagrun.store import run_ref
from tagrun.store.run_ref import RunRef


def test_a_run_name_is_two_parts_the_second_a_number():
    assert (
        run_ref.split('t1/12') == ('t1', 12)
        and run_ref.split('t1') == ('t1', None)
        and run_ref.split('scratch/0') == ('scratch', 0)
    )
    for word in (
        't1/',
        't1/x',
        't1/01',
        't1/-1',
        't1/0/1',
        '../0',
        '/abs/0',
        't1/../..',
        '',
        't1/9999999999',
    ):
        assert run_ref.split(word) is None, word


def test_it_is_parsed_printed_and_equal_to_the_tuple():
    run = RunRef.parse('t1/12')
    assert run == ('t1', 12) and str(run) == 't1/12' and f'{run}' == 't1/12'
    assert RunRef.parse('t1') is None and RunRef.parse('t1/x') is None
    assert sorted([RunRef('b', 0), RunRef('a', 10), RunRef('a', 9)])[0] == ('a', 9)


def test_its_folder_and_back():
    folder = RunRef('t1', 0).folder('/project')
    assert folder == Path('/project/__result__/t1/0') and RunRef.of_folder(folder) == ('t1', 0)
    with pytest.raises(ValueError):
        RunRef.of_folder(Path('/project/__result__/t1/notes'))


def test_what_git_calls_it():
    run = RunRef('t1', 0)
    assert run.tag_ref == 'refs/tags/t1'
    assert run.code_ref == 'refs/tagrun/code/t1/0'
    assert run.result_ref == 'refs/tagrun/result/t1/0'
    assert run_ref.remote_prefix('origin') == 'refs/tagrun/remote/origin/'
    assert run_ref.remote_prefix('origin', 'tag') == 'refs/tagrun/remote/origin/tag/'
