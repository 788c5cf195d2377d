"""TensorBoard's event files, a run in each folder that holds some, read by TensorBoard's own reader, for `tagrun import`.

Scalars, and what its hparams plugin knows. Folders called train, validation, … below one folder are the phases of one run.
"""
import contextlib
import logging
import os
import re

from tagrun.extra import foreign
from tagrun.store import statistic

KIND = 'TensorBoard'
PHASES = {'train': 'train', 'training': 'train', 'val': 'val', 'valid': 'val', 'validation': 'val', 'test': 'test', 'eval': 'val'}
OF_HPARAMS = re.compile(r'\d{10}(\.\d+)?')   # the folder that SummaryWriter.add_hparams makes below a run's
KERAS = 'epoch_'        # how its callback begins the names of what it writes once an epoch
SESSION = '_hparams_/session_start_info'
MOST = 100_000          # points of a metric; of more a random sample, and the last


def places(path):
    """{run's folder: (its name, the folders below it that belong to it too, the path)}."""
    folders = dict.fromkeys(os.path.dirname(file) for file in foreign.files(path, lambda name: 'tfevents' in name))
    runs = {}
    for folder in folders:
        above, name = os.path.split(folder)
        belongs = name in PHASES or OF_HPARAMS.fullmatch(name) and above in folders
        runs.setdefault(above if belongs and folder != str(path) else folder, []).append(folder)
    return {run: (os.path.relpath(run, path) if run != str(path) else '', found, os.path.basename(os.path.abspath(path))) for run, found in runs.items()}


def read(place):
    name, folders, source = place
    points, hparam, walls, tags = {}, {}, [], []
    for folder in folders:
        phase = PHASES.get(os.path.basename(folder)) if len(folders) > 1 else None
        events = _events(folder)
        hparam.update(_hparam(events))
        for tag, found in _scalars(events):
            pairs = {event[1]: event[2] for event in found}     # of a step the last
            points[f'{phase}/{tag.removeprefix(KERAS)}'[:foreign.LONGEST] if phase else tag[:foreign.LONGEST]] = sorted(pairs.items())
            walls += [found[0][0], found[-1][0]]
            tags.append(tag)
    begin, end = (min(walls), max(walls)) if walls else (None, None)
    x = 'epoch' if tags and all(tag.startswith(KERAS) for tag in tags) else 'step'
    return foreign.Old(KIND, f'{source}/{name}', source, name, hparam, points, x, statistic.FINISHED, begin, end - begin if walls else None)


def _events(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator     # here: it takes a third of a second
    logging.getLogger('tensorboard').setLevel(logging.ERROR)
    kept = {'scalars': MOST, 'tensors': MOST, **dict.fromkeys(('images', 'audio', 'histograms', 'compressedHistograms'), 1)}
    events = EventAccumulator(folder, size_guidance=kept)
    try:
        events.Reload()
    except Exception as error:      # whatever a damaged file makes of protobuf
        raise ValueError(f'no events that can be read ({type(error).__name__})') from None
    return events


def _scalars(events):
    """(tag, [(wall time, step, value), …]), TensorFlow's too, which are tensors."""
    from tensorboard.util.tensor_util import make_ndarray
    for tag in events.Tags()['scalars']:
        yield tag, [(event.wall_time, event.step, float(event.value)) for event in events.Scalars(tag)]
    for tag in events.Tags()['tensors']:
        if events.SummaryMetadata(tag).plugin_data.plugin_name == 'scalars':
            found = [(event.wall_time, event.step, make_ndarray(event.tensor_proto)) for event in events.Tensors(tag)]
            yield tag, [(wall, step, float(array)) for wall, step, array in found if array.size == 1]


def _hparam(events):
    from tensorboard.plugins.hparams import plugin_data_pb2
    from google.protobuf.message import DecodeError
    with contextlib.suppress(KeyError, DecodeError):
        content = events.SummaryMetadata(SESSION).plugin_data.content
        found = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info.hparams
        return {name[:foreign.LONGEST]: getattr(item, item.WhichOneof('kind')) for name, item in found.items() if item.WhichOneof('kind') != 'list_value'}
    return {}
