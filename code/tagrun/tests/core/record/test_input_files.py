"""core/record/input_files.py: what a run is to take is found, verified, kept and named."""

import os

import pytest

from tagrun.core.cli.messages import UserError
from tagrun.core.git.repository import Repository
from tagrun.core.record import input_files
from tagrun.store import checkpoints, inputs, needed, run_json
from tagrun.store.run_ref import RunRef

PRE = RunRef('pre', 0)
ZIP = b'PK\x03\x04 and so on'


@pytest.fixture
def root(root):
    """A project with pre/0: three checkpoints, the second one the best."""
    make_run(root, 'pre', 1, 2, 3)
    folder = PRE.folder(root) / checkpoints.FOLDER
    (folder / checkpoints.BEST).symlink_to('epoch_2.pth')
    return root


def make_run(root, tag, *epochs, **more):
    folder = RunRef(tag, 0).folder(root)
    directory = folder / checkpoints.FOLDER
    directory.mkdir(parents=True)
    for number in epochs:
        (directory / f'epoch_{number}.pth').write_bytes(ZIP + str(number).encode())
    names = [f'epoch_{number}.pth' for number in epochs]
    checkpoints.write_sums(folder, {name: checkpoints.digest(directory / name) for name in names})
    run_json.write(folder, run_json.build(root, tag, 0, 'c' * 40, 1, **more))
    return folder


def refused(call, *arguments, **options):
    with pytest.raises(UserError) as refusal:
        call(*arguments, **options)
    return str(refusal.value)


@pytest.mark.parametrize(
    'word, file, asked',
    [
        ('pre', 'epoch_3.pth', ['last']),
        ('pre/0', 'epoch_3.pth', ['last']),
        ('@last', 'epoch_3.pth', ['last']),
        ('pre:best', 'epoch_2.pth', ['best']),
        ('pre/0:last', 'epoch_3.pth', ['last']),
        ('p:1', 'epoch_1.pth', None),
        ('pre/0:epoch_1', 'epoch_1.pth', None),
        ('pre/0:epoch_1.pth', 'epoch_1.pth', None),
    ],
)
def test_a_word_names_a_runs_checkpoint(root, word, file, asked):
    record = input_files.chosen(root, start=word)
    digest = checkpoints.listed(PRE.folder(root))[file]
    expected = {'file': file, 'sha256': digest, 'what': 'checkpoint'}
    assert record == {'pre/0': expected | ({'asked': asked} if asked else {})}
    assert inputs.parse(record)
    assert needed.digests(PRE.folder(root) / checkpoints.FOLDER) == {digest}


def test_weights_are_the_best_ones_or_else_the_last(root):
    assert input_files.chosen(root, weights='pre')['pre/0']['file'] == 'epoch_2.pth'
    assert input_files.chosen(root, weights='pre:1')['pre/0']['file'] == 'epoch_1.pth'
    (PRE.folder(root) / checkpoints.FOLDER / checkpoints.BEST).unlink()
    record = input_files.chosen(root, weights='pre', strict=False)
    assert record['pre/0']['file'] == 'epoch_3.pth' and record['pre/0']['strict'] is False
    assert input_files.lines(record) == ['weights of pre/0:epoch_3.pth (last), as far as they fit']


def test_a_dry_run_notes_nothing(root):
    input_files.chosen(root, start='pre', hold=False)
    assert not (PRE.folder(root) / checkpoints.FOLDER / needed.NAME).exists()


def test_a_path_to_a_checkpoint_of_a_run_means_that_run(root, monkeypatch):
    monkeypatch.chdir(PRE.folder(root))
    for path in ('checkpoint/epoch_best.pth', 'checkpoint/epoch_2.pth'):
        for option in ('start', 'weights'):
            record = input_files.chosen(root, **{option: path})
            assert record['pre/0']['file'] == 'epoch_2.pth'


def test_a_file_from_elsewhere_is_named_by_its_path(root, tmp_path, monkeypatch):
    (root / 'weights').mkdir()
    inside, outside = root / 'weights' / 'x.pth', tmp_path / 'y.bin'
    for path in (inside, outside):
        path.write_bytes(ZIP)
    monkeypatch.chdir(root / 'weights')
    record = input_files.chosen(root, weights='x.pth')
    assert list(record) == ['weights/x.pth'] and record['weights/x.pth']['what'] == 'weights'
    record = input_files.chosen(root, weights='../../y.bin')
    assert list(record) == [str(outside)] and inputs.parse(record)
    # through a link to the project, too
    (tmp_path / 'link').symlink_to(root)
    record = input_files.chosen(root, weights=str(tmp_path / 'link' / 'weights' / 'x.pth'))
    assert list(record) == ['weights/x.pth']


@pytest.mark.parametrize(
    'option, word, reason',
    [
        ('start', 'gone', "'gone' has no run here"),
        ('start', 'pre/7', "run 'pre/7' does not exist"),
        ('start', 'pre:9', "pre/0 has no checkpoint '9': it has epoch_1, epoch_2, epoch_3"),
        ('start', 'pre:../../x', "pre/0 has no checkpoint '../../x'"),
        ('weights', 'pre:', None),
        ('start', 'pre:best:3', 'has no checkpoint'),
        ('start', '-x', 'is not a run'),
        ('start', 'x.pth', "a run's checkpoint is meant, e.g. t1/0:best; --weights-from x.pth tak"),
        ('weights', 'x.pth', '--weights-from x.pth: '),
        ('weights', 'no.safetensors', 'No such file'),
        ('weights', 'folder.pth', 'cannot be read'),
        ('weights', 'fifo.pth', 'not a regular file'),
        ('weights', 'text.pth', 'it is not a file of torch.save, nor a .safetensors file'),
        ('weights', 'empty.safetensors', 'it is not a file of torch.save'),
    ],
)
def test_what_is_not_there_or_is_no_file_of_weights_is_refused(
    root, monkeypatch, option, word, reason
):
    monkeypatch.chdir(root)
    (root / 'folder.pth').mkdir()
    os.mkfifo(root / 'fifo.pth')
    (root / 'text.pth').write_text('print()')
    (root / 'empty.safetensors').write_bytes(b'')
    if reason is None:
        assert input_files.chosen(root, **{option: word})
        return
    assert reason in refused(input_files.chosen, root, **{option: word})


def test_a_damaged_checkpoint_is_refused_by_name(root):
    (PRE.folder(root) / checkpoints.FOLDER / 'epoch_2.pth').write_bytes(b'damaged')
    text = refused(input_files.chosen, root, weights='pre')
    assert text.startswith('pre/0:epoch_2.pth is damaged: its SHA-256 is ')


def test_a_missing_package_for_safetensors_is_refused_with_what_to_type(root, monkeypatch):
    (root / 'x.safetensors').write_bytes(b'\x10' + bytes(7) + b'{}')
    monkeypatch.chdir(root)
    assert input_files.chosen(root, weights='x.safetensors')
    monkeypatch.setattr(input_files.packages, 'missing', lambda _: ['safetensors'])
    text = refused(input_files.chosen, root, weights='x.safetensors')
    assert 'lacks safetensors: ' in text and 'requirements-safetensors.txt' in text


# ---- again, by a rerun ----


def test_what_is_as_it_was_recorded_passes_and_is_kept(root):
    record = input_files.chosen(root, weights='pre:1', hold=False)
    input_files.check(root, record, 'fine/0')
    assert needed.digests(PRE.folder(root) / checkpoints.FOLDER)
    input_files.check(root, {}, 'fine/0')
    input_files.check(root, None, 'fine/0')


def test_a_changed_and_a_missing_input_are_refused_by_name(root, monkeypatch):
    record = input_files.chosen(root, weights='pre:1')
    path = PRE.folder(root) / checkpoints.FOLDER / 'epoch_1.pth'
    recorded = checkpoints.digest(path)[:12]
    path.write_bytes(b'changed')
    now = checkpoints.digest(path)[:12]
    assert refused(input_files.check, root, record, 'fine/0') == (
        f'input pre/0 epoch_1.pth has changed: its SHA-256 is {now}…, and fine/0 was trained with '
        f'{recorded}…'
    )
    path.unlink()
    assert refused(input_files.check, root, record, 'fine/0') == (
        'input pre/0 epoch_1.pth is not here: pre/0 has epoch_2, epoch_3; fine/0 was trained with '
        f'SHA-256 {recorded}…'
    )
    for other in (2, 3):
        (path.parent / f'epoch_{other}.pth').unlink()
    assert 'pre/0 has no checkpoint;' in refused(input_files.check, root, record, 'fine/0')
    info = run_json.read(PRE.folder(root))
    run_json.write(PRE.folder(root), {**info, 'fetched_from': 'origin'})
    assert 'copy its folder checkpoint/' in refused(input_files.check, root, record, 'fine/0')
    (PRE.folder(root) / 'run.json').unlink()
    assert 'the run pre/0 does not exist' in refused(input_files.check, root, record, 'fine/0')


def test_a_changed_file_from_elsewhere_is_refused_by_its_path(root, monkeypatch):
    monkeypatch.chdir(root)
    (root / 'x.pth').write_bytes(ZIP)
    record = input_files.chosen(root, weights='x.pth')
    input_files.check(root, record, 'fine/0')
    (root / 'x.pth').write_bytes(ZIP + b'2')
    assert refused(input_files.check, root, record, 'fine/0').startswith('input x.pth has changed')
    (root / 'x.pth').unlink()
    assert refused(input_files.check, root, record, 'fine/0').startswith('input x.pth is not here;')


def test_a_checkpoint_that_its_run_wrote_again_is_found_by_its_digest(root):
    record = input_files.chosen(root, weights='pre:3')
    folder = PRE.folder(root)
    checkpoints.make_way(folder, 'epoch_3.pth')
    (folder / checkpoints.FOLDER / 'epoch_3.pth').unlink()
    (folder / checkpoints.FOLDER / 'epoch_3.pth').write_bytes(b'again')
    digest = checkpoints.digest(folder / checkpoints.FOLDER / 'epoch_3.pth')
    checkpoints.write_sums(folder, {**checkpoints.listed(folder), 'epoch_3.pth': digest})
    input_files.check(root, record, 'fine/0')
    assert digest != record['pre/0']['sha256']


def test_a_mark_keeps_a_checkpoint_for_the_run_that_has_a_folder(root):
    record = input_files.chosen(root, weights='pre:1', hold=False)
    input_files.mark(root, record, 'fine/0')
    directory = PRE.folder(root) / checkpoints.FOLDER
    assert needed.digests(directory) == set()
    make_run(root, 'fine')
    assert needed.digests(directory) == {record['pre/0']['sha256']}
    input_files.mark(root, {'gone/0': record['pre/0'], 'x.pth': {}}, 'fine/0')
    assert not RunRef('gone', 0).folder(root).exists()


def test_runs_that_lack_an_input_here_are_named(root):
    record = input_files.chosen(root, weights='pre:1')
    make_run(root, 'fine', inputs=record)
    make_run(root, 'lost', inputs={'gone/0': record['pre/0']})
    runs = [RunRef(tag, 0) for tag in ('pre', 'fine', 'lost', 'unknown')]
    assert input_files.lacking(root, runs) == {RunRef('lost', 0): 'gone/0:epoch_1.pth'}


# ---- in git ----


def test_a_tags_message_says_it_to_people_and_programs(root):
    record = input_files.chosen(root, weights='pre:best')
    lines = input_files.message_lines(record)
    assert lines[0] == 'weights of pre/0:epoch_2.pth (best)' and len(lines) == 2
    message = '\n'.join(['why', '', 'seed 1', *lines])
    assert input_files.of_message(message) == record
    assert input_files.message_lines({}) == []


@pytest.mark.parametrize(
    'line', ['inputs', 'inputs {', 'inputs {"a": 1}', 'inputs ' + '{"a":' * 9999, 'inputs []']
)
def test_a_message_that_says_nothing_of_the_kind_has_no_inputs(line):
    assert input_files.of_message(f'why\n\n{line}\n') == {}


def test_a_tags_inputs_are_read_from_git(stubbed):
    repository = Repository.at(stubbed.root)
    stubbed.tagrun('run', 'pre')
    stubbed.tagrun('run', 'fine', '--weights-from', 'pre')
    record = run_json.read(stubbed.folder('fine/0'))['inputs']
    assert record and input_files.of_tag(repository, 'fine') == record
    assert input_files.of_tag(repository, 'pre') == input_files.of_tag(repository, 'no') == {}


def test_code_that_would_begin_without_them_is_refused():
    input_files.require_feature(frozenset({'inputs', 'nproc'}), 'it')
    text = refused(input_files.require_feature, frozenset({'nproc'}), 'the code of commit abc')
    assert text.startswith('the code of commit abc is older than --from and --weights-from')
