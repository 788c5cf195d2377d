"""`rerun`: whose code, with which seed, and the verdict of a rerun with the recorded one."""

import json
import os
import subprocess

import pytest
from project_factory import Project, copied, make_project


def test_rerun_with_a_fresh_seed_is_a_side_commit_of_one_line(stubbed):
    stubbed.tagrun('run', 't1')
    stubbed.edit('model.py', 'The network', 'Edited since')
    stubbed.tagrun('rerun', 't1')
    stubbed.tagrun('rerun', 't1/1', '--seeds', '2')
    assert [stubbed.statistic(f't1/{number}')['status'] for number in range(4)] == ['finished'] * 4
    assert len({stubbed.statistic(f't1/{number}')['seed'] for number in range(4)}) == 4
    assert len(stubbed.git('diff', '--name-only', 't1', 'refs/tagrun/code/t1/3').split()) == 1


ODD = "__import__('os').environ.get('ODD')"  # what a rerun does otherwise than the run it repeats


EDITS = [
    ('dataloader.py', "'seed': args.seed,", f"'seed': args.seed + ({ODD} == 'order'),"),
    (
        'epoch.py',
        '                loss = cross_entropy(logits, y)',
        f"                loss = cross_entropy(logits, y) * (1.0001 if {ODD} == 'loss' and "
        "state.step == 20 else 1)",
    ),
    (
        'epoch.py',
        '    return state.meter.result()',
        f"    if {ODD} == 'weights' and state.epoch == 2 and train:\n        "
        "next(state.model.parameters()).data[0, 0] += 1e-7\n"
        '    return state.meter.result()',
    ),
]


DIFFERENT = {
    'order': 'the order of the samples at step 1 of epoch 1',
    'batch': 'the content of the batch at step 1 of epoch 1',
    'loss': 'the loss at step 21 of epoch 2',
    'weights': 'the weights at the end of epoch 3',
}


@pytest.fixture(scope='module')
def odd(tmp_path_factory, data):
    """A project with the run t1/0, whose code does something else where ODD is set."""
    made = make_project(tmp_path_factory.mktemp('odd') / "a 'b; c", data)
    for edit in EDITS:
        made.edit(*edit)
    made.commit()
    made.tagrun('run', '-f', 't1')
    return made


def test_rerun_with_the_recorded_seed_says_the_same_bit_for_bit(odd, tmp_path):
    project = copied(odd, tmp_path / 'copy')
    project.edit('model.py', 'The network', 'Edited since')
    assert 'the same as t1/0, bit for bit' in project.tagrun('rerun', 't1', '-f').stderr
    assert project.outcome('t1/1') == project.outcome('t1/0')
    assert json.loads((project.folder('t1/1') / 'run.json').read_text())['verdict'] == {
        'same': True
    }


SLOW = pytest.param('weights', marks=pytest.mark.slow)


@pytest.mark.parametrize('stream', ['order', 'batch', 'loss', SLOW])
def test_rerun_names_the_first_step_and_stream_that_differ(odd, tmp_path, stream):
    project = copied(odd, tmp_path / 'copy')
    if stream == 'batch':
        import numpy as np

        arrays = dict(np.load(project.root / '__data__' / 'mnist1d.npz'))
        arrays['x'] = arrays['x'] * np.float32(1.0001)
        np.savez(project.root / '__data__' / 'mnist1d.npz', **arrays)
        digest = subprocess.run(
            ['sha256sum', 'mnist1d.npz'],
            cwd=project.root / '__data__',
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        (project.root / '__data__' / 'mnist1d.npz.sha256').write_text(digest)
    told = project.tagrun('rerun', 't1', '-f', code=3, env={'ODD': stream}).stderr
    assert f'not the same as t1/0: {DIFFERENT[stream]}' in told
    assert ('data train' in told) == (stream == 'batch'), (
        'the surroundings are named where they differ'
    )
    assert json.loads((project.folder('t1/1') / 'run.json').read_text())['verdict']['same'] is False


def test_a_tag_that_was_fetched_without_its_results_can_be_rerun(stubbed, tmp_path):
    stubbed.tagrun('run', 't1')
    subprocess.run(['git', 'clone', '-q', stubbed.root, tmp_path / 'clone'], check=True)
    clone = Project(tmp_path / 'clone')
    told = clone.tagrun('rerun', 't1', '-f').stderr
    assert 'no trace or history of a run of t1 here' in told
    assert clone.outcome('t1/0') == stubbed.outcome('t1/0')


def test_a_scratch_run_by_hand_trains_the_same_and_is_not_recorded(odd, tmp_path):
    project = copied(odd, tmp_path / 'copy')
    done = subprocess.run(
        [os.sys.executable, project.root / 'code' / 'main.py'],
        cwd='/',
        env=project.env,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert project.outcome('scratch/0') == project.outcome('t1/0')
    assert project.git('tag').split() == ['t1']
    assert (
        'a scratch run has no recorded code'
        in project.tagrun('continue', 'scratch/0', code=1).stderr
    )


def test_an_evaluation_is_made_again_with_f_only_and_where_it_was_asked_for(stub_with_run):
    project = stub_with_run
    project.tagrun('evaluate', 't1')
    assert 'with -f' in project.tagrun('rerun', 't1/0/evaluation/0', code=2).stderr
    queued = project.tagrun('rerun', 't1/0/evaluation/0', '-f', '-q').stderr
    assert 't1/0/evaluation/1: again t1/0/evaluation/0' in queued
    done = project.tagrun('evaluate', 't1/0/evaluation/1')
    assert 'the same as t1/0/evaluation/0, bit for bit' in done.stderr
    refused = project.tagrun('rerun', 't1/0/evaluation/8', '-f', code=1).stderr
    assert 't1/0 has no evaluation 8: it has 0, 1' in refused
