"""TensorBoard's event files, for `tagrun import`: a run in each folder that holds some.

    find_runs('runs')                    # {'runs/a': Location(name='a', folders=['runs/a'], …)}

It takes scalars, and what the hparams plugin has, by TensorBoard's own protobuf classes.
(TensorBoard's reader would keep a whole file in memory, and wait for a FIFO.) Folders called train,
validation, … below one folder are the phases of one run.
"""

import contextlib
import io
import os
import re
import stat
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from tagrun.extra.importing import foreign
from tagrun.extra.importing.foreign import ForeignRun
from tagrun.store import limits, safe_read, statistic
from tagrun.store.limits import Budget, Exceeded

if TYPE_CHECKING:
    from tensorboard.compat.proto.event_pb2 import Event

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
HEAD, FOOT = 12, 4  # bytes of a record before its data, and behind


class Location(NamedTuple):
    """Where a run lies."""

    name: str  # its folder below the path that was searched; '' for that path itself
    folders: list[str]  # its own, and those below it that belong to it
    source: str  # name of the path that was searched


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
    """Return the run of a location. Raises OSError, ValueError with the reason."""
    reader = Reader()
    for folder in location.folders:
        phase = PHASES.get(os.path.basename(folder)) if len(location.folders) > 1 else None
        try:
            reader.read(folder, phase)
        except (OSError, ValueError):
            raise
        except Exception as error:  # whatever a damaged record makes of protobuf
            raise ValueError(f'its events cannot be read ({type(error).__name__})') from None
    is_by_epoch = bool(reader.tags) and all(tag.startswith(KERAS) for tag in reader.tags)
    x = 'epoch' if is_by_epoch else 'step'
    started = min(reader.times, default=None)
    seconds = max(reader.times) - min(reader.times) if reader.times else None
    return ForeignRun(
        kind=KIND,
        id=f'{location.source}/{location.name}',
        group=location.source,
        name=location.name,
        hparam=reader.hparam,
        points={name: sorted(values.items()) for name, values in reader.values.items()},
        x=x,
        status=statistic.FINISHED,
        started=started,
        seconds=seconds,
    )


class Reader:
    """Reads the scalars and arguments of event files, one record after another.

    Of more values than memory has room for, every second one is kept, then every fourth.
    """

    def __init__(self) -> None:
        self.values: dict[str, dict[float, float]] = {}  # {metric: {step: the value written last}}
        self.tags: set[str] = set()
        self.hparam: dict[str, Any] = {}
        self.times: list[float] = []  # Unix times in s of the first and the last scalar
        self._count = 0
        self._scalars: set[str] = set()  # tags of a folder whose tensors are scalars
        self._budget = Budget(limits.EVENT_SECONDS, **{'bytes of events': limits.EVENTS})

    def read(self, folder: str, phase: str | None) -> None:
        """Read the files of a folder, whose metrics get the name of a phase."""
        from tensorboard.compat.proto import event_pb2  # here: it takes a fifth of a second

        self._scalars = set()
        of_folder: list[str] = []
        for path in _files_in(folder):
            for data in _records(path, self._budget):
                event = event_pb2.Event.FromString(data)
                if event.session_log.status == event.session_log.START and event.step:
                    self._forget(of_folder, event.step)
                for value in event.summary.value:
                    name = _metric(phase, value.tag)
                    if self._add(event, value, name):
                        of_folder.append(name)

    def _add(self, event: 'Event', value: Any, name: str) -> bool:
        """Add what a summary has; return whether it is the first value of its metric."""
        self._note(value)
        number = self._number(value)
        if number is None:
            return False
        is_new = name not in self.values
        if is_new and len(self.values) >= limits.NAMES:
            raise Exceeded(f'more than {limits.NAMES:,} metrics')
        steps = self.values.setdefault(name, {})
        self._count += event.step not in steps
        steps[event.step] = number
        self.tags.add(value.tag)
        self.times = [
            min([event.wall_time, *self.times]),
            max([event.wall_time, *self.times]),
        ]
        if self._count > limits.VALUES:
            self._thin()
        return is_new

    def _note(self, value: Any) -> None:
        """Take what the first value of a tag says of all that follow."""
        plugin = value.metadata.plugin_data
        if plugin.plugin_name == 'scalars':
            self._scalars.add(value.tag)
        if value.tag == SESSION:
            self.hparam.update(_hparam(plugin.content))

    def _number(self, value: Any) -> float | None:
        """Return the number of a scalar; TensorFlow's are tensors."""
        if value.WhichOneof('value') == 'simple_value':
            return float(value.simple_value)
        if value.WhichOneof('value') != 'tensor' or value.tag not in self._scalars:
            return None
        from tensorboard.util.tensor_util import make_ndarray

        if any(size.size > 1 for size in value.tensor.tensor_shape.dim):
            return None
        array = make_ndarray(value.tensor)
        return float(array.reshape(-1)[0]) if array.size == 1 else None

    def _forget(self, names: list[str], step: int) -> None:
        """Drop what a training that was started again at a step had written from there on."""
        for name in names:
            values = self.values[name]
            self.values[name] = {each: value for each, value in values.items() if each < step}

    def _thin(self) -> None:
        for name, values in self.values.items():
            self.values[name] = dict(list(values.items())[::2])
        self._count = sum(map(len, self.values.values()))


def _files_in(folder: str) -> list[str]:
    """Return the event files that lie in a folder itself, by their names: the oldest first."""
    names = sorted(name for name in os.listdir(folder) if 'tfevents' in name)
    paths = [os.path.join(folder, name) for name in names]
    return [path for path in paths if stat.S_ISREG(os.lstat(path).st_mode)]


def _records(path: str, budget: Budget) -> Iterator[bytes]:
    """Yield the records of a file, as far as it is whole: a killed run's ends in the middle.

    A record is its length, a checksum of that, the data, a checksum of them.
    """
    from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

    with io.BufferedReader(safe_read.open_file(path)) as file:
        while len(head := file.read(HEAD)) == HEAD:
            length, checksum = struct.unpack('<QI', head)
            if masked_crc32c(head[:8]) != checksum:
                return
            budget.take(**{'bytes of events': HEAD + length + FOOT})
            if length > limits.EVENT:  # a picture
                file.seek(length + FOOT, os.SEEK_CUR)
                continue
            data, foot = file.read(length), file.read(FOOT)
            if len(foot) < FOOT or masked_crc32c(data) != struct.unpack('<I', foot)[0]:
                return
            yield data


def _metric(phase: str | None, tag: str) -> str:
    name = f'{phase}/{tag.removeprefix(KERAS)}' if phase else tag
    return name[: foreign.MAX_NAME]


def _hparam(content: bytes) -> dict[str, Any]:
    from google.protobuf.message import DecodeError
    from tensorboard.plugins.hparams import plugin_data_pb2

    with contextlib.suppress(DecodeError):
        data = plugin_data_pb2.HParamsPluginData.FromString(content)
        return {
            name[: foreign.MAX_NAME]: getattr(item, item.WhichOneof('kind'))
            for name, item in data.session_start_info.hparams.items()
            if item.WhichOneof('kind') not in (None, 'list_value')
        }
    return {}
