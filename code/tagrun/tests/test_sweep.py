"""Sweeps: what their words mean, that each trial is a run of its own, and that a sweep that was stopped or killed goes on where it stood."""
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time

import pexpect
import pytest
import stub
from conftest import CODE, make_project, wait_for
from killing import kill_all, pids

from tagrun.command.say import Refusal
from tagrun.extra import grid
from tagrun.store import lock, pruning

CONFIG = "model = 'cnn'\nhidden = 100\nlr = 0.01\ndeep = False\nphases = ('train', 'val')\nnothing = None\nsteps = 6000 // 40\n"
NETS = ('sweep', 'nets', 'model=mlp,cnn', 'lr=0.3,0.2', '--seeds', '2', '-f')


@pytest.fixture
def stubbed(tmp_path):
    return stub.make(tmp_path / "a 'b; c")


@pytest.fixture(scope='module')
def nets(tmp_path_factory):
    """A stub project with the eight trials of NETS, two at once."""
    made = stub.make(tmp_path_factory.mktemp('nets') / "a 'b; c")
    made.git('config', 'tagrun.curves', 'true')
    made.first = made.tagrun(*NETS, '-j', '2')
    return made


# --- what the words mean ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('word, texts', [
    ('lr=0.1,0.01', ['0.1', '0.01']), ('lr=1', ['1.0']), ('lr=0.1,1e-1,.1', ['0.1']), ('lr=-1,+2', ['-1.0', '2.0']),
    ('model=mlp,cnn', ["'mlp'", "'cnn'"]), ("model='a,b',c", ["'a,b'", "'c'"]), ("model=''", ["''"]), ('model=1', ["'1'"]),
    ('hidden=range(1,5)', ['1', '2', '3', '4']), ('hidden=range(50,200,50),7', ['50', '100', '150', '7']), ('hidden=1e3', ['1000']),
    ('hidden=range(1,1e1,3)', ['1', '4', '7']), ('lr=range(0,0.5,0.1)', ['0.0', '0.1', '0.2', '0.3', '0.4']), ('lr=range(1,3)', ['1.0', '2.0']),
    ('lr=log(1e-4,1e-1)', ['0.0001', '0.001', '0.01', '0.1']), ('lr=log(1e-2,1,5)', ['0.01', '0.0316228', '0.1', '0.316228', '1.0']),
    ('hidden=log(16,64,3)', ['16', '32', '64']), ('deep=true,False', ['True', 'False']), ('nothing=None,3,x', ['None', '3', "'x'"]),
    ("phases=('train',),('train','val')", ["('train',)", "('train', 'val')"]), ('steps=7', ['7'])])
def test_a_word_stands_for_the_values_it_names(word, texts):
    name = word.partition('=')[0]
    assert grid.parse([word], CONFIG)[name].texts == texts


@pytest.mark.parametrize('words, sentence', [
    (['modle=mlp'], "Did you mean 'model'?"), (['hidden=0.5'], 'whole number 100'), (['lr=fast'], 'has a float there'), (['deep=2'], 'has a bool there'),
    (['lr=0.1,'], 'empty value'), (['lr=(1,2'], 'not closed'), (["model='a"], 'not closed'), (['lr=0.1', 'lr=0.2'], 'there twice'), (['seed=1,2'], '--seeds'),
    (['lr=range(0.0,0.5)'], 'a grid needs steps'), (['lr=log(0,1)'], 'above 0'), (['lr=log(1,2,1)'], '2 or more'), (['lr=range(2,1)'], 'it goes up'),
    (['lr=range(0,1,-1)'], 'it goes up'), (['lr=range(a,b)'], 'takes numbers'), (['lr=range(1)'], 'range(first,end)'), (['hidden=range(1,1e9)'], 'too many'),
    (['lr=range(nan,1)'], 'takes numbers'), (['lr=nan'], 'has a float there'), (['hidden=range(0,5000)', 'lr=range(0,5000)'], 'too many'),
    (['lr=log(1e-400,1)'], 'takes numbers'), (['lr=range(0.0,0.5),3'], 'stands alone')])
def test_what_cannot_be_meant_is_refused_with_the_cure(words, sentence):
    with pytest.raises(Refusal) as refused:
        grid.combinations(grid.parse(words, CONFIG))
    assert sentence in str(refused.value)


def test_the_last_word_changes_fastest():
    assert grid.combinations(grid.parse(['model=a,b', 'hidden=1,2'], CONFIG)) == [
        {'model': "'a'", 'hidden': '1'}, {'model': "'a'", 'hidden': '2'}, {'model': "'b'", 'hidden': '1'}, {'model': "'b'", 'hidden': '2'}]


# --- what a sweep leaves ------------------------------------------------------------------------------------------------


def test_every_trial_is_a_run_that_differs_by_its_literals(nets):
    changed = [line for line in nets.git('diff', '-U0', 'nets', 'refs/tagrun/code/nets/7').splitlines() if re.match('[-+][^-+]', line)]
    assert sorted(line.split(' #')[0].strip() for line in changed) == sorted([
        '-lr = 0.1', '+lr = 0.2', "-model = 'none'", "+model = 'cnn'", '-4242', f'+{nets.statistic("nets/7")["seed"]}'])
    assert nets.git('rev-parse', 'refs/tagrun/code/nets/7^').strip() == nets.git('rev-parse', 'nets^{commit}').strip()
    assert [nets.statistic(f'nets/{number}')['hparam']['lr'] for number in range(8)] == [0.3, 0.3, 0.2, 0.2] * 2
    assert nets.statistic('nets/0')['seed'] == 4242 == nets.statistic('nets/6')['seed'] != nets.statistic('nets/7')['seed'] == nets.statistic('nets/1')['seed']
    assert not nets.git('status', '--porcelain') and nets.git('log', '--oneline', 'HEAD').count('\n') == 1
    assert 'nets/7 finished' in nets.first.stderr and '8/8 done' in nets.first.stderr and 'model=cnn lr=0.2, seed 2' in nets.first.stderr


def test_the_table_of_a_sweep_is_there_at_its_end(nets):
    assert [line.split() for line in nets.first.stdout.splitlines()[2:]] == [
        ['nets/0-1', '0.3', 'mlp'], ['nets/2-3', '0.2', 'mlp'], ['nets/4-5', '0.3', 'cnn'], ['nets/6-7', '0.2', 'cnn']]
    assert (nets.root / '__statistic__' / 'exper-list' / 'nets.txt').read_text().split() == [f'nets/{number}' for number in range(8)]
    assert nets.tagrun('table', 'nets', '--only-changed').stdout.count('nets/') == 8
    assert sorted(path.name for path in (nets.root / '__statistic__' / 'plot').iterdir()) == ['nets-over-lr.png', 'nets-over-model.png']


def test_the_same_command_does_nothing_and_another_adds_what_is_new(nets):
    nets.tagrun(*NETS)
    assert sorted(path.name for path in nets.folder('nets').glob('[0-9]*')) == list('01234567')
    listed = nets.tagrun('sweep', 'nets', 'model=mlp,gru', 'lr=0.3,0.2', '--seeds', '2', '-n').stdout.splitlines()
    assert [line.split()[:2] for line in listed] == [['nets/0', 'finished'], ['nets/1', 'finished'], ['nets/2', 'finished'], ['nets/3', 'finished'],
                                                     *[['new', 'model=gru']] * 4]
    assert sorted(path.name for path in nets.folder('nets').glob('[0-9]*')) == list('01234567')


def test_rerun_and_continue_take_a_trial_like_any_run(nets):
    assert 'is finished' in nets.tagrun('continue', 'nets/5').stderr
    again = nets.tagrun('rerun', 'nets/5', '-f')
    assert 'nets/8: again nets/5' in again.stderr and 'the same as nets/5' in again.stderr
    nets.tagrun(*NETS)      # which is not taken for a trial
    assert len((nets.folder('nets/8') / 'log').read_text().splitlines()) == 1


def test_a_dry_run_leaves_nothing(stubbed):
    listed = stubbed.tagrun('sweep', 't', 'lr=log(1e-4,1e-1)', '-n')
    assert listed.stdout.splitlines() == ['t/0  lr=0.0001', 't/1  lr=0.001', 't/2  lr=0.01', 't/3  lr=0.1']
    assert not stubbed.git('for-each-ref', 'refs/tags', 'refs/tagrun') and not (stubbed.root / '__result__').exists()


@pytest.mark.parametrize('words, code, sentence', [
    (['first', 'lr=1'], 1, "'first' exists"), (['t', 'lr=1', '--vary', 'no.patch'], 1, 'No such file'), (['t', 'lr=1', '--vary', 'branch:no'], 1, 'no branch'),
    (['t', 'lr'], 2, 'name=values'), (['t=1'], 2, 'a tag and name=values'), (['t'], 2, 'values are needed'), (['t', 'lr=1', '--search', 'tpe'], 2, '--trials'),
    (['t', 'lr=1', '--seeds', '0'], 2, '1 or more'), (['t', 'lr=1', '-q', '--prune', 'median'], 2, 'leave out --on queue'), (['-t', 'lr=1'], 2, '')])
def test_what_cannot_be_swept_is_refused_before_a_tag_is_spent(stubbed, words, code, sentence):
    stubbed.git('tag', 'first')
    assert sentence in stubbed.tagrun('sweep', *words, code=code).stderr
    assert stubbed.git('tag').split() == ['first']


def test_a_sweep_without_values_tells_how_it_was_begun(nets):
    assert 'tagrun sweep nets model=mlp,cnn lr=0.3,0.2 --seeds 2' in nets.tagrun('sweep', 'nets', code=1).stderr


def test_patches_and_branches_are_variants(stubbed):
    stubbed.git('checkout', '-qb', 'other')
    stubbed.edit('model.py', 'none', 'another')
    stubbed.commit()
    stubbed.git('checkout', '-q', 'main')
    stubbed.edit('model.py', 'none', 'a faster one')
    (stubbed.root / 'fast.patch').write_text(stubbed.git('diff'))
    (stubbed.root / 'bad.patch').write_text(stubbed.git('diff').replace('none', 'nothing'))
    stubbed.git('checkout', '-q', '.')
    (stubbed.root / '.git' / 'info' / 'exclude').write_text('*.patch\n')
    assert 'does not apply' in stubbed.tagrun('sweep', 't', 'lr=1', '--vary', 'bad.patch', code=1).stderr
    assert not stubbed.git('tag')
    stubbed.tagrun('sweep', 't', 'lr=0.2,0.3', '--vary', '.,fast.patch,branch:other')
    stubbed.tagrun('sweep', 't', 'lr=0.2,0.3', '--vary', '.,fast.patch,branch:other')
    found = [(stubbed.folder(f't/{number}') / 'code' / 'model.py').read_text().split(': ')[1].strip('.\n"') for number in range(6)]
    assert found == ['none', 'none', 'a faster one', 'a faster one', 'another', 'another'] and not stubbed.folder('t/6').exists()
    assert stubbed.git('diff', '--name-only', 'refs/tagrun/code/t/0', 'refs/tagrun/code/t/2').split() == ['code/model.py']


# --- stopped, killed, failed --------------------------------------------------------------------------------------------


def test_what_did_not_finish_goes_on_and_what_failed_waits_for_a_word(stubbed):
    words = ('sweep', 't', 'how=killed,failed,finished')
    assert 'failed: t/1' in stubbed.tagrun(*words, code=1).stderr
    assert stubbed.statistic('t/0')['status'] == 'running'
    stubbed.tagrun(*words, code=1)
    assert [stubbed.statistic(f't/{number}')['status'] for number in range(3)] == ['finished', 'failed', 'finished']
    stubbed.tagrun(*words, '--failed')
    assert [stubbed.statistic(f't/{number}')['status'] for number in range(3)] == ['finished'] * 3 and not stubbed.folder('t/3').exists()


def test_a_signal_stops_it_and_the_same_command_goes_on(stubbed):
    words = ('sweep', 't', 'how=slow', 'lr=1,2,3', '-j', '2')
    sweep = stubbed.start(*words)
    wait_for(lambda: all(lock.owner(stubbed.folder(f't/{number}')) for number in range(2)), what='two trials')
    sweep.send_signal(signal.SIGTERM)
    assert sweep.wait(20) == 75 and 'stopped after 0 of 3 trials' in sweep.stderr.read()
    assert not wait_for(lambda: [None] if not pids(stubbed.root) else None, what='the end of all')[0]
    (stubbed.root / 'go').touch()
    stubbed.tagrun(*words)
    assert [stubbed.statistic(f't/{number}')['status'] for number in range(3)] == ['finished'] * 3 and not stubbed.folder('t/3').exists()


def test_what_outlived_a_killed_sweep_is_waited_for(stubbed):
    words = ('sweep', 't', 'how=slow', 'lr=1,2')
    sweep = stubbed.start(*words)
    wait_for(lambda: lock.owner(stubbed.folder('t/0')), what='the first trial')
    assert 'is at work already' in stubbed.tagrun(*words, code=1).stderr
    training = lock.owner(stubbed.folder('t/0'))['pid']
    sweep.kill()
    sweep.wait(10)
    for pid in set(pids(stubbed.root)) - {training}:
        os.kill(pid, signal.SIGKILL)
    again = stubbed.start(*words)
    time.sleep(1)
    assert lock.owner(stubbed.folder('t/0'))['pid'] == training and not stubbed.folder('t/1').exists()
    (stubbed.root / 'go').touch()
    assert again.wait(60) == 0, again.stderr.read()
    assert [(stubbed.folder(f't/{number}') / 'log').read_text() for number in range(2)] == ['trained, slow\n'] * 2
    assert stubbed.git('show', 'refs/tagrun/result/t/0:statistic.json')


def test_a_trial_that_was_killed_while_it_was_recorded_is_completed(nets, tmp_path):
    shutil.copytree(nets.root, tmp_path / 'copy', symlinks=True)
    copy = type(nets)(tmp_path / 'copy')
    shutil.rmtree(copy.folder('nets/3'))
    copy.folder('nets/3').mkdir()       # the ref is there, the files are not yet
    copy.tagrun(*NETS)
    assert copy.statistic('nets/3')['status'] == 'finished' and copy.statistic('nets/3')['hparam'] == nets.statistic('nets/3')['hparam']


def outcomes(project, tag, count):
    return {tuple(sorted(project.statistic(f'{tag}/{number}')['hparam'].items(), key=str)).__repr__(): project.outcome(f'{tag}/{number}') for number in range(count)}


def test_a_killed_sweep_ends_with_the_digits_of_an_undisturbed_one(tmp_path, data):
    words = ('sweep', 't', 'lr=0.1,0.01', '-f', '-j', '2')
    one, other = (make_project(tmp_path / name / "a 'b; c", data) for name in ('one', 'other'))
    one.start(*words)
    wait_for(lambda: (one.folder('t/1') / 'trace.csv').exists(), what='two trials')
    assert kill_all(one.root) >= 4
    one.tagrun(*words, timeout=300)
    other.tagrun(*words[:-2], timeout=300)
    assert outcomes(one, 't', 2) == outcomes(other, 't', 2) and not one.folder('t/2').exists()
    tables = [(project.root / '__statistic__' / 'table' / 't.csv').read_text() for project in (one, other)]
    assert tables[0] == tables[1] and tables[0].count('\n') == 3


@pytest.mark.slow
def test_twelve_trials_killed_three_times_end_with_the_same_table(tmp_path, data):
    words = ('sweep', 't', 'model=mlp,linear,cnn', 'lr=0.1,0.01', '--seeds', '2', '-f', '-j', '2')
    seed = random.randrange(2 ** 32)
    print('seed', seed)
    draw = random.Random(seed)
    one, other = (make_project(tmp_path / name / "a 'b; c", data, epochs='6') for name in ('one', 'other'))
    for _ in range(3):
        one.start(*words)
        time.sleep(draw.uniform(2, 14))
        kill_all(one.root)
    one.tagrun(*words, timeout=900)
    other.tagrun(*words[:-2], timeout=900)
    rows = [sorted(line.partition(',')[2] for line in (project.root / '__statistic__' / 'table' / 't.csv').read_text().splitlines()) for project in (one, other)]
    assert rows[0] == rows[1] and len(rows[0]) == 7     # grouped; ids may have a hole, where a kill hit between a folder and its ref


def test_a_terminal_shows_a_table_of_trials(stubbed):
    (stubbed.root / 'go').touch()
    shown = pexpect.run(f'"{sys.executable}" "{stubbed.root}/code/tagrun" sweep t how=slow,finished lr=1,2', dimensions=(24, 100), encoding='utf-8',
                        cwd=str(stubbed.root), env={**stubbed.env, 'TERM': 'xterm'}, timeout=60)
    last = re.sub(r'\x1b\[[0-9]*[AKJ]', '', shown[shown.rindex('trial'):]).splitlines()
    assert last[0].split() == ['trial', 'status', 'values', 'best']
    assert last[4].split() == ['t/3', 'finished', 'how=finished', 'lr=2.0', 'val/acc', '0.5'] and last[5].startswith('4/4 done')


def test_each_gpu_has_one_trial_at_a_time(stubbed, tmp_path):
    fake = tmp_path / 'bin' / 'nvidia-smi'
    fake.parent.mkdir()
    fake.write_text('#!/bin/sh\nprintf "0\\n1\\n"\n')
    fake.chmod(0o755)
    stubbed.edit('main.py', 'INFO = ', "(FOLDER / 'sees').write_text(os.environ['CUDA_VISIBLE_DEVICES'])\nINFO = ")
    env = {name: value for name, value in stubbed.env.items() if name != 'CUDA_VISIBLE_DEVICES'}
    stubbed.env = {**env, 'PATH': f'{fake.parent}:{env["PATH"]}'}
    assert 'each with 1 GPU of its own' in stubbed.tagrun('sweep', 't', 'lr=1,2,3').stderr
    assert {(stubbed.folder(f't/{number}') / 'sees').read_text() for number in range(3)} == {'0', '1'}
    stubbed.tagrun('sweep', 'u', 'lr=1', env={'CUDA_VISIBLE_DEVICES': '5'})
    assert (stubbed.folder('u/0') / 'sees').read_text() == '5'


def test_a_detached_sweep_goes_on_without_the_terminal(stubbed):
    stubbed.tagrun('sweep', 't', 'lr=1,2', '-d')
    wait_for(lambda: not pids(stubbed.root), what='its end')
    assert [stubbed.statistic(f't/{number}')['status'] for number in range(2)] == ['finished'] * 2
    assert (stubbed.root / '__statistic__' / 'table' / 't.csv').is_file()


@pytest.mark.slow
def test_a_trial_costs_at_most_half_a_second_over_its_training():
    bench = CODE / 'tagrun' / 'bench' / 'sweeping.py'
    told = subprocess.run([sys.executable, bench, '--trials', '200'], check=True, capture_output=True, text=True).stdout
    assert float(re.search(r'difference +(-?[0-9.]+)', told)[1]) <= 0.5, told


# --- searches, pruned trials --------------------------------------------------------------------------------------------


def values(project, count):
    return [project.statistic(f't/{number}')['hparam']['lr'] for number in range(count)]


def test_a_search_is_the_same_from_the_same_seed_and_goes_on(tmp_path):
    pytest.importorskip('optuna')
    one, other = stub.make(tmp_path / 'one'), stub.make(tmp_path / 'other')
    words = ('sweep', 't', 'lr=log(1e-4,1e-1)', 'model=a,b', '--metric', 'val/acc', '--search', 'tpe', '-f', '--trials')
    one.tagrun(*words, 2)
    one.tagrun(*words, 4)
    one.tagrun(*words, 4)
    other.tagrun(*words, 4)
    assert values(one, 4) == values(other, 4) and len(set(values(one, 4))) == 4 and all(1e-4 <= value <= 0.1 for value in values(one, 4))
    assert not one.folder('t/4').exists() and (one.root / '__statistic__' / 'search' / 't.log').is_file()


def test_a_value_that_was_tried_is_not_trained_again(stubbed):
    pytest.importorskip('optuna')
    stubbed.tagrun('sweep', 't', 'model=a,b', '--search', 'random', '--trials', '12', '--seeds', '2', '--metric', 'val/acc')
    assert sorted(path.name for path in stubbed.folder('t').glob('[0-9]*')) == list('0123')


def test_a_metric_that_no_run_has_stops_the_search_at_its_first_trial(stubbed):
    pytest.importorskip('optuna')
    said = stubbed.tagrun('sweep', 't', 'lr=log(1e-4,1e-1)', '--search', 'random', '--trials', '5', '--metric', 'val/accuracy', code=75).stderr
    assert "no metric 'val/accuracy'" in said and '--metric val/acc' in said and not stubbed.folder('t/1').exists()


def test_a_journal_that_is_none_is_refused(stubbed):
    pytest.importorskip('optuna')
    words = ('sweep', 't', 'lr=log(1e-4,1e-1)', '--search', 'random', '--trials', '1', '--metric', 'val/acc')
    stubbed.tagrun(*words)
    (stubbed.root / '__statistic__' / 'search' / 't.log').write_text('{"no": "journal"}\n[\n{}\n')
    assert 'cannot be read (KeyError' in stubbed.tagrun(*words, code=1).stderr


def test_a_search_without_optuna_names_it(stubbed, tmp_path):
    (tmp_path / 'hide').mkdir()
    (tmp_path / 'hide' / 'optuna.py').write_text("raise ModuleNotFoundError('no', name='optuna')\n")
    said = stubbed.tagrun('sweep', 't', 'lr=1,2', '--search', 'random', '--trials', '2', '--metric', 'val/acc', code=1, env={'PYTHONPATH': str(tmp_path / 'hide')}).stderr
    assert 'requirements-sweep.txt' in said and (CODE / 'requirements-sweep.txt').is_file() and not stubbed.git('tag')


def test_a_pruned_run_stops_at_an_epochs_end_and_can_go_on(project):
    run = project.start('run', 't', '-f')
    wait_for((project.folder('t/0') / 'run.json').exists, what='the run')
    pruning.ask(project.folder('t/0'), 'poor')
    assert run.wait(120) == 0
    told = project.statistic('t/0')
    assert (told['status'], told['message'], told['epoch']) == ('pruned', 'poor', 1)
    assert not (project.root / '__statistic__' / 'exper-list' / 'finished.txt').exists()
    assert 'pruned' in project.tagrun('expls', 't').stdout
    project.tagrun('continue', 't')
    assert project.statistic('t/0')['status'] == 'finished' and not pruning.wanted(project.folder('t/0'))


@pytest.mark.slow
def test_a_poor_trial_is_pruned_and_the_sweep_counts_it_as_done(tmp_path, data):
    pytest.importorskip('optuna')
    project = make_project(tmp_path / "a 'b; c", data, epochs='60')
    words = ('sweep', 't', 'lr=0.1,0.05,0.03,0.02,0.01,1e-6', '--prune', 'median', '-f')
    assert 't/5 pruned' in project.tagrun(*words, timeout=900).stderr
    assert project.statistic('t/5')['epoch'] < 60 and 'median' in project.statistic('t/5')['message']
    assert 't/5' not in project.tagrun(*words).stderr
