"""Weights & Biases' file run-<id>.wandb, for `tagrun import`: of an offline run, or of an online
one, whose file W&B keeps too.

    find_runs('wandb')                   # {'wandb/offline-run-…/run-abc.wandb': the same, …}

The file is LevelDB's log format behind seven bytes of W&B's. The package wandb's own protobuf
classes read its records. No server is asked. Media and files stay where they are.
"""

import json
import math
import os
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tagrun.extra.importing import foreign
from tagrun.extra.importing.foreign import ForeignRun
from tagrun.store import jsonfile, limits, safe_read, statistic
from tagrun.store.limits import Budget

KIND = 'W&B'
MAGIC = b':W&B'
HEADER = 7  # bytes of the file's own head, and of a record's
BLOCK = 32768  # bytes
FULL, FIRST, LAST = 1, 2, 4  # parts of a record; one in the middle is 3
OWN = ('_wandb', '_step', '_runtime', '_timestamp')
NOT_FINITE = {'NaN': math.nan, 'Infinity': math.inf, '-Infinity': -math.inf}


def find_runs(path: str | os.PathLike[str]) -> dict[str, str]:
    """Return {file: file} of W&B's files at or below a path."""
    files = foreign.find_files(path, lambda name: name.endswith('.wandb'))
    return {file: file for file in files}


def read_run(path: str) -> ForeignRun:
    """Return the run of a file. Raises OSError, or ValueError with the reason."""
    config: dict[str, Any] = {}
    history: list[dict[str, float]] = []
    run = end = None
    budget = Budget(values=limits.VALUES)
    for record in _records(safe_read.read_bytes(path)):
        kind = record.WhichOneof('record_type')
        if kind == 'run':
            run = record.run
            config.update(_items(run.config.update))
        elif kind == 'config':
            config.update(_items(record.config.update))
        elif kind == 'history':
            numbers = _numbers(_items(record.history.item))
            budget.take(values=len(numbers) + foreign.OF_RECORD)
            history.append(numbers)
        elif kind == 'exit':
            end = record.exit
    if run is None:
        raise ValueError('it holds no run')
    points, x = foreign.to_points(history)
    return ForeignRun(
        kind=KIND,
        id=run.run_id,
        group=run.project or 'wandb',
        name=run.display_name or run.run_id,
        hparam=_hparam(config),
        points=points,
        x=x,
        status=_status(end),
        started=run.start_time.seconds or None,
        seconds=_runtime(end),
    )


def _hparam(config: Mapping[str, Any]) -> dict[str, Any]:
    flat = foreign.flatten(config)
    return {name: item for name, item in flat.items() if name.partition('.')[0] not in OWN}


def _status(end: Any) -> str:
    """Return the status that W&B's exit record says; without one the run was killed."""
    if end is None:
        return statistic.KILLED
    return statistic.FAILED if end.exit_code else statistic.FINISHED


def _runtime(end: Any) -> float | None:
    if end is None:
        return None
    return end.runtime or None


def _records(content: bytes) -> Iterator[Any]:
    """Yield the protobuf records of a file."""
    try:
        from google.protobuf.message import DecodeError
        from wandb.proto import wandb_internal_pb2
    except ImportError:
        raise foreign.missing_package('wandb') from None
    for data in _frames(content):
        record = wandb_internal_pb2.Record()
        try:
            record.ParseFromString(data)
        except DecodeError as error:
            raise ValueError(f'a record cannot be read ({error})') from None
        yield record


def _frames(content: bytes) -> Iterator[bytes]:
    """Yield the bytes of each record, as far as the file is whole.

    The file of a run that was killed ends in the middle of a record.
    """
    if content[: len(MAGIC)] != MAGIC:
        raise ValueError('not a file of W&B')
    at, begun = HEADER, bytearray()
    while at + HEADER <= len(content):
        room = BLOCK - at % BLOCK
        if room < HEADER:  # the rest of a block is padding
            at += room
            continue
        checksum, length, kind = struct.unpack_from('<IHB', content, at)
        data = content[at + HEADER : at + HEADER + length]
        if zlib.crc32(data, zlib.crc32(bytes([kind]))) != checksum:
            return
        at += HEADER + length
        if kind in (FULL, FIRST):
            begun.clear()
        begun += data
        if kind in (FULL, LAST):
            yield bytes(begun)


def _items(items: Iterable[Any]) -> dict[str, Any]:
    """Return {key: value} of protobuf items, whose values are JSON."""
    values = {}
    for item in items:
        if len(item.value_json) > limits.LOGGED:
            continue
        try:
            values['.'.join(item.nested_key) or item.key] = json.loads(item.value_json)
        except (ValueError, RecursionError):
            continue
    return values


def _numbers(record: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of a history's record; W&B may write NaN and its like as texts."""
    numbers = {}
    for name, item in foreign.flatten(record).items():
        if isinstance(item, str):
            item = NOT_FINITE.get(item)
        if jsonfile.is_number(item):
            numbers[name] = float(item)
    return numbers
