"""TensorBoard's event files, for `tagrun import`: a run in each folder that holds some.

    find_runs('runs')                    # {'runs/a': Location(name='a', folders=['runs/a'], …)}

TensorBoard's own reader reads them: scalars, and what its hparams plugin has. Folders called train,
validation, … below one folder are the phases of one run.
"""

import contextlib
import logging
import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from tagrun.extra.importing import foreign
from tagrun.extra.importing.foreign import ForeignRun, Points
from tagrun.store import statistic

if TYPE_CHECKING:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

KIND = 'TensorBoard'
PHASES = {
    'train': 'train',
    'training': 'train',
    'val': 'val',
    'valid': 'val',
    'validation': 'val',
    'test': 'test',
    'eval': 'val',
}
# the folder that SummaryWriter.add_hparams makes below a run's
OF_HPARAMS = re.compile(r'\d{10}(\.\d+)?')
KERAS = 'epoch_'  # how its callback begins the names of what it writes once an epoch
SESSION = '_hparams_/session_start_info'
MAX_POINTS = 100_000  # of a metric; of more a random sample, and the last
SIZES = {
    'scalars': MAX_POINTS,
    'tensors': MAX_POINTS,
    'images': 1,
    'audio': 1,
    'histograms': 1,
    'compressedHistograms': 1,
}


class Location(NamedTuple):
    """Where a run lies."""

    name: str  # its folder below the path that was searched; '' for that path itself
    folders: list[str]  # its own, and those below it that belong to it
    source: str  # name of the path that was searched


class Scalar(NamedTuple):
    """A value of a metric."""

    time: float  # Unix time in s
    step: int
    value: float


def find_runs(path: str | os.PathLike[str]) -> dict[str, Location]:
    """Return {folder: Location} of the runs at or below a path."""
    path = str(path)
    files = foreign.find_files(path, lambda name: 'tfevents' in name)
    folders = dict.fromkeys(os.path.dirname(file) for file in files)
    runs: dict[str, list[str]] = {}
    for folder in folders:
        above, name = os.path.split(folder)
        belongs = name in PHASES or (OF_HPARAMS.fullmatch(name) and above in folders)
        run = above if belongs and folder != path else folder
        runs.setdefault(run, []).append(folder)
    source = os.path.basename(os.path.abspath(path))
    locations = {}
    for run, parts in runs.items():
        name = '' if run == path else os.path.relpath(run, path)
        locations[run] = Location(name, parts, source)
    return locations


def read_run(location: Location) -> ForeignRun:
    """Return the run of a location. Raises ValueError with the reason."""
    points: Points = {}
    hparam: dict[str, Any] = {}
    times: list[float] = []
    tags: list[str] = []
    for folder in location.folders:
        phase = PHASES.get(os.path.basename(folder)) if len(location.folders) > 1 else None
        events = _load(folder)
        hparam.update(_hparam(events))
        for tag, scalars in _scalars(events):
            points[_metric(phase, tag)] = _last_of_steps(scalars)
            times += [scalars[0].time, scalars[-1].time]
            tags.append(tag)
    is_by_epoch = bool(tags) and all(tag.startswith(KERAS) for tag in tags)
    x = 'epoch' if is_by_epoch else 'step'
    started = min(times, default=None)
    seconds = max(times) - min(times) if times else None
    run_id = f'{location.source}/{location.name}'
    status = statistic.FINISHED
    return ForeignRun(
        KIND, run_id, location.source, location.name, hparam, points, x, status, started, seconds
    )


def _last_of_steps(scalars: list[Scalar]) -> list[tuple[float, float]]:
    """Return [(step, value), …] by rising step; of a step the value that was written last."""
    values: dict[float, float] = {scalar.step: scalar.value for scalar in scalars}
    return sorted(values.items())


def _metric(phase: str | None, tag: str) -> str:
    name = f'{phase}/{tag.removeprefix(KERAS)}' if phase else tag
    return name[: foreign.MAX_NAME]


def _load(folder: str) -> 'EventAccumulator':
    # here: it takes a third of a second
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logging.getLogger('tensorboard').setLevel(logging.ERROR)
    events = EventAccumulator(folder, size_guidance=SIZES)
    try:
        events.Reload()
    except Exception as error:  # whatever a damaged file makes of protobuf
        raise ValueError(f'its events cannot be read ({type(error).__name__})') from None
    return events


def _scalars(events: 'EventAccumulator') -> Iterator[tuple[str, list[Scalar]]]:
    """Yield (tag, its values); TensorFlow's, which are tensors, too."""
    from tensorboard.util.tensor_util import make_ndarray

    for tag in events.Tags()['scalars']:
        yield (
            tag,
            [Scalar(each.wall_time, each.step, float(each.value)) for each in events.Scalars(tag)],
        )
    for tag in events.Tags()['tensors']:
        if events.SummaryMetadata(tag).plugin_data.plugin_name != 'scalars':
            continue
        scalars = []
        for each in events.Tensors(tag):
            array = make_ndarray(each.tensor_proto)
            if array.size == 1:
                scalars.append(Scalar(each.wall_time, each.step, float(array)))
        if scalars:
            yield tag, scalars


def _hparam(events: 'EventAccumulator') -> dict[str, Any]:
    from google.protobuf.message import DecodeError
    from tensorboard.plugins.hparams import plugin_data_pb2

    with contextlib.suppress(KeyError, DecodeError):
        content = events.SummaryMetadata(SESSION).plugin_data.content
        data = plugin_data_pb2.HParamsPluginData.FromString(content)
        return {
            name[: foreign.MAX_NAME]: getattr(item, item.WhichOneof('kind'))
            for name, item in data.session_start_info.hparams.items()
            if item.WhichOneof('kind') != 'list_value'
        }
    return {}
