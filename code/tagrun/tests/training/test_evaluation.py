"""training/evaluation.py: main.py's loop around phases that do not train."""

import inspect
import json
import random
import signal

import pytest
from evaluated_run import was_killed

from tagrun.core.launch import evaluation as launcher
from tagrun.core.launch import evaluation_verdict
from tagrun.store import checkpoints, confusion, run_json, statistic
from tagrun.store.evaluations import EvaluationRef
from tagrun.training.evaluation import TRAIN_SET, Evaluation
from tagrun.training.run import Run

KILLS = [8, pytest.param(100, marks=pytest.mark.slow)]
LEFT = {'confusion.json', 'environment.json', 'lock', 'log', 'run.json', 'screen', 'statistic.json'}


def failure(trained, phases=(), settings=None):
    """Why an evaluation failed."""
    folder = trained.evaluate('best', phases, settings, code=1)
    content = trained.statistic(folder)
    assert content['status'] == statistic.FAILED and not content['metric']
    return content['message']


@pytest.mark.parametrize('epoch', [1, 2, 3])
def test_what_the_run_measured_comes_out_again_to_the_last_bit(trained, epoch):
    folder = trained.evaluate(str(epoch))
    content, expected = trained.statistic(folder), trained.of_epoch(epoch)
    names = {name for name in expected if not name.startswith('train/')}
    assert content['metric'] == {name: expected[name] for name in names} and names
    assert content['phases'] == ['val', 'test'] and content['epoch'] == epoch
    assert content['checkpoint'] == f'epoch_{epoch}.pth'
    assert (
        content['digest']['checkpoint'] == checkpoints.listed(trained.folder)[f'epoch_{epoch}.pth']
    )


def test_it_records_what_it_measured_with_and_leaves_nothing_of_a_training(trained):
    before = trained.fingerprint()
    folder = trained.evaluate('last', ('test',))
    assert {path.name for path in folder.iterdir()} == LEFT
    content, of_run = trained.statistic(folder), trained.project.statistic('t1/0')
    for key in ('run', 'seed', 'commit', 'hparam', 'parameters', 'samples', 'monitor'):
        assert content[key] == of_run[key], key
    assert content['digest']['weights'] == of_run['digest']['weights']
    assert content['batch'] == {'test': of_run['batch']['test']}
    assert content['time']['seconds'] > 0
    environment = json.loads((folder / 'environment.json').read_text())
    assert set(environment['data']) == {'train', 'val', 'test'}
    log = (folder / 'log').read_text()
    assert log.startswith('--- t1/0/evaluation/') and 'of epoch_3.pth' in log
    assert f'test/acc {content["metric"]["test/acc"]:.4f}' in log
    assert trained.fingerprint() == before


def test_its_confusion_matrices_are_those_of_its_phases(trained):
    epoch, matrices = confusion.read(trained.evaluate('1', ('test',)))
    assert epoch == 1 and list(matrices) == ['test/confusion']
    classes, counts = matrices['test/confusion']
    assert classes == [str(digit) for digit in range(10)] and sum(map(sum, counts)) == 1000


def test_the_training_set_is_measured_without_training(trained):
    """Without dropout, with the augmentation of its loader, and the same again."""
    metric, again = (
        trained.statistic(trained.evaluate('best', ('train', 'test')))['metric'] for _ in range(2)
    )
    assert metric == again and set(metric) == {
        *('train/loss', 'train/acc', 'test/loss', 'test/acc'),
    }
    best = trained.project.statistic('t1/0')['metric']
    assert metric['test/acc'] == best['test/acc']
    # the network as it was after the epoch, not the mean over it
    assert metric['train/loss'] < best['train/loss']


def test_each_phase_gets_the_same_random_numbers_whichever_others_are_measured(trained):
    one = trained.statistic(trained.evaluate('best', ('train',)))['metric']
    two = trained.statistic(trained.evaluate('best', ('test', 'val', 'train')))['metric']
    assert {name: two[name] for name in one} == one


def test_made_again_it_is_the_same_and_a_last_bit_that_differs_is_found(trained, capfd):
    original = EvaluationRef.parse(f't1/0/evaluation/{trained.evaluate("", ("train",)).name}')
    for expected in (0, 3):
        folder = launcher.create_again(trained.repository, original)
        assert trained.server.train(folder).code == 0
        content = trained.statistic(folder)
        if expected:
            content['metric']['train/loss'] += 1e-15
            statistic.write(folder, content)
        info = run_json.read(folder)
        assert evaluation_verdict.report(trained.project.root, folder, info) == expected
    assert 'not the same as' in capfd.readouterr().err


def test_values_that_were_set_are_those_of_this_evaluation_alone(trained):
    settings = {'val_fraction': '0.5', 'phases': "('val',)"}
    folder = trained.evaluate('best', ('val', 'test'), settings)
    content = trained.statistic(folder)
    assert content['set'] == {'val_fraction': 0.5, 'phases': ['val']}
    assert content['hparam']['val_fraction'] == 0.5 and content['samples']['val'] == 2000
    best = trained.project.statistic('t1/0')['metric']
    assert content['metric']['val/acc'] != best['val/acc']
    assert content['metric']['test/acc'] == best['test/acc']
    assert "phases=('val',)" in (folder / 'log').read_text()


def test_a_phase_without_a_loader_is_refused_with_those_there_are(trained):
    said = failure(trained, ('tset',))
    assert said == "ValueError: there is no phase 'tset': build_loaders gave 'train', 'val', 'test'"
    assert '--phase train measures' in failure(trained, settings={'phases': "('train',)"})


def test_a_checkpoint_that_was_changed_or_is_gone_is_refused_by_its_name(trained):
    folder = trained.create('2')
    path = folder / 'checkpoint' / 'epoch_2.pth'
    content = bytearray(path.read_bytes())
    path.unlink()
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert trained.server.train(folder).code == 1
    assert 'epoch_2.pth is damaged: its SHA-256' in trained.statistic(folder)['message']
    path.unlink()
    assert trained.server.train(folder).code == 1
    assert 'epoch_2.pth is not the one' in trained.statistic(folder)['message']


def test_it_has_everything_that_epoch_py_may_ask_a_run_for():
    def public(kind):
        names = [name for name in dir(kind) if not name.startswith('_')]
        return {name: list(inspect.signature(getattr(kind, name)).parameters) for name in names}

    of_run, own = public(Run), public(Evaluation)
    assert of_run.keys() <= own.keys() and len(of_run) > 10
    assert all(own[name] == of_run[name] for name in of_run)


def test_a_phase_that_trains_is_named_and_the_next_one_has_the_checkpoints_weights(trained):
    untouched = trained.statistic(trained.evaluate('', ('test',)))
    content = trained.statistic(trained.evaluate('', ('val', 'test'), {'spoils': 'val'}))
    assert 'message' not in untouched and content['status'] == statistic.FINISHED
    assert content['message'] == "epoch.py changes the weights in phase 'val', as training does"
    assert content['metric']['test/loss'] == untouched['metric']['test/loss']
    assert content['digest'] == untouched['digest']


def _seconds_of_work(trained):
    """How long an evaluation takes from its lock to its result; Python's own end takes longer."""
    folder = trained.evaluate()
    return (folder / 'statistic.json').stat().st_mtime - (folder / 'lock').stat().st_mtime


@pytest.mark.parametrize('count', KILLS)
def test_killed_at_any_moment_nothing_half_made_counts_and_it_can_be_made_again(trained, count):
    before, expected = trained.fingerprint(), trained.statistic(trained.evaluate())['metric']
    seconds = min(_seconds_of_work(trained) for _ in range(3))
    moments, states = random.Random(5), []
    for _ in range(count):
        folder = trained.create()
        ended = trained.server.train(folder, kill_after=moments.uniform(0, seconds))
        states.append(launcher.state(folder))
        if states[-1] == statistic.FINISHED:
            assert trained.statistic(folder)['metric'] == expected
        else:
            assert was_killed(ended) and states[-1] in (statistic.KILLED, statistic.CREATED)
        assert trained.server.train(folder).code == 0
        assert trained.statistic(folder)['metric'] == expected
    assert set(states) - {statistic.FINISHED}
    assert trained.fingerprint() == before


def test_killed_at_each_change_of_a_file_it_never_says_finished_too_early(trained):
    expected = trained.statistic(trained.evaluate('', ('test',)))['metric']
    at, states = 1, []
    while True:
        folder = trained.create('', ('test',))
        ended = trained.server.train(folder, calls={'action': 'kill', 'at': at})
        if not was_killed(ended):
            break
        states.append(launcher.state(folder))
        if states[-1] == statistic.FINISHED:
            assert trained.statistic(folder)['metric'] == expected
            assert confusion.read(folder)[1]
        at += 3
    assert ended.code == 0 and {statistic.CREATED, statistic.KILLED} <= set(states)


def test_a_signal_stops_it_and_nothing_of_it_counts(trained):
    folder = trained.create('', ('train', 'test'), {'batch_size': '1'})
    ended = trained.server.train(folder, signals=[(0.4, signal.SIGTERM)])
    content = trained.statistic(folder)
    assert (ended.code, content['status']) == (75, statistic.INTERRUPTED)
    assert (
        content['message'] == 'stopped by SIGTERM: nothing of it counts' and not content['metric']
    )
    assert TRAIN_SET not in json.dumps(content)
