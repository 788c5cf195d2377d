"""core/launch/evaluation.py: an evaluation is prepared, made, and made again."""

import os
import shutil
import signal

import pytest
from fault_calls import Calls
from stub_project import ENDINGS

from tagrun.core.cli.messages import UserError
from tagrun.core.git.repository import Repository
from tagrun.core.launch import evaluation, launch
from tagrun.core.launch.evaluation import Request
from tagrun.core.record import contract
from tagrun.store import checkpoints, evaluations, jsonfile, lock, run_json, statistic
from tagrun.store.evaluations import EvaluationRef
from tagrun.store.run_ref import RunRef

RUN = RunRef('t1', 0)


@pytest.fixture
def repository(stub_with_run):
    return Repository.at(stub_with_run.root)


@pytest.fixture
def folder(stub_with_run):
    return stub_with_run.folder('t1/0')


def create(repository, which='', phases=(), **settings):
    return evaluation.create(repository, RUN, Request(which, tuple(phases), settings))


def test_a_plan_says_what_would_be_done_and_makes_nothing(repository, folder):
    planned = evaluation.make_plan(repository, RUN, Request('', ('val',), {'lr': '1'}))
    assert str(planned) == 't1/0:epoch_1  val  lr=1.0'
    assert str(evaluation.make_plan(repository, RUN, Request())).endswith('all phases but train')
    assert not (folder / 'evaluation').exists()


def test_what_is_prepared_names_the_checkpoint_by_its_digest(repository, folder):
    own = create(repository, 'last', ('val', 'test'), lr='0.5', deep='true')
    assert own == folder / 'evaluation' / '0'
    info, of_run = run_json.read(own), run_json.read(folder)
    assert all(info[key] == of_run[key] for key in ('tag', 'id', 'commit', 'seed', 'contract'))
    assert info['evaluate'] == {
        'id': 0,
        'checkpoint': 'epoch_1.pth',
        'sha256': checkpoints.listed(folder)['epoch_1.pth'],
        'phases': ['val', 'test'],
        'set': {'lr': 0.5, 'deep': True},
        'rerun_of': None,
    }
    # a run that still trains may delete its own
    assert os.path.samefile(*(each / 'checkpoint' / 'epoch_1.pth' for each in (own, folder)))
    assert checkpoints.listed(own) == checkpoints.listed(folder)


def test_it_takes_the_inputs_that_the_run_took(repository, folder):
    record = {'pre/0': {'file': 'epoch_3.pth', 'sha256': 'f' * 64, 'what': 'code'}}
    run_json.write(folder, {**run_json.read(folder), 'inputs': record})
    assert run_json.read(create(repository))['inputs'] == record


def test_what_config_py_computes_from_a_value_changes_with_it(stubbed):
    stubbed.edit('config.py', 'model = ', 'warmup_lr = lr / 10\nmodel = ')
    stubbed.tagrun('run', 't1')
    info = run_json.read(create(Repository.at(stubbed.root), lr='0.5'))
    assert info['evaluate']['set'] == {'lr': 0.5, 'warmup_lr': 0.05}


def test_a_value_that_a_later_line_sets_is_refused(stubbed):
    stubbed.edit('config.py', 'nothing = None', 'nothing = None\nif lr > 0.2:\n    lr = 0.2')
    stubbed.tagrun('run', 't1')
    with pytest.raises(UserError, match=r'makes lr 0.2 after its own line, so --set lr=0.5 would'):
        create(Repository.at(stubbed.root), lr='0.5')


@pytest.mark.parametrize(
    'words, message',
    [
        (('9',), "t1/0 has no checkpoint '9': it has epoch_1"),
        (('', (), {'lrr': '1'}), "config.py has no argument 'lrr'. Did you mean 'lr'?"),
        (('', (), {'steps': 'x'}), 'config.py has a int there'),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_no_folder(repository, folder, words, message):
    with pytest.raises(UserError, match=message.replace('?', '[?]')):
        evaluation.create(repository, RUN, Request(*words))
    assert not (folder / 'evaluation').exists()


def test_code_of_before_the_feature_and_fetched_runs_are_refused(repository, folder, monkeypatch):
    monkeypatch.setattr(contract, 'features', lambda *_: frozenset({'nproc'}))
    with pytest.raises(UserError, match='t1/0: its code is older than `evaluate`'):
        create(repository)
    info = run_json.read(folder)
    run_json.write(folder, {**info, 'fetched_from': 'hub'})
    with pytest.raises(UserError, match='t1/0 was fetched from hub'):
        create(repository)


def test_a_checkpoint_that_is_replaced_at_that_moment_is_looked_for_again(
    repository, folder, monkeypatch
):
    real, tries = os.link, []

    def link(path, target, **how):
        tries.append(path)
        if len(tries) == 1:
            raise FileNotFoundError(2, 'gone', str(path))
        real(path, target, **how)

    monkeypatch.setattr(os, 'link', link)
    assert create(repository).name == '0' and len(tries) == 2
    assert [path.name for path in (folder / 'evaluation').iterdir()] == ['0']


def test_without_hard_links_the_checkpoint_is_copied(repository, folder, monkeypatch):
    def link(path, target, **how):
        raise PermissionError(1, 'not on this file system')

    monkeypatch.setattr(os, 'link', link)
    own = create(repository)
    assert (own / 'checkpoint' / 'epoch_1.pth').read_bytes() == b'weights'


@pytest.mark.parametrize('how, code, state', ENDINGS)
def test_however_it_ends_its_folder_says_so_and_the_run_is_as_it_was(
    repository, folder, how, code, state
):
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    own = create(repository, how=how)
    assert evaluation.evaluate_here(repository, own) == code
    assert evaluation.state(own) == state
    assert {path: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before
    assert not list((folder / 'code').rglob('__pycache__'))
    # one that was stopped may be made again
    assert (own / 'checkpoint').exists() == (code in (launch.RESUMABLE, 137))


def test_one_that_is_made_is_left_alone_and_one_at_work_refused(repository, capsys):
    own = create(repository)
    held = lock.Lock(own)
    with pytest.raises(UserError, match='t1/0/evaluation/0 is being made: process'):
        evaluation.evaluate_here(repository, own)
    held.release()
    assert evaluation.evaluate_here(repository, own) == 0
    before = (own / 'statistic.json').read_bytes()
    assert evaluation.evaluate_here(repository, own) == 0
    assert '`rerun t1/0/evaluation/0 -f` makes it again' in capsys.readouterr().err
    assert (own / 'statistic.json').read_bytes() == before


def test_one_that_failed_gets_its_checkpoint_back_as_long_as_the_run_has_it(repository, folder):
    own = create(repository, how='failed')
    assert evaluation.evaluate_here(repository, own) == 1
    info = run_json.read(own)
    info['evaluate']['set'] = {}
    run_json.write(own, info)
    shutil.move(folder / 'checkpoint', folder / 'moved')
    with pytest.raises(UserError, match='t1/0 does not have that epoch_1.pth any more'):
        evaluation.evaluate_here(repository, own)
    shutil.move(folder / 'moved', folder / 'checkpoint')
    assert evaluation.evaluate_here(repository, own) == 0


def test_the_frozen_code_is_written_again_from_git(repository, folder, capsys):
    (folder / 'code' / 'model.py').unlink()
    assert evaluation.evaluate_here(repository, create(repository)) == 0
    assert 'had been changed (model.py)' in capsys.readouterr().err
    assert (folder / 'code' / 'model.py').is_file()


def test_what_is_not_as_it_was_in_training_is_said(repository, folder, capsys):
    jsonfile.write(
        folder / 'environment.json', {'torch': '2.12.0', 'data': {'val': {'samples': 4}}}
    )
    for settings in ({}, {'lr': '0.5'}):
        own = create(repository, **settings)
        here = {'torch': '2.13.0', 'data': {'val': {'samples': 5}}}
        jsonfile.write(own / 'environment.json', here)
        evaluation.evaluate_here(repository, own)
        said = capsys.readouterr().err
        assert 'not as when t1/0 was trained' in said
        assert 'torch: 2.12.0 there, 2.13.0 here' in said
        # what was set may be meant to change the data
        assert ('data val' in said) == (not settings) and 'argument' not in said


def test_again_means_the_same_checkpoint_phases_and_values(repository, folder, capsys):
    first = create(repository, 'best', ('val',), lr='0.5')
    evaluation.evaluate_here(repository, first)
    original = EvaluationRef(RUN, 0)
    again = evaluation.create_again(repository, original)
    expected = {**run_json.read(first)['evaluate'], 'id': 1, 'rerun_of': 0}
    assert run_json.read(again)['evaluate'] == expected
    assert evaluation.evaluate_here(repository, again) == 0
    assert 'the same as t1/0/evaluation/0, bit for bit: 1 metric' in capsys.readouterr().err
    assert run_json.read(again)['verdict'] == {'same': True}
    checkpoints.write_sums(folder, {'epoch_1.pth': 'f' * 64})
    with pytest.raises(UserError, match='measured epoch_1.pth of t1/0, and that is another one'):
        evaluation.create_again(repository, original)
    checkpoints.write_sums(folder, {})
    with pytest.raises(UserError, match='and that is not here any more'):
        evaluation.create_again(repository, original)


def test_the_line_of_a_result_has_every_number(repository, monkeypatch):
    monkeypatch.chdir(repository.root)
    own = create(repository)
    evaluation.evaluate_here(repository, own)
    content = statistic.read(own)
    jsonfile.write(own / 'statistic.json', {**content, 'metric': {'a': 1e-7, 'b': float('nan')}})
    expected = ['t1/0:epoch_1', 'a 1.000e-07', 'b nan', '-> __result__/t1/0/evaluation/0']
    assert evaluation.result_parts(own) == expected


def test_killed_while_it_is_prepared_it_is_whole_or_none(repository, folder):
    """At each change that is made to a file."""
    at, prepared = 1, []
    while True:
        child = os.fork()
        if not child:
            try:
                Calls(folder, 'kill', at=at)
                create(repository)
            finally:
                os._exit(0)
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != -signal.SIGKILL:
            break
        own = folder / 'evaluation' / str(len(evaluations.of_run(repository.root, RUN)) - 1)
        prepared.append((own / 'run.json').exists())
        if prepared[-1]:
            assert checkpoints.listed(own) == checkpoints.listed(folder)
        at += 1
    assert len(prepared) > 8 and prepared == sorted(prepared)
    assert evaluation.evaluate_here(repository, create(repository)) == 0


def test_two_at_once_get_numbers_and_folders_of_their_own(repository):
    children = []
    for _ in range(4):
        child = os.fork()
        if not child:
            code = 1
            try:
                code = evaluation.evaluate_here(repository, create(repository))
            finally:
                os._exit(code)
        children.append(child)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    refs = evaluations.of_run(repository.root, RUN)
    assert codes == [0] * 4 and [ref.number for ref in refs] == [0, 1, 2, 3]
    states = {evaluation.state(ref.folder(repository.root)) for ref in refs}
    assert states == {statistic.FINISHED}


def test_a_run_that_is_trained_meanwhile_is_evaluated(repository, folder):
    held = lock.Lock(folder)
    assert evaluation.evaluate_here(repository, create(repository)) == 0
    held.release()


def test_one_that_did_not_finish_is_nothing_to_compare_with(repository):
    evaluation.evaluate_here(repository, create(repository, how='failed'))
    with pytest.raises(UserError, match='`tagrun evaluate t1/0/evaluation/0` makes it'):
        evaluation.create_again(repository, EvaluationRef(RUN, 0))
