"""`evaluate`: which runs, from which checkpoints, what it prints, how it ends."""

import json

import pytest
from project_factory import wait_for

from tagrun.core.git.repository import Repository
from tagrun.core.launch import evaluation
from tagrun.core.launch.evaluation import Request
from tagrun.store.run_ref import RunRef


def test_a_trained_run_is_measured_again_and_then_the_same_bit_for_bit(trained):
    """The command on a real run; each other test of the command has a stub."""
    project, before = trained.project, trained.fingerprint()
    done = project.tagrun('evaluate', 't1:1', '--phase', 'test', '--set', 'eval_batch_size=500')
    name, *figures, arrow = done.stdout.strip().split('  ')
    number = arrow.rpartition('/')[2]
    assert (name, arrow) == ('t1/0:epoch_1', f'-> __result__/t1/0/evaluation/{number}')
    assert [figure.split()[0] for figure in figures] == ['test/loss', 'test/acc']
    assert 'Traceback' not in done.stderr
    own = f't1/0/evaluation/{number}'
    again = project.tagrun('rerun', '-f', f'__result__/{own}')
    assert f'the same as {own}, bit for bit: 2 metrics' in again.stderr
    assert trained.fingerprint() == before


def plans(project, *words, code=0):
    """The lines of a dry run."""
    return project.tagrun('evaluate', '-n', *words, code=code).stderr.splitlines()


def test_words_name_runs_sets_paths_and_checkpoints(stub_with_run):
    project = stub_with_run
    project.tagrun('rerun', 't1')
    (project.folder('t1/0') / 'checkpoint' / 'epoch_best.pth').unlink()
    both = ['t1/0:epoch_1  all phases but train', 't1/1:epoch_1  all phases but train']
    end = ['nothing was done: --dry-run']
    assert plans(project, 't1') == plans(project, 't') == plans(project, '@finished') == both + end
    assert plans(project, f'{project.folder("t1/1")}/:last', 't1/1:1') == [both[1], both[1]] + end
    assert plans(project, 't1/1', 't1/1', '--phase', 'val,test', '--set', 'lr=1') == [
        't1/1:epoch_1  val, test  lr=1.0',
        *end,
    ]
    assert plans(project, '--set', 'lr=1', 't1/1') == [
        't1/1:epoch_1  all phases but train  lr=1.0',
        *end,
    ]
    refused, *rest = plans(project, 't1:best', code=1)
    assert refused == "tagrun: t1/0 has no checkpoint 'best': it has epoch_1"
    assert rest == [both[1], *end]
    assert not list(project.root.glob('__result__/*/*/evaluation'))


@pytest.mark.parametrize(
    'words, message',
    [
        ([], 'a run is missing: evaluate first/0'),
        (['t1', '--phase', 'val,'], '--phase takes names'),
        (['t1', '--set', 'lr'], "--set takes name=value, not 'lr'"),
        (['t1', 'lr=1'], "'lr=1' is not a run: --set lr=1 sets a value"),
        (['t1', '--nproc', '2'], 'evaluate: --nproc is not an option\n'),
    ],
)
def test_wrong_usage_says_what_to_type(stub_with_run, words, message):
    assert message in stub_with_run.tagrun('evaluate', *words, code=2).stderr


def test_one_that_fails_does_not_stop_the_others(stub_with_run):
    project = stub_with_run
    project.tagrun('rerun', 't1')
    project.tagrun('rerun', 't1')
    (project.folder('t1/0') / 'checkpoint' / 'SHA256SUMS').unlink()
    done = project.tagrun('evaluate', 't1', code=1)
    assert "t1/0 has no checkpoint 'last': it has no checkpoint here" in done.stderr
    assert done.stdout.splitlines() == [
        f't1/{number}:epoch_1  val/acc 0.5000  -> __result__/t1/{number}/evaluation/0'
        for number in (1, 2)
    ]
    killed = project.tagrun('evaluate', 't1/1', 't1/2', '--set', 'how=killed', '--json', code=1)
    assert [each['status'] for each in json.loads(killed.stdout)] == ['killed', 'killed']


def test_a_signal_stops_them_all(stub_with_run):
    stub_with_run.tagrun('rerun', 't1')
    done = stub_with_run.tagrun('evaluate', 't1', '--set', 'how=interrupted', '--json', code=75)
    (only,) = json.loads(done.stdout)
    assert (only['run'], only['status'], only['set']) == (
        't1/0',
        'interrupted',
        {'how': 'interrupted'},
    )


def test_one_that_was_prepared_is_made_by_its_name(stub_with_run):
    project = stub_with_run
    request = Request(phases=('val',))
    folder = evaluation.create(Repository.at(project.root), RunRef('t1', 0), request)
    assert (
        'leave out --phase'
        in project.tagrun('evaluate', 't1/0/evaluation/0', '--phase', 'val', code=2).stderr
    )
    assert plans(project, folder)[0] == 't1/0/evaluation/0 again'
    assert 'val/acc 0.5000' in project.tagrun('evaluate', folder).stdout
    assert 'is finished' in project.tagrun('evaluate', 't1/0/evaluation/0').stderr
    refused = project.tagrun('evaluate', 't1/0/evaluation/7', code=1).stderr
    assert refused == 'tagrun: t1/0 has no evaluation 7: it has 0\n'


def test_results_are_listed_tabled_and_never_among_the_runs(stub_with_run):
    project = stub_with_run
    for how in ('finished', 'failed'):
        project.tagrun('evaluate', 't1', '--set', f'how={how}', code=int(how == 'failed'))
    listed = json.loads(project.tagrun('expls', '-e', 't1', '--json').stdout)
    assert [each['evaluation'] for each in listed] == ['t1/0/evaluation/0', 't1/0/evaluation/1']
    assert [each['status'] for each in listed] == ['finished', 'failed']
    shown = project.tagrun('expls', '--evaluations').stdout.splitlines()
    assert shown[0].split() == ['evaluation', 'status', 'checkpoint', 'age', 'measured']
    assert 'how=finished val/acc 0.5000' in shown[1]
    table = project.tagrun('table', '--evaluations', '--json').stdout
    assert [row['expernameid'] for row in json.loads(table)] == ['t1/0/evaluation/0']
    runs = json.loads(project.tagrun('expls', '-r', '--json').stdout)
    assert [run['run'] for run in runs] == ['t1/0']
    finished = project.root / '__statistic__' / 'exper-list' / 'finished.txt'
    assert finished.read_text() == 't1/0\n'
    project.tagrun('doctor')


def test_the_queue_makes_evaluations_too(stub_with_run):
    project = stub_with_run
    project.tagrun('evaluate', 't1', '-q')
    said = project.tagrun('evaluate', 't1', '-q', '--set', 'lr=0.5').stderr
    assert 't1/0/evaluation/1 queued, behind 1 other' in said
    queued = json.loads(project.tagrun('queue', '--json').stdout)
    assert [each['run'] for each in queued] == ['t1/0/evaluation/0', 't1/0/evaluation/1']
    listed = json.loads(project.tagrun('expls', '-e', '--json').stdout)
    assert [each['status'] for each in listed] == ['queued', 'queued']
    refused = project.tagrun('evaluate', 't1/0/evaluation/0', '-q', code=1).stderr
    assert '`tagrun stop t1/0/evaluation/0` cancels it' in refused
    cancelled = project.tagrun('stop', 't1/0/evaluation/0').stderr
    assert cancelled == 't1/0/evaluation/0: cancelled while queued\n'
    project.tagrun('queue', 'start')
    wait_for(lambda: json.loads(project.tagrun('queue', '--json').stdout) == [])
    listed = json.loads(project.tagrun('expls', '-e', '--json').stdout)
    assert {each['evaluation'][-1]: each['status'] for each in listed} == {
        '0': 'created',
        '1': 'finished',
    }


def test_in_the_background_it_returns_at_once(stub_with_run):
    done = stub_with_run.tagrun('evaluate', 't1', '-d')
    assert '1 evaluation in the background' in done.stderr and done.stdout == ''
    path = stub_with_run.folder('t1/0/evaluation/0') / 'statistic.json'
    wait_for(lambda: path.exists() and json.loads(path.read_text())['status'] == 'finished')
