"""`selftest`: the example is exact; faults that were made on purpose are found, with the stream that breaks, the cause, and the line."""
import json
import os
import random
import re
import shutil
import signal
import subprocess
from types import SimpleNamespace

import pytest
import torch
from conftest import CODE, make_project, wait_for
from tagrun.command import causes, selftest, snapshot, suspects
from tagrun.command.git import Repository
from tagrun.command.snapshot import File
from tagrun.command.trainings import on_the_desk
from tagrun.training import environment
from tagrun.training.trial import Trial
from test_run import desk, dirty

QUICK = ('--json', '--kills', '1', '--seed', '1', '--steps', '48')
LOADER = "Loader(Signals(x[train], y[train], args.augment), args.batch_size, shuffle=True, draws=args.augment > 0, **loading)"
PLAIN = "torch.utils.data.DataLoader(Signals(x[train], y[train], args.augment), args.batch_size, shuffle=True, num_workers=2, persistent_workers=True)"
LOSS = '                loss = cross_entropy(logits, y)\n'
ITEM = '        x = self.x[index]\n'
LABELS = 'torch.from_numpy(y), augment\n'
MLP = 'def mlp(args):\n    """Two hidden layers: 15,210 parameters with hidden=100."""\n    return '
SCALED = '''class Scaled(nn.Sequential):
    scale = 1.0

    def forward(self, x):
        self.scale = 0.99 * self.scale + 0.01 * x.std().item()
        return super().forward(x / self.scale)


'''
SMOOTH = '''    result = state.meter.result()
    MEAN[0] = 0.5 * MEAN[0] + 0.5 * result['loss']
    return {**result, 'smooth': MEAN[0]}
'''


def head(line):
    """The edit that puts a line at the head of epoch.py."""
    return 'epoch.py', 'import torch\nfrom torch import nn', f'import torch\nfrom torch import nn\n{line}'


def loss(factor, before=''):
    """The edit that makes the loss larger by `factor`, after the line `before`."""
    return 'epoch.py', LOSS, f'{before}{LOSS.rstrip()} * (1 + {factor})\n'


# name: (config.py, edits, {check that differs: (stream, cause)}, what the first line to look at has)
FAULTS = {
    'a dataset that draws globally though draws=False': (
        {'augment': '0.1', 'workers': '2'}, [('dataloader.py', 'draws=args.augment > 0', 'draws=False')],
        {'resume': ('batch', 'draws'), 'workers': ('batch', 'draws')}, 'torch.randn'),
    'persistent workers of a plain DataLoader that draw globally': (
        {'augment': '0.1'}, [('dataloader.py', LOADER, PLAIN)], {'resume': ('batch', 'persistent')}, 'persistent_workers=True'),
    'a counter in the loss': (
        {}, [head('SEEN = []'), loss('len(SEEN) / 1000', '                SEEN.append(1)\n')], {'resume': ('loss', 'state')}, 'SEEN.append(1)'),
    'a generator of its own that is not seeded': (
        {}, [('dataloader.py', ITEM, ITEM + '        x = x + np.random.default_rng().normal() / 100\n')],
        {'rerun': ('batch', 'unseeded'), 'resume': ('batch', None), 'workers': ('batch', None)}, 'default_rng()'),
    'the time of day in the loss': (
        {}, [head('import time'), loss('time.time() % 1')],
        {'rerun': ('loss', 'clock'), 'resume': ('loss', None), 'workers': ('loss', None)}, 'time.time()'),
    'a dataset that counts how often it was asked': (
        {}, [('dataloader.py', ITEM, "        self.asked = getattr(self, 'asked', 0) + 1\n        x = self.x[index] * (1 + self.asked / 1e5)\n")],
        {'resume': ('batch', 'dataset'), 'workers': ('batch', 'dataset')}, 'self.asked = '),
}
# found by the same comparison as another of these; with --slow they are tried
AS_ANOTHER = ('persistent workers of a plain DataLoader that draw globally', 'a generator of its own that is not seeded')
MORE_FAULTS = {
    'an attribute of the model that is no buffer': (
        {}, [('model.py', 'class Gru(', SCALED + 'class Gru('), ('model.py', f'{MLP}nn.Sequential(', f'{MLP}Scaled(')],
        {'resume': ('loss', 'state')}, 'self.scale = '),
    'a running statistic that is only shown': (
        {}, [head('MEAN = [9.0]'), ('epoch.py', '    return state.meter.result()\n', SMOOTH)], {'resume': ('train/smooth', 'state')}, 'MEAN[0] = '),
    'a generator of its own that no checkpoint holds': (
        {}, [head('NOISE = torch.Generator().manual_seed(1)'), loss('torch.rand((), generator=NOISE)')],
        {'resume': ('loss', 'state')}, 'torch.Generator()'),
    'labels in the order of a set of strings': (
        {}, [('dataloader.py', LABELS, LABELS + "        self.y = torch.tensor([int(name) for name in list({*'0123456789'})])[self.y]\n")],
        {'rerun': ('batch', 'hash'), 'resume': ('batch', None), 'workers': ('batch', None)}, 'list({'),
    'what differs from process to process, in no suspect line': (
        {}, [head('import os'), loss('os.getpid() / 1e6')],
        {'rerun': ('loss', 'operator'), 'resume': ('loss', None), 'workers': ('loss', None)}, None),
}


def everything(project):
    """The desk, every ref, every object in git, and what lies in the project's result and statistic folders."""
    folders = [sorted(str(path) for path in (project.root / name).rglob('*')) for name in ('__result__', '__statistic__')]
    return desk(project), project.git('for-each-ref'), project.git('count-objects', '-v'), folders


def test_the_example_is_exact_and_nothing_is_left_behind(project):
    dirty(project)
    before = everything(project)
    done = project.tagrun('selftest', '--steps', '90', '--kills', '2', '--seed', '4')
    assert everything(project) == before
    assert re.search(r'^resume   exact     killed with -9 after steps \d+, \d+, and continued \(--seed 4\)\n'
                     r'rerun    exact .*\nworkers  exact     2 data workers instead of 0\nexact: 90 steps', done.stdout, re.MULTILINE)


def assert_found(checks, tmp_path, data, config, edits, differing, line):
    project = make_project(tmp_path / "a 'b; c", data, **config)
    for edit in edits:
        project.edit(*edit)
    done = project.tagrun('selftest', *checks, *QUICK, code=3)
    checks = json.loads(done.stdout)['checks']
    found = {name: (check['first_difference']['stream'], check.get('cause')) for name, check in checks.items() if not check['exact']}
    assert found == differing
    first = next(check for name, check in checks.items() if name in differing and differing[name][1])
    assert line in first['look_at'][0] if line else not first['look_at']


@pytest.mark.parametrize('fault', [pytest.param(fault, marks=[pytest.mark.slow] * (fault in AS_ANOTHER)) for fault in FAULTS])
def test_a_fault_is_found_with_stream_cause_and_line(tmp_path, data, fault):
    config, edits, differing, line = FAULTS[fault]
    differing = {name: found for name, found in differing.items() if found[1]}
    assert_found(differing, tmp_path, data, config, edits, differing, line)


@pytest.mark.slow
@pytest.mark.parametrize('fault', {**MORE_FAULTS, **FAULTS})
def test_it_says_of_each_check_whether_a_fault_breaks_it(tmp_path, data, fault):
    assert_found((), tmp_path, data, *{**MORE_FAULTS, **FAULTS}[fault])


def test_code_that_fails_is_named_and_its_log_kept(project):
    project.edit('epoch.py', LOSS, LOSS + "                raise ArithmeticError('a broken slide rule')\n")
    told = project.tagrun('selftest', code=1).stderr
    assert 'the untouched training failed: ArithmeticError: a broken slide rule' in told
    kept, = project.root.glob('__result__/.selftest-*/0/log')
    assert str(kept) in told.replace("'\"'\"'", "'") and 'slide rule' in kept.read_text()


def test_code_that_fails_only_when_resumed_could_not_run(project):
    project.edit('state.py', '    def load_state_dict(self, saved):\n', "    def load_state_dict(self, saved):\n        raise KeyError('ema')\n")
    done = project.tagrun('selftest', 'resume', *QUICK, code=1)
    assert "'ema'" in json.loads(done.stdout)['checks']['resume']['failed'] and 'kept: ' in done.stderr


def test_what_config_has_no_number_for_is_untested_and_not_called_exact():
    check = selftest._checked('workers', None, None, {'workers': selftest._workers({'lr': 0.1})})
    assert check['exact'] is None and 'config.py has no number `workers`' in check['untested']
    assert [selftest._exit_code(checks) for checks in ([check], [check, {'exact': True}], [check, {'exact': False}], [{'exact': False, 'failed': ''}])] == [1, 0, 3, 1]


@pytest.mark.parametrize('where', ['a repository', 'a folder of one', 'a repository without a commit'])
def test_the_code_on_the_desk_is_what_git_would_record(project, tmp_path, where):
    dirty(project)
    (project.root / 'code' / 'linked.py').symlink_to('model.py')
    (project.root / 'code' / 'new.sh').write_text('true\n')
    (project.root / 'code' / 'new.sh').chmod(0o755)
    if where != 'a repository':
        shutil.rmtree(project.root / '.git')
        top = project.root if 'without' in where else tmp_path
        subprocess.run(['git', 'init', '-q', top], check=True)
    repository = Repository.at(project.root)
    found = on_the_desk(repository)
    assert {file.path for file in found} > {'new.sh', 'linked.py', 'main.py'} and 'requirements-test.txt' not in {file.path for file in found}
    project.git('add', '-A')
    project.git('-c', 'user.name=x', '-c', 'user.email=x', 'commit', '-qm', 'all')
    assert sorted(found) == sorted(snapshot.read(repository, repository.resolve('HEAD')))


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_a_selftest_that_is_stopped_leaves_nothing(project, number):
    process = project.start('selftest')
    lock = wait_for(lambda: next(project.root.glob('__result__/.selftest-*/0/lock'), None), what='training')
    pid = wait_for(lambda: lock.read_text() and json.loads(lock.read_text())['pid'], what='its pid')
    process.send_signal(number)
    assert process.wait(30) == 130
    assert not list((project.root / '__result__').iterdir())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_training_is_cut_short_only_where_run_json_says_so():
    def trial(**told):
        args = SimpleNamespace(epochs=9, workers=0)
        return Trial(told, args), vars(args)
    state = SimpleNamespace(epoch=1, step=50, batch=12)
    whole, args = trial()
    assert args == {'epochs': 9, 'workers': 0} and whole.left(state) is None and not whole.save_due(state) and whole.kill(state) is None
    fast, args = trial(fast=3)
    assert args['epochs'] == 2 and fast.left(state) == 0 and not fast.save_due(state)
    short, args = trial(selftest={'args': {'epochs': 6, 'workers': 2}, 'batches': 40, 'save': 4, 'kill': [2, 50]})
    assert args == {'epochs': 6, 'workers': 2} and short.left(state) == 28 and short.save_due(state) and short.kill(state) is None


@pytest.mark.parametrize('steps, count, save', [([36] * 6, 4, 6), ([36] * 6, 1, 6), ([2, 2], 3, 1), ([1], 1, 1), ([40, 7], 9, 6)])
def test_it_is_killed_at_rising_steps_after_two_saves_of_an_epoch_or_at_its_end(steps, count, save):
    for seed in range(50):
        moments = selftest._moments(steps, count, save, random.Random(seed))
        assert moments == sorted(moments) and 1 <= len(moments) <= count and moments == selftest._moments(steps, count, save, random.Random(seed))
        for epochs, done in moments:
            within = done - sum(steps[:epochs])
            assert within == 0 or 2 * save < within <= steps[epochs]
        assert sum(done == sum(steps[:epochs]) for epochs, done in moments) <= 1


def test_no_line_of_the_template_is_a_suspect_of_state_or_chance():
    files = [File(path.name, '100644', path.read_bytes()) for path in CODE.glob('*.py')]
    assert {suspect.kind for suspect in suspects.find(files)} <= {'draw', 'draws', 'generator'}


SOURCE = b'''
import itertools, random, time
COUNT, SEEN, number = itertools.count(), [], 0
def f(x, y):
    global number
    number += 1
    local = []
    local.append(number)
    f.calls += 1
    SEEN[0] = next(COUNT)
    for name in {'a', 'b'}: y.append(hash(name))
    torch.Generator().seed(); random.Random(3)
class Data:
    def __init__(self): self.asked = 1
    def __getitem__(self, index): self.asked += random.random()
class Model:
    def forward(self, x): self.history.append(time.time())
'''


def test_suspects_are_named_by_kind_and_line():
    found = [(suspect.line, suspect.kind) for suspect in suspects.find([File('epoch.py', '100644', SOURCE)])]
    assert found == [(6, 'module'), (9, 'module'), (10, 'module'), (10, 'module'), (11, 'hash'), (11, 'hash'), (12, 'unseeded'),
                                              (12, 'generator'), (12, 'generator'), (15, 'dataset'), (15, 'draw'), (17, 'object'), (17, 'clock')]


def test_each_cause_has_a_sentence_a_cure_and_known_kinds_of_suspects():
    for cause in causes.CAUSES.values():
        assert cause.what and cause.cure and all(f'    {kind} ' in suspects.__doc__ for kind in cause.kinds)


def test_a_dataset_that_can_only_be_iterated_has_no_fingerprint():
    """torch gives each a __getitem__ that raises; selftest found that such a dataset could not be trained at all."""
    class Stream(torch.utils.data.IterableDataset):
        def __len__(self):
            return 3

        def __iter__(self):
            return iter(range(3))
    assert environment._fingerprint(torch.utils.data.DataLoader(Stream())) is None
