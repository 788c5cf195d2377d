"""Options and refusals of `run --from`, `--weights-from`, and what other commands say of inputs.

Nothing is trained here: tests/training/test_begin_from_run.py does.
"""

import json

import pytest
import stub_project
from project_factory import copied

from tagrun.core.git.repository import Repository
from tagrun.core.record import claim
from tagrun.store import checkpoints, layout, needed, run_json


@pytest.fixture(scope='module')
def unchanged(tmp_path_factory):
    """A project with the run pre/0, whose only checkpoint is epoch_1.pth; no test changes it."""
    made = stub_project.make(tmp_path_factory.mktemp('pre') / "a 'b; c")
    made.tagrun('run', 'pre')
    return made


@pytest.fixture
def pre(unchanged, tmp_path):
    """A copy of it."""
    return copied(unchanged, tmp_path / "a 'b; c")


def inputs_of(project, name):
    return run_json.read(project.folder(name))['inputs']


def tags(project):
    return project.git('tag').split()


def last_line(done):
    return done.stderr.strip().splitlines()[-1]


def test_the_record_the_message_and_the_screen_have_the_input(pre):
    done = pre.tagrun('run', 'fine', '--weights-from', 'pre:best', '--no-strict', '-m', 'why')
    line = 'weights of pre/0:epoch_1.pth (best), as far as they fit'
    assert f'  {line}\n' in done.stderr
    record = inputs_of(pre, 'fine/0')
    assert record['pre/0']['what'] == 'weights' and record['pre/0']['strict'] is False
    message = pre.git('tag', '-l', '--format=%(contents)', 'fine')
    assert line in message and json.dumps(record) in message
    directory = pre.folder('pre/0') / checkpoints.FOLDER
    assert 'epoch_1.pth  fine/0\n' in (directory / needed.NAME).read_text()


def test_a_run_that_goes_on_has_the_seed_of_the_other_one_unless_another_is_asked_for(pre):
    seed = run_json.read(pre.folder('pre/0'))['seed']
    assert f'seed {seed}\n' in pre.tagrun('run', 'long', '--from', 'pre').stderr
    pre.tagrun('run', 'fixed', '-f', '--from', 'pre')
    pre.tagrun('run', 'fine', '--weights-from', 'pre')
    seeds = [run_json.read(pre.folder(f'{tag}/0'))['seed'] for tag in ('long', 'fixed', 'fine')]
    assert seeds[:2] == [seed, 4242] and seeds[2] not in (seed, 4242)
    assert pre.git('show', 'long:code/seed').strip() == str(seed)


def test_a_dry_run_shows_it_and_makes_nothing(unchanged):
    done = unchanged.tagrun('run', 'long', '--from', 'pre', '-n')
    assert '  everything of pre/0:epoch_1.pth (last)\n' in done.stderr
    assert tags(unchanged) == ['pre']
    assert not (unchanged.folder('pre/0') / checkpoints.FOLDER / needed.NAME).exists()


@pytest.mark.parametrize(
    'words, code, reason',
    [
        (['x', '--from', 'gone'], 1, "'gone' has no run here"),
        (['x', '--from', 'pre:7'], 1, "pre/0 has no checkpoint '7': it has epoch_1"),
        (['x', '--from', 'no.pth'], 1, "a run's checkpoint is meant"),
        (['x', '--weights-from', 'no.pth'], 1, 'No such file'),
        (['x', '--weights-from', 'code/main.py'], 1, 'it is not a file of torch.save'),
        (['x', '--from', 'pre', '--weights-from', 'pre'], 2, 'one of the two'),
        (['x', '--no-strict'], 2, '--no-strict belongs to --weights-from'),
        (['x', '--from', 'pre', '--no-strict'], 2, '--no-strict belongs to --weights-from'),
        (['--fast', '--from', 'pre'], 2, 'leave out --from'),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence_and_leaves_no_tag(unchanged, words, code, reason):
    assert reason in unchanged.tagrun('run', *words, code=code).stderr
    assert tags(unchanged) == ['pre']


def test_a_damaged_checkpoint_leaves_no_tag(pre):
    (pre.folder('pre/0') / checkpoints.FOLDER / 'epoch_1.pth').write_bytes(b'changed')
    done = pre.tagrun('run', 'x', '--weights-from', 'pre', code=1)
    assert 'pre/0:epoch_1.pth is damaged' in done.stderr and tags(pre) == ['pre']


def test_code_that_is_too_old_is_refused(pre):
    (pre.root / 'code' / 'tagrun' / 'CONTRACT').write_text('1\nnproc\n')
    done = pre.tagrun('run', 'x', '--from', 'pre', code=1)
    assert 'code/tagrun here is older than --from' in last_line(done) and tags(pre) == ['pre']


def test_reruns_and_further_seeds_take_the_same(pre):
    pre.tagrun('run', 'fine', '--weights-from', 'pre', '--seeds', '2')
    pre.tagrun('rerun', 'fine')
    pre.tagrun('rerun', 'fine/1', '-f')
    records = [inputs_of(pre, f'fine/{number}') for number in range(4)]
    assert records[0]['pre/0'] and records == records[:1] * 4
    text = (pre.folder('pre/0') / checkpoints.FOLDER / needed.NAME).read_text()
    assert all(f'  fine/{number}\n' in text for number in range(4))
    # by the tag's message, where the files are gone
    layout.run_folder(pre.root, 'fine', 0).parent.rename(pre.root / 'moved')
    pre.tagrun('rerun', 'fine')
    assert inputs_of(pre, 'fine/4') == records[0]


def test_a_rerun_with_a_changed_or_missing_input_is_refused_by_name(pre):
    pre.tagrun('run', 'fine', '--weights-from', 'pre')
    path = pre.folder('pre/0') / checkpoints.FOLDER / 'epoch_1.pth'
    path.write_bytes(b'changed')
    for options in ((), ('-f',)):
        line = last_line(pre.tagrun('rerun', 'fine', *options, code=1))
        assert line.startswith('tagrun: input pre/0 epoch_1.pth has changed: its SHA-256 is ')
        assert 'fine/0 was trained with ' in line
    path.unlink()
    line = last_line(pre.tagrun('rerun', 'fine', '--seeds', '2', code=1))
    assert line.startswith('tagrun: input pre/0 epoch_1.pth is not here: pre/0 has no checkpoint')
    assert layout.numbers(pre.root, 'fine') == [0]


def test_a_run_whose_preparation_was_killed_gets_its_inputs_from_the_tag(pre):
    pre.tagrun('run', 'fine', '--weights-from', 'pre')
    record = inputs_of(pre, 'fine/0')
    (pre.folder('fine/0') / run_json.NAME).unlink()
    repository = Repository.at(pre.root)
    claim.complete(repository, pre.folder('fine/0'), repository.resolve('fine^{commit}'))
    assert inputs_of(pre, 'fine/0') == record


def test_continue_says_what_to_type_for_other_values(pre):
    done = pre.tagrun('continue', 'pre', '--set', 'lr=0.1', 'model=a b', code=2)
    assert "run <new tag> --from pre/0 --set lr=0.1 'model=a b'" in done.stderr
    assert layout.numbers(pre.root, 'pre') == [0]


def test_a_run_without_a_checkpoint_goes_on_only_if_its_input_is_as_it_was(pre):
    pre.tagrun('run', 'fine', '--weights-from', 'pre', '--set', "how='killed'", code=137)
    checkpoint = pre.folder('fine/0') / checkpoints.FOLDER / 'epoch_1.pth'
    path = pre.folder('pre/0') / checkpoints.FOLDER / 'epoch_1.pth'
    content = path.read_bytes()
    path.write_bytes(b'changed')
    checkpoint.unlink()
    assert 'input pre/0 epoch_1.pth has changed' in pre.tagrun('continue', 'fine', code=1).stderr
    path.write_bytes(content)
    text = 'fine/0 has no checkpoint yet: it begins anew, with pre/0:epoch_1.pth, with its own seed'
    assert text in pre.tagrun('continue', 'fine', code=137).stderr


def test_a_sweeps_trials_all_begin_with_the_same_weights(pre):
    sweep = ('sweep', 'nets', 'lr=0.1,0.2')
    done = pre.tagrun(*sweep, '--weights-from', 'pre', '-n')
    assert 'weights of pre/0:epoch_1.pth' in done.stderr
    pre.tagrun(*sweep, '--weights-from', 'pre')
    assert inputs_of(pre, 'nets/0') == inputs_of(pre, 'nets/1')
    assert inputs_of(pre, 'nets/0')['pre/0']['what'] == 'weights'
    # the same command goes on with it, also without the option
    pre.tagrun(*sweep[:2], 'lr=0.1,0.2,0.3')
    assert inputs_of(pre, 'nets/2') == inputs_of(pre, 'nets/0')
    pre.tagrun('run', 'other')
    done = pre.tagrun(*sweep, '--weights-from', 'other', code=1)
    assert 'nets was begun with the weights of pre/0:epoch_1.pth: take another' in done.stderr
    (pre.folder('pre/0') / checkpoints.FOLDER / 'epoch_1.pth').write_bytes(b'changed')
    assert 'input pre/0 epoch_1.pth has changed' in pre.tagrun(*sweep, code=1).stderr


def test_a_hostile_run_json_is_refused_in_a_sentence(pre):
    pre.tagrun('run', 'fine', '--weights-from', 'pre')
    path = pre.folder('fine/0') / run_json.NAME
    content = json.loads(path.read_text())
    content['inputs'] = {'/etc/shadow/0': {**content['inputs']['pre/0'], 'file': '../x'}}
    path.write_text(json.dumps(content))
    for command in ('rerun', 'continue'):
        line = last_line(pre.tagrun(command, 'fine/0', code=1))
        assert "the input '/etc/shadow/0' is not a checkpoint of a run" in line
