"""What a sweep leaves: each trial is a run of its own, with its table at the end."""

import json
import re
import shutil

import pytest
import stub_project

NETS = ('sweep', 'nets', 'model=mlp,cnn', 'lr=0.3,0.2', '--seeds', '2', '-f')


@pytest.fixture(scope='module')
def nets(tmp_path_factory):
    """A stub project with the eight trials of NETS, two at once."""
    made = stub_project.make(tmp_path_factory.mktemp('nets') / "a 'b; c")
    made.git('config', 'tagrun.curves', 'true')
    made.first = made.tagrun(*NETS, '-j', '2')
    return made


def test_every_trial_is_a_run_that_differs_by_its_literals(nets):
    changed = [
        line
        for line in nets.git('diff', '-U0', 'nets', 'refs/tagrun/code/nets/7').splitlines()
        if re.match('[-+][^-+]', line)
    ]
    assert sorted(line.split(' #')[0].strip() for line in changed) == sorted(
        [
            '-lr = 0.1',
            '+lr = 0.2',
            "-model = 'none'",
            "+model = 'cnn'",
            '-4242',
            f'+{nets.statistic("nets/7")["seed"]}',
        ]
    )
    info = json.loads((nets.folder('nets/7') / 'run.json').read_text())
    assert info['set'] == {'model': 'cnn', 'lr': 0.2}
    assert (
        nets.git('rev-parse', 'refs/tagrun/code/nets/7^').strip()
        == nets.git('rev-parse', 'nets^{commit}').strip()
    )
    assert [nets.statistic(f'nets/{number}')['hparam']['lr'] for number in range(8)] == [
        0.3,
        0.3,
        0.2,
        0.2,
    ] * 2
    assert (
        nets.statistic('nets/0')['seed']
        == 4242
        == nets.statistic('nets/6')['seed']
        != nets.statistic('nets/7')['seed']
        == nets.statistic('nets/1')['seed']
    )
    assert (
        not nets.git('status', '--porcelain')
        and nets.git('log', '--oneline', 'HEAD').count('\n') == 1
    )
    assert (
        'nets/7 finished' in nets.first.stderr
        and '8/8 done' in nets.first.stderr
        and 'model=cnn lr=0.2, seed 2' in nets.first.stderr
    )


def test_the_table_of_a_sweep_is_there_at_its_end(nets):
    assert [line.split() for line in nets.first.stdout.splitlines()[2:]] == [
        ['nets/0-1', '0.3', 'mlp'],
        ['nets/2-3', '0.2', 'mlp'],
        ['nets/4-5', '0.3', 'cnn'],
        ['nets/6-7', '0.2', 'cnn'],
    ]
    assert (nets.root / '__statistic__' / 'exper-list' / 'nets.txt').read_text().split() == [
        f'nets/{number}' for number in range(8)
    ]
    assert nets.tagrun('table', 'nets', '--only-changed').stdout.count('nets/') == 8
    assert sorted(path.name for path in (nets.root / '__statistic__' / 'plot').iterdir()) == [
        'nets-over-lr.png',
        'nets-over-model.png',
    ]


def test_the_same_command_does_nothing_and_another_adds_what_is_new(nets):
    nets.tagrun(*NETS)
    assert sorted(path.name for path in nets.folder('nets').glob('[0-9]*')) == list('01234567')
    listed = nets.tagrun(
        'sweep', 'nets', 'model=mlp,gru', 'lr=0.3,0.2', '--seeds', '2', '-n'
    ).stdout.splitlines()
    assert [line.split()[:2] for line in listed] == [
        ['nets/0', 'finished'],
        ['nets/1', 'finished'],
        ['nets/2', 'finished'],
        ['nets/3', 'finished'],
        *[['new', 'model=gru']] * 4,
    ]
    assert sorted(path.name for path in nets.folder('nets').glob('[0-9]*')) == list('01234567')


def test_rerun_and_continue_take_a_trial_like_any_run(nets):
    assert 'is finished' in nets.tagrun('continue', 'nets/5').stderr
    again = nets.tagrun('rerun', 'nets/5', '-f')
    assert 'nets/8: again nets/5' in again.stderr and 'the same as nets/5' in again.stderr
    nets.tagrun(*NETS)  # which is not taken for a trial
    assert len((nets.folder('nets/8') / 'log').read_text().splitlines()) == 1


def test_a_dry_run_leaves_nothing(stubbed):
    listed = stubbed.tagrun('sweep', 't', 'lr=log(1e-4,1e-1)', '-n')
    assert listed.stdout.splitlines() == [
        't/0  lr=0.0001',
        't/1  lr=0.001',
        't/2  lr=0.01',
        't/3  lr=0.1',
    ]
    assert (
        not stubbed.git('for-each-ref', 'refs/tags', 'refs/tagrun')
        and not (stubbed.root / '__result__').exists()
    )


@pytest.mark.parametrize(
    'words, code, sentence',
    [
        (['first', 'lr=1'], 1, "'first' exists"),
        (['t', 'lr=1', '--vary', 'no.patch'], 1, 'No such file'),
        (['t', 'lr=1', '--vary', 'branch:no'], 1, 'no branch'),
        (['t', 'lr'], 2, 'name=values'),
        (['t=1'], 2, 'a tag and name=values'),
        (['t'], 2, 'values are needed'),
        (['t', 'lr=1', '--search', 'tpe'], 2, '--trials'),
        (['t', 'lr=1', '--seeds', '0'], 2, '1 or more'),
        (['t', 'lr=1', '-q', '--prune', 'median'], 2, 'leave out --on queue'),
        (['-t', 'lr=1'], 2, ''),
    ],
)
def test_what_cannot_be_swept_is_refused_before_a_tag_is_spent(stubbed, words, code, sentence):
    stubbed.git('tag', 'first')
    assert sentence in stubbed.tagrun('sweep', *words, code=code).stderr
    assert stubbed.git('tag').split() == ['first']


@pytest.mark.parametrize('words', [['lr=0.3,0.2'], ['lr=log(1e-4,1e-1)'], ['lr=0.3', '-n']])
def test_a_value_that_would_not_train_is_refused_before_a_tag_is_spent(stubbed, words):
    with open(stubbed.root / 'code' / 'config.py', 'a') as file:
        file.write("if model == 'cnn':\n    lr = 0.7\n")
    told = stubbed.tagrun('sweep', 't', 'model=mlp,cnn', *words, code=1).stderr
    assert 'line 10, makes lr 0.7, so lr=0.' in told and stubbed.git('tag') == ''


def test_a_search_is_tried_at_the_ends_of_its_ranges(stubbed):
    with open(stubbed.root / 'code' / 'config.py', 'a') as file:
        file.write('if lr > 0.05:\n    lr = 0.05\n')
    words = ('lr=log(1e-4,1e-1)', '--search', 'random', '--trials', '2')
    told = stubbed.tagrun('sweep', 't', *words, code=1).stderr
    assert 'makes lr 0.05, so lr=0.1 would not train' in told and stubbed.git('tag') == ''


def test_a_sweep_without_values_tells_how_it_was_begun(nets):
    assert (
        'tagrun sweep nets model=mlp,cnn lr=0.3,0.2 --seeds 2'
        in nets.tagrun('sweep', 'nets', code=1).stderr
    )


def test_a_trial_that_was_killed_while_it_was_recorded_is_completed(nets, tmp_path):
    shutil.copytree(nets.root, tmp_path / 'copy', symlinks=True)
    copy = type(nets)(tmp_path / 'copy')
    shutil.rmtree(copy.folder('nets/3'))
    copy.folder('nets/3').mkdir()  # the ref is there, the files are not yet
    copy.tagrun(*NETS)
    assert (
        copy.statistic('nets/3')['status'] == 'finished'
        and copy.statistic('nets/3')['hparam'] == nets.statistic('nets/3')['hparam']
    )
