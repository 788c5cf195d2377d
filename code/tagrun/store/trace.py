"""trace.csv: one line a training step, enough to say where two runs part.

    epoch,step,order,batch,loss,weights
    1,1,5d0c6a9f,a81b20c4,2.3214409351348877,
    1,36,…
    1,,,,,9c1185a5c5e9fc54

`order`: CRC-32 of the sample indices; `batch`: CRC-32 of up to 1,024 values spread over each tensor of it; `loss`: the shortest
decimal that gives the same bits; `weights`: the first 16 digits of the SHA-256 of the weights, at each epoch's end. It is thinned past
a million lines, appended in bulk and cut back to the checkpoint on resume; training/trace.py writes it.

trace_epochs.csv is its digest, one line an epoch, for who gets a run through git: how many steps it has lines of, a CRC-32 of each
stream's column, and the weights.

    epoch,steps,order,batch,loss,weights
    1,36,77c91e05,a81b20c4,5d0c6a9f,9c1185a5c5e9fc54
"""
import zlib
from pathlib import Path

from tagrun.store import reading

NAME = 'trace.csv'
STREAMS = ('order', 'batch', 'loss', 'weights')  # in the order in which a difference spreads
COLUMNS = ('epoch', 'step', *STREAMS)
EPOCHS = 'trace_epochs.csv'
HEADER = ','.join(COLUMNS) + '\n'


def first_difference(lines, others):
    """{'epoch', 'step', 'stream', 'here', 'there'} of the first line that differs between two lists of lines, or None.

    Compares as far as both go: a run that is still writing is no difference yet.
    """
    for line, other in zip(lines, others):
        if line != other:
            here, there = (dict(zip(COLUMNS, text.split(','))) for text in (line, other))
            stream = next((name for name in STREAMS if here.get(name) != there.get(name)), 'length')
            step = here.get('step') or 'end'
            return {'epoch': here.get('epoch'), 'step': step, 'stream': stream, 'here': here.get(stream), 'there': there.get(stream)}
    return None


def lines(folder, offset=0):
    """(complete lines from byte `offset` on, header left out; the offset after them). No such file: ([], 0)."""
    try:
        with reading.opened(Path(folder) / NAME) as file:
            file.seek(offset)
            content = file.readall()
    except (OSError, ValueError):
        return [], 0
    content = content[:content.rfind(b'\n') + 1]
    found = content.decode(errors='replace').splitlines()
    return found[1:] if offset == 0 else found, offset + len(content)


def by_epoch(lines):
    """The text of trace_epochs.csv for the lines of a trace."""
    epochs = {}
    for line in lines:
        epoch, step, *cells = (line + ',' * len(COLUMNS)).split(',')[:len(COLUMNS)]
        found = epochs.setdefault(epoch, {'steps': 0, 'streams': [0, 0, 0], 'weights': ''})
        if step:
            found['steps'] += 1
            found['streams'] = [zlib.crc32(f'{cell}\n'.encode(), digest) for cell, digest in zip(cells, found['streams'])]
        else:
            found['weights'] = cells[-1]
    rows = (','.join([epoch, str(found['steps']), *(f'{digest:08x}' for digest in found['streams']), found['weights']]) for epoch, found in epochs.items())
    return '\n'.join(['epoch,steps,order,batch,loss,weights', *rows]) + '\n'


def epochs(folder):
    """The lines of a run's trace_epochs.csv, or those that its trace.csv gives, header left out; [] where there is neither."""
    found, _ = lines(folder)
    if found:
        return by_epoch(found).splitlines()[1:]
    try:
        return reading.regular(Path(folder) / EPOCHS).decode(errors='replace').splitlines()[1:]
    except (OSError, ValueError):
        return []


def first_epoch_that_differs(here, there):
    """As `first_difference`, of lines of trace_epochs.csv; which step it was they do not tell. None too where one side has no line."""
    for line, other in zip(here, there):
        if line != other:
            mine, theirs = (dict(zip(('epoch', 'length', *STREAMS), text.split(','))) for text in (line, other))
            stream = next((name for name in ('length', *STREAMS) if mine.get(name) != theirs.get(name)), 'length')
            return {'epoch': mine.get('epoch'), 'step': None, 'stream': stream, 'here': mine.get(stream), 'there': theirs.get(stream)}
    if here and there and len(here) != len(there):
        return {'stream': 'length', 'here': f'{len(here)} epochs', 'there': f'{len(there)} epochs'}
    return None
