"""Shapes of training, by real runs: no last epoch, a `break`, a hook at the end, own pictures."""

import signal

from project_factory import wait_for
from tensorboard_points import points

from tagrun.store import layout

MEASURED = '            state.meter.accuracy(acc=prediction == y)\n'
BREAK = '            if train and state.batch == 4:\n                break\n'
SHOWN = """            if train:
                run.scalar('norm', loss * state.step)
                run.histogram('x', x)
"""
KILL = """                import os

                mark = run.folder / 'killed'
                if state.step == 7 and not mark.exists():
                    mark.touch()
                    os.kill(os.getpid(), 9)
"""
HOOK = """

def finish(run, state):
    run.text('end', 'trained')
    draw = float(torch.rand(()))
    with open(run.folder / 'draws', 'a') as file:
        file.write(f'{draw}\\n')
    assert (run.root / 'allowed').exists(), 'not yet'
"""


def test_a_hook_that_fails_leaves_the_run_finished_and_is_called_again(project):
    path = project.root / 'code' / 'epoch.py'
    path.write_text(path.read_text() + HOOK)
    screen = project.tagrun('run', 't1', '--set', 'epochs=2').stderr
    status = project.statistic('t1/0')
    assert status['status'] == 'finished' and 't1/0 is trained, but finish(run, state)' in screen
    assert status['message'] == 'finish(run, state) failed: AssertionError: not yet'
    assert (
        'in code/epoch.py' in screen and 'not yet' in (project.folder('t1/0') / 'log').read_text()
    )
    lines = layout.list_file(project.root, 'finished').read_text()
    (project.root / 'allowed').touch()
    assert 'it is called again' in project.tagrun('continue', 't1').stderr
    assert 'message' not in project.statistic('t1/0')
    first, second = (project.folder('t1/0') / 'draws').read_text().split()
    assert first == second
    assert layout.list_file(project.root, 'finished').read_text() == lines
    assert project.statistic('t1/0')['digest'] == status['digest']
    assert 't1/0 is finished' in project.tagrun('continue', 't1').stderr


def test_a_run_without_a_last_epoch_goes_on_until_it_is_stopped_and_then_continues(project):
    process = project.start('run', 't1', '--set', 'epochs=None', "schedule='constant'")
    wait_for((project.folder('t1/0') / 'history.csv').exists, what='an epoch')
    process.send_signal(signal.SIGTERM)
    screen = process.communicate(timeout=60)[1]
    assert process.returncode == 75, screen
    status = project.statistic('t1/0')
    assert status['status'] == 'interrupted' and status['epochs'] is None
    epoch = status['epoch']
    assert f'interrupted {epoch} ' in project.tagrun('expls').stdout
    # patience ends it
    endless = ('--set', 'epochs=None', 'patience=1', 'lr=0.0')
    trained = project.tagrun('run', 't2', *endless)
    assert project.statistic('t2/0')['epoch'] == 2 and 'epoch    2' in trained.stdout


def test_a_break_counts_its_step_and_own_values_are_shown_once_after_a_kill(project):
    project.edit('epoch.py', MEASURED, MEASURED + SHOWN + BREAK)
    project.configure(save_minutes='0.0', epochs='2')
    project.tagrun('run', '-f', 't1')
    trace = (project.folder('t1/0') / 'trace.csv').read_text().splitlines()
    steps = [line.split(',')[1] for line in trace[1:]]
    assert steps == ['1', '2', '3', '4', '5', '', '6', '7', '8', '9', '10', '']
    shown = points(project.folder('t1/0'))
    assert [step for step, _ in shown['norm']] == list(range(1, 11)) and len(shown['x']) == 10
    project.edit('epoch.py', SHOWN, SHOWN + KILL)
    process = project.start('run', '-f', 't2')
    process.communicate(timeout=60)
    assert process.returncode and project.statistic('t2/0')['status'] == 'running'
    project.tagrun('continue', 't2')
    again = points(project.folder('t2/0'))
    assert again['norm'] == shown['norm']
    assert [step for step, _ in again['x']] == list(range(1, 11))
    assert project.outcome('t2/0')['trace'] == project.outcome('t1/0')['trace']
