"""`run --fast`, and values of `--set` that would not train: what `run` does with arguments."""

import json

import pytest
from worktree import desk


def test_a_fast_run_is_a_scratch_run_of_the_files_as_they_stand(project):
    project.edit('model.py', 'The network', 'My network')
    before = desk(project)
    told = project.tagrun('run', '--fast', '--set', 'hidden=8', 'lr=0.5', '--nproc', '1').stderr
    assert project.git('tag') == '' and project.git('for-each-ref', 'refs/tagrun') == ''
    assert desk(project) == before
    statistic = project.statistic('scratch/0')
    assert statistic['status'] == 'finished' and statistic['seed'] == 4242
    assert (statistic['hparam']['hidden'], statistic['hparam']['lr']) == (8, 0.5)
    info = json.loads((project.folder('scratch/0') / 'run.json').read_text())
    assert info['set'] == {'hidden': 8, 'lr': 0.5} and info['nproc'] == 1
    assert 'epoch_2.pth was loaded by a new process: the state came back as saved' in told
    assert (
        len((project.folder('scratch/0') / 'trace.csv').read_text().splitlines()) == 1 + 2 * 3 + 2
    )
    assert not (project.root / '__statistic__' / 'exper-list' / 'finished.txt').exists()


def test_a_fast_run_says_what_would_not_come_back(project):
    project.edit('state.py', 'self.seconds = 0.0', 'self.returns = []\n        self.seconds = 0.0')
    text = '            prediction = logits'
    project.edit('epoch.py', text, f'            state.returns = [1, {{2}}, object()]\n{text}')
    told = project.tagrun('run', '--fast', code=1).stderr
    assert 'state.returns[2] is a object: a checkpoint takes' in told
    project.edit('epoch.py', 'object()', '2.5')
    project.edit(
        'state.py',
        '                setattr(self, name, restored(saved[name], value))',
        "                if name != 'returns':\n"
        '                    setattr(self, name, restored(saved[name], value))',
    )
    told = project.tagrun('run', '--fast', code=1).stderr
    assert 'state.returns was [1, {2}, 2.5] when it was saved, and is [] after the load' in told
    assert project.statistic('scratch/1')['status'] == 'failed'


@pytest.mark.parametrize(
    'words, named', [(['t1'], 'a tag'), (['--seeds', '2'], '--seeds'), (['-m', 'why'], '-m')]
)
def test_a_fast_run_refuses_what_it_would_ignore(stubbed, words, named):
    assert f'leave out {named}' in stubbed.tagrun('run', '--fast', *words, code=2).stderr


def test_a_fast_run_can_be_a_dry_one_or_want_a_clean_tree(stubbed):
    told = stubbed.tagrun('run', '--fast', '-n', '--set', 'lr=0.5').stderr
    assert 'lr = 0.5 (was 0.1)' in told and 'nothing was done' in told
    stubbed.edit('model.py', 'none', 'mine')
    assert '1 uncommitted change' in stubbed.tagrun('run', '--fast', '--clean', code=1).stderr
    assert not stubbed.folder('scratch').exists()


def test_a_value_that_a_later_line_sets_is_refused_before_a_tag_is_made(stubbed):
    with open(stubbed.root / 'code' / 'config.py', 'a') as file:
        file.write("if lr > 1:\n    steps = 9\n")
    told = stubbed.tagrun('run', 't1', '--set', 'lr=5', 'steps=1', code=1).stderr
    assert told == (
        'tagrun: code/config.py, line 10, makes steps 9, so --set steps=1 would not train: '
        'remove that line, or let it set another name\n  steps = 9\n'
    )
    assert stubbed.git('tag') == '' and not stubbed.folder('t1').exists()
    stubbed.tagrun('run', 't1', '--set', 'steps=1')
    stubbed.tagrun('rerun', 't1')
    info = json.loads((stubbed.folder('t1/1') / 'run.json').read_text())
    assert info['set'] == {'steps': 1}
    told = stubbed.tagrun('run', 't2', '--set', 'lr=5').stderr
    line = 'steps = 9 in training (config.py, line 10), not 3'
    assert line in told and line in stubbed.git('tag', '-l', '--format=%(contents)', 't2')


def test_a_value_of_the_environment_that_changes_before_continue_is_said_and_recorded(project):
    with open(project.root / 'code' / 'config.py', 'a') as file:
        file.write("import os\nlr = float(os.environ.get('LR', '0.01'))\n")
    text = '            prediction = logits'
    stop = 'if state.step == 20 and os.environ.get("LR"):'
    project.edit(
        'epoch.py',
        text,
        f'            import os\n            {stop}\n'
        f'                os.kill(os.getpid(), 15)\n{text}',
    )
    project.tagrun('run', 't1', code=75, env={'LR': '0.5'})
    assert project.statistic('t1/0')['hparam']['lr'] == 0.5
    told = project.tagrun('continue', 't1').stderr
    assert 'lr was 0.5 when the run was begun, and is 0.01 now' in told
    statistic = project.statistic('t1/0')
    assert statistic['hparam']['lr'] == 0.01 and statistic['hparam_before'] == {'lr': 0.5}


def test_what_sets_a_value_in_training_alone_stops_it_before_the_first_step(project):
    project.edit('main.py', 'def main():', 'def main():\n    config.lr = 9.0')
    told = project.tagrun('run', 't1', '--set', 'lr=0.5', code=1).stderr
    assert 'config.py: lr is 9.0, and this run was asked for 0.5' in told
    assert not (project.folder('t1/0') / 'trace.csv').exists()


@pytest.mark.parametrize('words', [['--steps', '2'], ['--steps=2'], ['--qqqq', '--steps']])
def test_an_argument_that_is_given_as_an_option_is_answered_with_set(words, stubbed):
    first, usage = stubbed.tagrun('run', 't1', *words, code=2).stderr.splitlines()
    if words[0] == '--qqqq':
        assert first == 'run: --qqqq is not an option'
    else:
        assert first == 'run: a value of config.py follows --set: run <tag> --set steps=…'
    assert usage.startswith('usage: tagrun run ')
