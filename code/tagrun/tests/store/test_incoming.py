"""Runs from elsewhere: made whole in a folder of their own, which a kill may leave."""

import os

import pytest
import run_factory

from tagrun.store import experlist, incoming, layout, run_json, statistic
from tagrun.store.incoming import Incoming
from tagrun.store.run_ref import RunRef

RUN = RunRef('t1', 0)


def write(folder, run=RUN, status='finished'):
    run_json.write(folder, run_json.build('/here', *run, 'a' * 40, 1, fetched_from='origin'))
    statistic.write(folder, {'run': str(run), 'status': status})


def bring(root, run=RUN):
    with Incoming(root) as each:
        folder = each.new_folder()
        each.add_to('finished', run)
        write(folder, run)
        assert each.place(folder, run)
        each.is_whole(run)


def test_a_run_gets_its_name_and_its_line_and_nothing_else_stays(tmp_path):
    bring(tmp_path)
    assert run_json.read(RUN.folder(tmp_path))['fetched_from'] == 'origin'
    assert experlist.read(tmp_path, 'finished').runs == [RUN]
    assert os.listdir(layout.result(tmp_path)) == ['t1']


def test_a_name_that_another_run_has_is_not_taken(tmp_path):
    run_factory.run(tmp_path, 't1/0')
    with Incoming(tmp_path) as each:
        folder = each.new_folder()
        write(folder)
        assert not each.place(folder, RUN)
    assert not run_json.read(RUN.folder(tmp_path)).get('fetched_from')


def left_by_a_kill(root, status, run=RUN):
    """What a kill leaves between a run's name and its line."""
    child = os.fork()
    if not child:
        with Incoming(root) as each:
            folder = each.new_folder()
            each.add_to('finished', run)
            write(folder, run, status)
            each.place(folder, run)
            each.new_folder()
            os._exit(0)
    os.waitpid(child, 0)


@pytest.mark.parametrize('status, runs', [('finished', [RUN]), ('failed', [])])
def test_the_next_one_completes_the_lists_and_removes_what_is_half(tmp_path, status, runs):
    left_by_a_kill(tmp_path, status)
    assert incoming.is_left(tmp_path)
    incoming.finish(tmp_path)
    assert not incoming.is_left(tmp_path)
    assert os.listdir(layout.result(tmp_path)) == ['t1']
    if runs:
        assert experlist.read(tmp_path, 'finished').runs == runs
    else:
        assert not layout.list_file(tmp_path, 'finished').exists()


@pytest.mark.parametrize(
    'line', ['finished t1/0', '../x t1/0', 'x ../../y', 'finished', '', '\0', 'finished own/0']
)
def test_a_planted_list_adds_no_run_that_came_not_from_elsewhere(tmp_path, line):
    folder = run_factory.run(tmp_path, 'own/0')
    layout.list_file(tmp_path, 'finished').write_text('# mine\n')
    (folder.parents[1] / incoming.NAME).mkdir()
    (folder.parents[1] / incoming.NAME / incoming.LISTS).write_text(line + '\n')
    incoming.finish(tmp_path)
    assert layout.list_file(tmp_path, 'finished').read_text() == '# mine\n'
    assert len(os.listdir(layout.statistic(tmp_path) / 'exper-list')) == 1


def test_one_at_work_is_not_left_by_a_kill(tmp_path):
    assert not incoming.is_left(tmp_path)
    with Incoming(tmp_path):
        assert not incoming.is_left(tmp_path)


def test_nothing_is_made_behind_a_link(tmp_path):
    (tmp_path / 'elsewhere').mkdir()
    layout.result(tmp_path).mkdir()
    (layout.result(tmp_path) / 't1').symlink_to(tmp_path / 'elsewhere')
    with pytest.raises(OSError, match='link'):
        bring(tmp_path)
    assert not os.listdir(tmp_path / 'elsewhere')


@pytest.mark.parametrize(
    'torn, lines', [('t', ['t1/0']), ('t1/0', ['t1/0']), ('', ['t1/0']), ('b', ['b', 't1/0'])]
)
def test_a_line_that_a_kill_cut_off_is_completed(tmp_path, torn, lines):
    left_by_a_kill(tmp_path, 'finished')
    path = run_factory.listed(tmp_path, 'finished')
    path.write_text(torn)
    incoming.finish(tmp_path)
    assert path.read_text().splitlines() == lines
    incoming.finish(tmp_path)
    assert path.read_text().splitlines() == lines


def test_a_line_that_nobody_ended_is_not_taken_for_a_cut_one(tmp_path):
    run_factory.run(tmp_path, 't1/1')
    with Incoming(tmp_path):
        pass
    path = layout.list_file(tmp_path, 'finished')
    path.write_text('t1/1')
    left_by_a_kill(tmp_path, 'finished', RunRef('t1', 10))
    incoming.finish(tmp_path)
    assert path.read_text().splitlines() == ['t1/1', 't1/10']
