"""Lines that look like what makes a training inexact are named by kind and line."""

import pytest
from project_factory import CODE

from tagrun.core.check import nondeterminism_lint
from tagrun.core.record.snapshot import File


def test_no_line_of_the_template_is_a_suspect_of_state_or_chance():
    files = [File(path.name, '100644', path.read_bytes()) for path in CODE.glob('*.py')]
    assert {suspect.kind for suspect in nondeterminism_lint.find(files)} <= {
        'draw',
        'draws',
        'generator',
    }


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
    found = [
        (suspect.line, suspect.kind)
        for suspect in nondeterminism_lint.find([File('epoch.py', '100644', SOURCE)])
    ]
    assert found == [
        (6, 'module'),
        (9, 'module'),
        (10, 'module'),
        (10, 'module'),
        (11, 'hash'),
        (11, 'hash'),
        (12, 'unseeded'),
        (12, 'generator'),
        (12, 'generator'),
        (15, 'dataset'),
        (15, 'draw'),
        (17, 'object'),
        (17, 'clock'),
    ]


@pytest.mark.parametrize(
    'call, kind',
    [
        ('Loader(data, stochastic=False)', 'draws'),
        ('Loader(data, draws=False)', 'draws'),
        ('DataLoader(data, persistent_workers=True)', 'persistent'),
    ],
)
def test_the_options_of_a_loader_are_read_under_both_names(call, kind):
    (suspect,) = nondeterminism_lint.find([File('dataloader.py', '100644', call.encode())])
    assert suspect.kind == kind


def find(content, name='epoch.py', **others):
    files = {name: content, **{f'{other}.py': text for other, text in others.items()}}
    files = [File(path, '100644', text.encode()) for path, text in files.items()]
    return [(one.text, one.kind) for one in nondeterminism_lint.find(files) if one.file == name]


def test_the_tool_is_not_searched_and_what_record_and_checkpoint_hold_is_no_suspect():
    content = 'import random\nrandom.Random()\n'
    for name in ('tagrun/x.py', 'predict.py', 'notes.txt'):
        assert find(content, name) == []
    for name in ('epoch.py', 'config.py', 'state.py'):
        assert find(content, name) == [('random.Random()', 'unseeded')]
    own = 'class State:\n    def grow(self): self.count += 1\n'
    assert find(own, 'state.py') == []
    assert find(own.replace('State', 'Replay'), 'state.py') == [('self.count += 1', 'object')]


@pytest.mark.parametrize('name', ['config.py', 'epoch.py', 'dataloader.py', 'state.py'])
@pytest.mark.parametrize(
    'line, text',
    [
        ("lr = float(os.environ.get('LR', 0.1))", "os.environ.get('LR', 0.1)"),
        ("lr = os.environ['LR']", "os.environ['LR']"),
        ("lr = os.getenv('LR')", "os.getenv('LR')"),
        ("lr = getenv('LR') or 1", "getenv('LR')"),
        ("if 'LR' in environ: lr = 1", 'environ'),
        ("os.environ['LR'] = '1'", None),
        ("os.environ.setdefault('LR', '1')", None),
        ("os.environ['LR'] = os.environ['A']", "os.environ['A']"),
    ],
)
def test_a_variable_of_the_environment_that_is_read_is_a_suspect(name, line, text):
    assert find(line, name) == ([(text, 'environment')] if text else [])


@pytest.mark.parametrize(
    'call, kind',
    [
        ("open('x.txt')", 'file'),
        ("open('x.txt', 'rb')", 'file'),
        ("open('x.txt', 'a')", 'written'),
        ("open('x.txt', mode='w')", 'written'),
        ("PATH.open('wb')", 'written'),
        ("torch.load('x.pt')", 'file'),
        ("torch.save(x, 'x.pt')", 'written'),
        ("pd.read_csv('x.csv')", 'file'),
        ("Path('x').read_text()", 'file'),
        ("Path('x').write_text('')", 'written'),
        ('self.load(x)', None),
        ('model.save(x)', None),
    ],
)
def test_a_file_that_is_read_or_written_outside_the_dataset_is_a_suspect(call, kind):
    assert find(call) == ([(call, kind)] if kind else [])
    assert find(call, 'dataloader.py') == []
    assert find(call, 'mnist.py', dataloader='from mnist import load') == []
    inside = f'class Data:\n    def __getitem__(self, index): return {call}'
    assert find(inside, 'dataloader.py') == ([(call, kind)] if kind == 'written' else [])


def test_a_draw_when_a_file_is_imported_comes_before_the_seed():
    assert find('lr = random.random()', 'config.py') == [('random.random()', 'unseeded')]
    assert find('np.random.rand(3)') == [('np.random.rand(3)', 'unseeded')]
    for line in ('random.seed(3)', 'torch.rand(3)', 'def f(): return random.random()'):
        assert find(line) == []


def test_an_iterable_dataset_is_named_at_its_class():
    content = 'class Stream(torch.utils.data.IterableDataset):\n    def __iter__(self): yield 1\n'
    assert find(content, 'dataloader.py') == [('torch.utils.data.IterableDataset', 'iterable')]
