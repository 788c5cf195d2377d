"""store/run_json.py: what the command side tells the training side, and what is refused."""

import pytest

from tagrun.store import jsonfile, run_json

COMMIT = '0123456789abcdef' * 2 + '01234567'


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / '__result__' / 't1' / '0'
    folder.mkdir(parents=True)
    return folder


def content(**more):
    return run_json.build('/project', 't1', 0, COMMIT, 7, **more)


@pytest.mark.parametrize(
    'content',
    [{}, {'contract': 1, 'tag': 't', 'id': '0', 'seed': 1}, {'contract': 1, 'tag': 't', 'id': 0}],
)
def test_a_run_json_that_lacks_a_key_is_refused(tmp_path, content):
    jsonfile.write(tmp_path / 'run.json', content)
    with pytest.raises(ValueError, match='is missing or wrong'):
        run_json.read(tmp_path)


def test_what_is_written_is_read(folder):
    run_json.write(folder, content(nproc=2))
    assert run_json.read(folder) == content(nproc=2) == run_json.read_or_none(folder)
    assert run_json.name(content()) == 't1/0' and run_json.ref(content()) == ('t1', 0)


def test_a_run_of_another_tool_has_no_seed_and_a_run_by_hand_no_commit(folder):
    run_json.write(folder, content() | {'seed': None, 'commit': None, 'imported': {'kind': 'csv'}})
    assert run_json.read(folder)['seed'] is None


@pytest.mark.parametrize(
    'more, reason',
    [
        ({'commit': '--upload-pack=x'}, "'commit' is not a commit's id"),
        ({'commit': COMMIT[:10]}, "'commit' is not a commit's id"),
        ({'nproc': 0}, "'nproc' is not a number of processes"),
        ({'nproc': True}, "'nproc' is not a number of processes"),
        ({'exact': True, 'rerun_of': '../x'}, "'rerun_of' is not a run"),
        ({'exact': True}, "'rerun_of' is not a run"),
        ({'seed': None}, "'seed' is missing or wrong"),
        ({'id': 1}, "it is that of 't1/1'"),
        ({'tag': 'x' * 500}, 'it is that of'),
    ],
)
def test_a_value_that_must_not_reach_git_or_a_launcher_is_refused(folder, more, reason):
    jsonfile.write(folder / run_json.NAME, content() | more)
    with pytest.raises(ValueError, match=reason) as raised:
        run_json.read(folder)
    assert len(str(raised.value)) < 120
    assert run_json.read_or_none(folder) is None
