"""The files of shared results: what is read from git, and what becomes of it here."""

import json
import subprocess

import pytest

from tagrun.core.git.repository import Repository
from tagrun.extra.sharing import result_files
from tagrun.extra.sharing.result_files import Result
from tagrun.store.run_ref import RunRef

CODE = 'c' * 40
RUN = RunRef('t1@origin', 0)
NAMES = {RunRef('t1', 0): RUN, RunRef('t0', 3): RunRef('t0', 3)}


def commit_object(parent=CODE, subject='result of t1/0'):
    return f'tree {"a" * 40}\nparent {parent}\nauthor A <a@b> 1 +0000\n\n{subject}\n'.encode()


def result(content=(), info=(), subject='result of t1/0', **files):
    content = {'run': 't1/0', 'status': 'finished', 'metric': {'val/acc': 0.5}, **dict(content)}
    info = {'tag': 't1', 'id': 0, 'seed': 7, **dict(info)}
    files = {
        'log': b'a line',
        'statistic.json': json.dumps(content).encode(),
        'run.json': json.dumps(info).encode(),
        **{name.replace('_', '.'): text for name, text in files.items()},
    }
    return Result(commit_object(subject=subject), files)


def convert(result):
    return result_files.convert('/here', 'origin', RUN, CODE, result, NAMES)


def test_a_run_lies_here_under_its_name_here():
    files = convert(result())
    # the first says where it is from, with the last it is complete
    assert list(files) == ['run.json', 'log', 'statistic.json']
    assert files['log'] == b'a line'
    statistic, info = files['statistic.json'], files['run.json']
    assert (statistic['run'], statistic['commit'], statistic['fetched_from']) == (
        't1@origin/0',
        CODE,
        'origin',
    )
    assert statistic['metric'] == {'val/acc': 0.5} and statistic['status'] == 'finished'
    assert (info['tag'], info['id'], info['seed'], info['root'], info['fetched_from']) == (
        't1@origin',
        0,
        7,
        '/here',
        'origin',
    )


@pytest.mark.parametrize(
    'status, subject, here',
    [
        ('running', 'result of t1/0 so far', 'running'),
        ('running', 'result of t1/0', 'killed'),
        ('failed', 'result of t1/0', 'failed'),
        (['finished'], 'result of t1/0', 'killed'),
        (None, 'result of t1/0', 'killed'),
    ],
)
def test_a_run_that_says_running_in_its_last_result_was_killed(status, subject, here):
    files = convert(result({'status': status}, subject=subject))
    assert files['statistic.json']['status'] == here


def test_the_run_that_it_repeats_has_its_name_here():
    verdict = {'same': True}
    info = {'rerun_of': 't1/0', 'exact': True, 'verdict': verdict, 'continued_from': 't0/3'}
    run = convert(result(info=info))['run.json']
    assert (run['rerun_of'], run['continued_from']) == ('t1@origin/0', 't0/3')
    assert run['exact'] is True and run['verdict'] == verdict


@pytest.mark.parametrize(
    'info',
    [
        {'rerun_of': 'unknown/0', 'exact': True, 'verdict': {'same': True}},
        {'rerun_of': '../x', 'exact': True},
        {'rerun_of': 3, 'exact': True},
        {'exact': True},
        {'resume': '../../x', 'root': '/', 'nproc': 10**9},
    ],
)
def test_nothing_else_of_anothers_run_json_is_taken(info):
    run = convert(result(info=info))['run.json']
    assert not {'rerun_of', 'exact', 'verdict', 'nproc'} & set(run)
    assert run['resume'] is None and run['root'] == '/here'


@pytest.mark.parametrize(
    'damaged, why',
    [
        (Result(None, {}), 'its result is not a commit'),
        (Result(commit_object(parent='d' * 40), {}), 'not that of its code'),
        (Result(b'tree a\n\nno parent', {}), 'not that of its code'),
        (Result(commit_object(), {'run.json': b'{}'}), 'there is no statistic.json'),
        (result(run_json=b'[1]'), 'run.json: not a JSON object'),
        (result(statistic_json=b'[' * 100_000), 'statistic.json: not JSON'),
        (result(info={'seed': '1'}), "'seed' is missing or wrong"),
        (result(info={'seed': True}), "'seed' is missing or wrong"),
    ],
)
def test_what_is_damaged_is_said(damaged, why):
    with pytest.raises(ValueError, match=why):
        convert(damaged)


@pytest.fixture
def repository(tmp_path):
    subprocess.run(['git', 'init', '-q', tmp_path], check=True)
    return Repository.at(tmp_path)


def test_files_of_many_results_are_read_at_once(repository):
    files = {'statistic.json': b'{}', 'other': b'not taken', 'log': b'line\n'}
    first = repository.commit_tree(repository.make_tree(files), None, 'result of t1/0')
    second = repository.commit_tree(repository.make_tree({}), first, 'result of t1/1')
    results = result_files.read(repository, [first, second])
    assert results[first].files == {'statistic.json': b'{}', 'log': b'line\n'}
    assert b'result of t1/1' in results[second].commit and results[second].files == {}
    assert result_files.read(repository, []) == {}


def test_what_is_too_large_or_not_a_file_or_not_a_commit_is_left_out(repository, monkeypatch):
    monkeypatch.setattr(result_files, 'MAX_BYTES', 1000)
    inner = repository.make_tree({'x': b'1'})
    blob = repository.store(b'y' * 1001)
    listing = f'040000 tree {inner}\tlog\0' + f'100644 blob {blob}\thistory.csv\0'
    tree = repository.git('mktree', '-z', data=listing.encode()).strip()
    commit = repository.commit_tree(tree, None, 'r')
    results = result_files.read(repository, [commit, blob, 'f' * 40])
    assert results[commit].files == {} and results[commit].commit
    assert results[blob] == results['f' * 40] == Result(None, {})


# ---- what a run took from others ----

SOURCE = {'file': 'epoch_3.pth', 'sha256': 'a' * 64, 'what': 'weights'}


def test_its_inputs_have_the_names_of_the_runs_here():
    files = convert(result({'inputs': {'t1/0': SOURCE}}, {'inputs': {'t1/0': SOURCE}}))
    expected = {'t1@origin/0': SOURCE}
    assert files['run.json']['inputs'] == files['statistic.json']['inputs'] == expected
    elsewhere = {'x.pth': {**SOURCE, 'file': 'x.pth'}, 'unknown/7': SOURCE}
    assert convert(result((), {'inputs': elsewhere}))['run.json']['inputs'] == elsewhere


def test_inputs_that_were_not_recorded_are_unknown_and_not_none():
    assert 'inputs' not in convert(result({'inputs': {'t1/0': SOURCE}}))['run.json']
    files = convert(result({'inputs': {'t1/0': SOURCE}}, {'inputs': {}}))
    assert files['run.json']['inputs'] == {} and 'inputs' not in files['statistic.json']


@pytest.mark.parametrize('inputs', [[], {'../x': SOURCE}, {'t1/0': {**SOURCE, 'file': '/etc/x'}}])
def test_hostile_inputs_are_refused(inputs):
    with pytest.raises(ValueError, match='^run.json: '):
        convert(result((), {'inputs': inputs}))
