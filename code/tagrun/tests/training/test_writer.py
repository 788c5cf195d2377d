"""training/writer.py: TensorBoard reads back what was written, each point once."""

import types

import pytest
import torch
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard_points import points
from torch import nn

from tagrun.training.graph import trace
from tagrun.training.writer import EVERY, Writer


def test_steps_and_epochs_are_read_back(tmp_path):
    writer = Writer(tmp_path)
    writer.step(1, {'loss': torch.tensor(0.5)}, {'lr': 0.25})
    writer.step(2, {}, {'lr': 0.25})
    writer.step(3, {'loss': 1.5}, {'lr': 0.125})
    writer.epoch(1, {'val/acc': 0.75})
    writer.close()
    assert points(tmp_path) == {
        'step/loss': [(1, 0.5), (3, 1.5)],
        'step/lr': [(1, 0.25), (2, 0.25), (3, 0.125)],
        'val/acc': [(1, 0.75)],
    }


def test_many_steps_are_written_at_once(tmp_path):
    writer = Writer(tmp_path)
    for step in range(1, EVERY):
        writer.step(step, {'loss': 1.0}, {'lr': 0.5})
    assert points(tmp_path) == {}
    writer.step(EVERY, {'loss': 1.0}, {'lr': 0.5})
    assert len(points(tmp_path)['step/loss']) == EVERY
    writer.close()


def test_a_resumed_run_has_each_point_once(tmp_path):
    writer = Writer(tmp_path)
    writer.step(1, {'loss': 1.0}, {'lr': 0.5})
    sizes = writer.flush()
    writer.step(2, {'loss': 9.0}, {'lr': 0.5})
    writer.close()
    again = Writer(tmp_path, sizes)
    again.step(2, {'loss': 2.0}, {'lr': 0.5})
    again.close()
    assert points(tmp_path)['step/loss'] == [(1, 1.0), (2, 2.0)]
    files = sorted(path.name for path in (tmp_path / 'tensorboard').iterdir())
    assert [name.rpartition('.')[2] for name in files] == ['0000000000', '0000000001']


def test_a_run_that_begins_anew_keeps_no_point(tmp_path):
    for loss in (1.0, 2.0):
        writer = Writer(tmp_path)
        writer.step(1, {'loss': loss}, {'lr': 0.5})
        writer.close()
    assert points(tmp_path)['step/loss'] == [(1, 2.0)]


@pytest.mark.parametrize('size, classes', [(2, ('cat', 'dog')), (2, None), (40, None)])
def test_a_confusion_matrix_is_a_picture(tmp_path, size, classes):
    writer = Writer(tmp_path)
    writer.confusion('val/confusion', torch.eye(size), classes, 3)
    writer.close()
    [(step, (width, height, picture))] = points(tmp_path)['val/confusion']
    assert step == 3 and picture.startswith(b'\x89PNG') and int(width) == int(height) >= 240


def test_a_graph_is_read_back(tmp_path):
    writer = Writer(tmp_path)
    writer.graph(trace(nn.Linear(3, 2), torch.ones(2, 3)))
    writer.close()
    file = next((tmp_path / 'tensorboard').iterdir())
    assert any(event.graph_def for event in EventFileLoader(str(file)).Load())


def test_every_argument_is_in_the_hparams_row(tmp_path):
    writer = Writer(tmp_path)
    args = types.SimpleNamespace(lr=0.5, model='mlp', phases=('train',), deep=True)
    writer.hparams(args)
    writer.close()
    file = next((tmp_path / 'tensorboard').iterdir())
    row = b''.join(event.SerializeToString() for event in EventFileLoader(str(file)).Load())
    for word in (b'_hparams_/session_start_info', b'lr', b'mlp', b"('train',)", b'True'):
        assert word in row


NAMES = ['$', '$\\frac{$', '\U0001f600', 'a\nb', '', 'x' * 300]


@pytest.mark.parametrize(
    'matrix, classes',
    [
        (torch.full((6, 6), torch.nan), NAMES),
        (torch.full((6, 6), torch.inf), None),
        (torch.full((6, 6), -1e300, dtype=torch.float64), NAMES),
        (torch.zeros(0, 0), None),
        (torch.ones(1, 1).bool(), ['one']),
    ],
)
def test_exotic_values_and_names_are_drawn_or_said_and_end_no_training(
    tmp_path, matrix, classes, capsys
):
    writer = Writer(tmp_path)
    writer.confusion('val/confusion', matrix, classes, 1)
    writer.close()
    is_drawn = 'val/confusion' in points(tmp_path)
    assert is_drawn != ('TensorBoard cannot show' in capsys.readouterr().err)
    # a name with a formula's sign is a name like any other
    assert is_drawn or classes is not NAMES


def test_a_picture_that_cannot_be_drawn_is_said_once(tmp_path, monkeypatch, capsys):
    def broken(*_, **options):
        raise RuntimeError('no font\nat all')

    monkeypatch.setattr('matplotlib.figure.Figure.savefig', broken)
    writer = Writer(tmp_path)
    for epoch in (1, 2):
        writer.confusion('val/confusion', torch.eye(2), None, epoch)
        writer.epoch(epoch, {'val/acc': 0.5})
    writer.close()
    assert capsys.readouterr().err == (
        'tagrun: TensorBoard cannot show val/confusion; training goes on\n  RuntimeError: no font\n'
    )
    assert len(points(tmp_path)['val/acc']) == 2


def test_a_disk_that_is_full_ends_the_run_all_the_same(tmp_path):
    writer = Writer(tmp_path)
    writer._file.close()
    with pytest.raises(ValueError):
        writer.confusion('val/confusion', torch.eye(2), None, 1)


def test_a_folder_and_files_of_others_stay_where_they_are_and_a_run_goes_on(tmp_path):
    writer = Writer(tmp_path)
    writer.step(1, {'loss': 1.0}, {'lr': 0.5})
    folder, outside = tmp_path / 'tensorboard', tmp_path / 'outside'
    (folder / 'plugins' / 'profile').mkdir(parents=True)
    (folder / 'notes.txt').write_text('mine')
    outside.write_text('not to be cut')
    (folder / 'events.out.tfevents.link').symlink_to(outside)
    other = folder / 'events.out.tfevents.1700000000.host'
    other.write_bytes(b'1234')
    sizes = writer.flush()
    writer.close()
    other.write_bytes(b'123456')
    (folder / 'events.out.tfevents.1800000000.host').write_bytes(b'later')
    (folder / 'events.out.tfevents.link').unlink()
    (folder / 'events.out.tfevents.link').symlink_to(outside)
    again = Writer(tmp_path, {**sizes, 'events.out.tfevents.link': 1})
    again.step(2, {'loss': 2.0}, {'lr': 0.5})
    again.close()
    assert other.read_bytes() == b'1234' and outside.read_text() == 'not to be cut'
    assert (folder / 'notes.txt').read_text() == 'mine' and (folder / 'plugins').is_dir()
    assert not (folder / 'events.out.tfevents.1800000000.host').exists()
