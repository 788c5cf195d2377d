"""Weights & Biases: the file run-<id>.wandb of an offline run (or of an online one, it is kept too), for `tagrun import`.

The frame is LevelDB's log format behind seven bytes of W&B's; the records in it are read by the package wandb's own protobuf classes.
Nothing is asked of a server. Media and files stay where they are.
"""
import json
import math
import struct
import zlib

from tagrun.extra import foreign
from tagrun.store import jsonfile, reading, statistic

KIND = 'W&B'
MAGIC = b':W&B'
HEADER, BLOCK = 7, 32768        # bytes: of W&B's own and of a record's frame; of a block
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4      # parts of a record
OWN = ('_wandb', '_step', '_runtime', '_timestamp')


def places(path):
    return {file: file for file in foreign.files(path, lambda name: name.endswith('.wandb'))}


def read(place):
    try:
        from google.protobuf.message import DecodeError
        from wandb.proto import wandb_internal_pb2
    except ImportError:
        raise foreign.absent('wandb') from None
    config, records, run, ended = {}, [], None, None
    for content in _records(reading.regular(place)):
        record = wandb_internal_pb2.Record()
        try:
            record.ParseFromString(content)
        except DecodeError as error:
            raise ValueError(f'a record that is none ({error})') from None
        kind = record.WhichOneof('record_type')
        if kind == 'run':
            run = record.run
            config.update(_items(run.config.update))
        elif kind == 'config':
            config.update(_items(record.config.update))
        elif kind == 'history':
            records.append(_numbers(_items(record.history.item)))
        elif kind == 'exit':
            ended = record.exit
    if run is None:
        raise ValueError('it holds no run')
    points, x = foreign.series(records)
    status = statistic.KILLED if ended is None else statistic.FAILED if ended.exit_code else statistic.FINISHED
    return foreign.Old(KIND, run.run_id, run.project or 'wandb', run.display_name or run.run_id,
                       {name: item for name, item in foreign.flat(config).items() if name.partition('.')[0] not in OWN}, points, x, status,
                       run.start_time.seconds or None, ended.runtime if ended is not None and ended.runtime else None)


def _records(content):
    """The bytes of each record, as far as the file is whole: a run that was killed ends in the middle of one."""
    if content[:len(MAGIC)] != MAGIC:
        raise ValueError('not a file of W&B')
    at, begun = HEADER, b''
    while at + HEADER <= len(content):
        if BLOCK - at % BLOCK < HEADER:     # the rest of a block is padding
            at += BLOCK - at % BLOCK
            continue
        checksum, length, kind = struct.unpack_from('<IHB', content, at)
        data = content[at + HEADER:at + HEADER + length]
        if zlib.crc32(data, zlib.crc32(bytes([kind]))) != checksum:
            return
        at += HEADER + length
        begun = data if kind in (FULL, FIRST) else begun + data
        if kind in (FULL, LAST):
            yield begun


def _items(items):
    """{key: value} of protobuf items, whose values are JSON."""
    found = {}
    for item in items:
        try:
            found['.'.join(item.nested_key) or item.key] = json.loads(item.value_json)
        except (ValueError, RecursionError):
            continue
    return found


def _numbers(found):
    """The numbers of a history's record; W&B writes NaN and its like as JSON has none, or as texts."""
    words = {'NaN': math.nan, 'Infinity': math.inf, '-Infinity': -math.inf}
    plain = ((name, words.get(item, item) if isinstance(item, str) else item) for name, item in foreign.flat(found).items())
    return {name: float(item) for name, item in plain if jsonfile.is_number(item)}
