"""store/evaluations.py: the folders of evaluations, and how they are named."""

import pytest
from run_factory import run

from tagrun.store import evaluations, run_json
from tagrun.store.evaluations import EvaluationRef
from tagrun.store.run_ref import RunRef

SECOND = EvaluationRef(RunRef('t1', 0), 2)


def prepared(folder, **more):
    """Write the run.json of an evaluation."""
    request = {'id': int(folder.name), 'checkpoint': 'epoch_3.pth', 'sha256': 'f' * 64, **more}
    content = run_json.build('/root', 't1', 0, 'c' * 40, 7, evaluate=request)
    run_json.write(folder, content)
    return content


def test_it_is_written_as_it_is_read_and_lies_in_its_runs_folder(tmp_path):
    assert str(SECOND) == 't1/0/evaluation/2' and SECOND.tag == 't1'
    assert EvaluationRef.parse('t1/0/evaluation/2') == SECOND
    folder = tmp_path / '__result__' / 't1' / '0' / 'evaluation' / '2'
    assert SECOND.folder(tmp_path) == folder
    assert evaluations.of_folder(folder) == SECOND
    assert evaluations.of_folder(folder.parents[1]) == RunRef('t1', 0)


@pytest.mark.parametrize(
    'text', ['t1/0', 't1/evaluation/2', 't1/0/evaluation', 't1/0/evaluation/x', '../0/evaluation/1']
)
def test_nothing_else_is_one(text):
    assert EvaluationRef.parse(text) is None


def test_a_tag_of_that_name_has_runs(tmp_path):
    folder = RunRef('evaluation', 3).folder(tmp_path)
    assert not evaluations.is_evaluation(folder)
    assert evaluations.of_folder(folder) == RunRef('evaluation', 3)
    inner = EvaluationRef(RunRef('evaluation', 3), 0).folder(tmp_path)
    assert str(evaluations.of_folder(inner)) == 'evaluation/3/evaluation/0'


def test_numbers_are_claimed_by_whoever_makes_the_folder(tmp_path):
    folder = run(tmp_path, 't1/0')
    assert evaluations.of_run(tmp_path, RunRef('t1', 0)) == []
    assert [evaluations.claim(folder)[0] for _ in range(3)] == [0, 1, 2]
    (folder / 'evaluation' / 'notes').mkdir()
    found = evaluations.of_runs(tmp_path, [RunRef('t1', 0), RunRef('t2', 0)])
    assert found == [EvaluationRef(RunRef('t1', 0), number) for number in range(3)]


def test_nothing_is_made_through_a_link(tmp_path):
    folder = run(tmp_path, 't1/0')
    (tmp_path / 'elsewhere').mkdir()
    (folder / 'evaluation').symlink_to(tmp_path / 'elsewhere')
    with pytest.raises(OSError, match='a link to another place'):
        evaluations.claim(folder)
    assert evaluations.of_run(tmp_path, RunRef('t1', 0)) == []


def test_its_run_json_is_read_where_it_belongs_and_nowhere_else(tmp_path):
    number, folder = evaluations.claim(run(tmp_path, 't1/0'))
    prepared(folder)
    content = run_json.read(folder)
    assert run_json.name(content) == f't1/0/evaluation/{number}'
    assert content['evaluate']['phases'] is None and content['evaluate']['set'] == {}
    _, other = evaluations.claim(run(tmp_path, 't2/0'))
    (other / 'run.json').write_bytes((folder / 'run.json').read_bytes())
    with pytest.raises(ValueError, match="it is that of 't1/0/evaluation/0'"):
        run_json.read(other)


@pytest.mark.parametrize(
    'wrong, reason',
    [
        ({'id': '0'}, 'is not an evaluation'),
        ({'checkpoint': '../../epoch_3.pth'}, "is not a file's name"),
        ({'sha256': None}, 'has no sha256'),
        ({'phases': 'test'}, 'is not a list of names'),
        ({'phases': [1]}, 'is not a list of names'),
        ({'set': []}, 'is not an object'),
        ({'rerun_of': 't1/0'}, 'is not an evaluation'),
    ],
)
def test_what_must_not_reach_a_path_or_training_is_refused(tmp_path, wrong, reason):
    _, folder = evaluations.claim(run(tmp_path, 't1/0'))
    prepared(folder, **wrong)
    with pytest.raises(ValueError, match=reason):
        run_json.read(folder)
