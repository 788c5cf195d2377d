"""TensorBoard's event files."""

from foreign_runs import events

from tagrun.extra.importing import foreign_tensorboard


def test_tensorboards_folders_are_runs_and_keras_phases_are_one(project, bring, tmp_path):
    place = tmp_path / 'boards'
    events(
        place / 'a', {'train/loss': [(0, 2.0), (100, 1.0), (100, 0.5)], 'val/acc': [(100, 0.25)]}
    )
    events(place / 'keras' / 'train', {'epoch_loss': [(0, 2.0), (1, 1.0)]})
    events(place / 'keras' / 'validation', {'epoch_loss': [(0, 3.0), (1, 2.0)]})
    bring(place)
    assert (
        project.statistic('boards/0')['metric'] == {'train/loss': 0.5, 'val/acc': 0.25}
        and project.statistic('boards/0')['best_step'] == 100
    )
    keras = project.statistic('boards/1')
    assert (
        keras['metric'] == {'train/loss': 1.0, 'val/loss': 2.0}
        and keras['imported']['x'] == 'epoch'
        and keras['imported']['name'] == 'keras'
    )


def test_the_searched_folder_itself_may_be_a_run(tmp_path):
    events(tmp_path / 'board', {'loss': [(1, 2.0)]})
    ((folder, location),) = foreign_tensorboard.find_runs(tmp_path / 'board').items()
    assert folder == str(tmp_path / 'board')
    assert location == foreign_tensorboard.Location('', [folder], 'board')
    run = foreign_tensorboard.read_run(location)
    assert (run.id, run.group, run.name, run.x) == ('board/', 'board', '', 'step')
    assert (run.started, run.seconds) == (1795264620.0, 0.0)


def write_hparams(folder, **hparams):
    """What SummaryWriter.add_hparams writes of them."""
    from tensorboard.compat.proto import event_pb2, summary_pb2
    from tensorboard.plugins.hparams import plugin_data_pb2
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    data = plugin_data_pb2.HParamsPluginData()
    for name, value in hparams.items():
        kind = 'string_value' if isinstance(value, str) else 'number_value'
        setattr(data.session_start_info.hparams[name], kind, value)
    metadata = summary_pb2.SummaryMetadata()
    metadata.plugin_data.plugin_name = 'hparams'
    metadata.plugin_data.content = data.SerializeToString()
    summary = summary_pb2.Summary()
    summary.value.add(tag=foreign_tensorboard.SESSION, metadata=metadata)
    writer = EventFileWriter(str(folder))
    writer.add_event(event_pb2.Event(wall_time=1.0, summary=summary))
    writer.close()


def test_what_add_hparams_writes_belongs_to_the_run_above(tmp_path):
    events(tmp_path / 'a', {'loss': [(1, 2.0)]})
    write_hparams(tmp_path / 'a' / '1795264620.5', lr=0.5, net='cnn')
    ((_, location),) = foreign_tensorboard.find_runs(tmp_path).items()
    assert len(location.folders) == 2
    assert foreign_tensorboard.read_run(location).hparam == {'lr': 0.5, 'net': 'cnn'}


def test_a_file_without_events_has_no_points(tmp_path):
    (tmp_path / 'events.out.tfevents.1').write_text('hello' * 50)
    ((_, location),) = foreign_tensorboard.find_runs(tmp_path).items()
    run = foreign_tensorboard.read_run(location)
    assert run.points == {} and run.started is None
