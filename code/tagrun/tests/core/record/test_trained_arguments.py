"""What was asked for trains, or is refused before a tag is made, with the line that sets it."""

import pytest
import stub_project

from tagrun.core.cli.messages import UserError
from tagrun.core.git.repository import Repository
from tagrun.core.record import plan, trained_arguments
from tagrun.core.record.plan import RunRequest


@pytest.fixture(scope='module')
def made_once(tmp_path_factory):
    project = stub_project.make(tmp_path_factory.mktemp('trained') / "a 'b; c")
    code = project.root / 'code'
    (code / 'meddling.py').write_text('import config\n\nconfig.steps = 9\n')
    project.commit()
    return project


@pytest.fixture
def stubbed(made_once):
    made_once.git('checkout', '-q', '.')
    return made_once


def planned(stubbed, **settings):
    repository = Repository.at(stubbed.root)
    return repository, plan.make_plan(repository, RunRequest('t1', settings))


def append(stubbed, text):
    with open(stubbed.root / 'code' / 'config.py', 'a') as file:
        file.write(f'{text}\n')


def test_the_last_of_two_assignments_is_the_argument_and_trains(stubbed):
    append(stubbed, 'steps = 9')
    repository, made = planned(stubbed, steps='1')
    trained_arguments.check(repository, made)
    assert made.config.endswith('steps = 1\n')


@pytest.mark.parametrize('text', ['if True:\n    steps = 9', 'import meddling'])
def test_what_sets_an_argument_after_its_line_is_refused_with_its_own_line(stubbed, text):
    append(stubbed, text)
    with pytest.raises(UserError, match='makes steps 9, so --set steps=1 would not') as refused:
        trained_arguments.check(*planned(stubbed, steps='1'))
    assert str(refused.value).endswith(f'\n  {text.splitlines()[-1].strip()}')


def test_the_line_is_that_which_set_it_last(stubbed):
    append(stubbed, 'if lr > 5:\n    steps = 7\nif lr < 5:\n    steps = 9\nlast = 1')
    with pytest.raises(UserError, match='line 12, makes steps 9'):
        trained_arguments.check(*planned(stubbed, steps='1'))


@pytest.mark.parametrize(
    'text',
    [
        'if lr > 5:\n    steps = 9',
        'deeper = steps * 2',
        'lr = 9.0',
        'steps = int(steps)',
        "import os\nhome = os.environ.get('HOME')",
    ],
)
def test_what_leaves_the_value_alone_is_not_refused(stubbed, text):
    append(stubbed, text)
    repository, made = planned(stubbed, steps='1')
    trained_arguments.check(repository, made)
    assert 'steps = 1 (was 3)' in made.arguments and made.settings == {'steps': 1}


def test_what_config_py_sets_by_itself_is_legal_and_said_with_its_line(stubbed):
    append(stubbed, 'if lr:\n    lr = lr / 2\n    phases = list(phases)')
    repository, made = planned(stubbed, steps='1')
    trained_arguments.check(repository, made)
    assert made.arguments[-1] == 'lr = 0.05 in training (config.py, line 10), not 0.1'
    assert 'lr = 0.05 in training' in plan.message(made, 7)
    assert not [text for text in made.arguments if 'phases' in text and 'training' in text]


def test_a_config_that_python_cannot_compile_is_refused_with_its_line(
    stubbed, tmp_path, monkeypatch
):
    other = tmp_path / 'another project' / 'code' / 'config.py'
    other.parent.mkdir(parents=True)
    other.write_text('another = 1\n' * 20)
    monkeypatch.chdir(other.parent.parent)
    append(stubbed, 'lr = = 3')
    with pytest.raises(UserError, match=r'code/config.py, line 9: invalid syntax\n  lr = = 3'):
        planned(stubbed, steps='1')


def test_annotations_and_future_imports_are_plain_python(stubbed):
    path = stubbed.root / 'code' / 'config.py'
    typed = path.read_text().replace('lr = 0.1', 'lr: float = 0.1', 1)
    head, _, rest = typed.partition('\n')
    path.write_text(f'{head}\nfrom __future__ import annotations\n{rest}')
    repository, made = planned(stubbed, lr='0.5')
    trained_arguments.check(repository, made)
    assert 'lr: float = 0.5' in made.config


def test_nothing_of_the_users_is_written(stubbed):
    append(stubbed, 'import meddling')
    before = sorted(stubbed.root.rglob('*'))
    with pytest.raises(UserError):
        trained_arguments.check(*planned(stubbed, steps='1'))
    assert [path for path in sorted(stubbed.root.rglob('*')) if '.git' not in path.parts] == [
        path for path in before if '.git' not in path.parts
    ]


def test_each_trial_of_a_sweep_is_compared(stubbed):
    append(stubbed, "if model == 'cnn' and steps > 1:\n    lr = 9.0")
    repository, made = planned(stubbed)
    trials = [{'lr': '0.5', 'model': "'mlp'"}, {'lr': '0.5', 'model': "'cnn'"}]
    with pytest.raises(UserError, match='line 10, makes lr 9.0, so lr=0.5 would not train'):
        trained_arguments.check_values(repository, made, trials)
    trained_arguments.check_values(repository, made, trials[:1])
    trained_arguments.check_values(repository, made, [{**trials[1], 'steps': '1'}])
