"""trace.csv: one line a training step, enough to say where two runs part.

    epoch,step,order,batch,loss,weights
    1,1,5d0c6a9f,a81b20c4,2.3214409351348877,
    1,36,…
    1,,,,,9c1185a5c5e9fc54

`order`: CRC-32 of the sample indices; `batch`: CRC-32 of up to 1,024 values spread over each tensor of it; `loss`: the shortest
decimal that gives the same bits; `weights`: the first 16 digits of the SHA-256 of the weights, at each epoch's end. It is thinned past
a million lines, appended in bulk and cut back to the checkpoint on resume; training/trace.py writes it.
"""
from pathlib import Path

from tagrun.store import reading

NAME = 'trace.csv'
STREAMS = ('order', 'batch', 'loss', 'weights')  # in the order in which a difference spreads
COLUMNS = ('epoch', 'step', *STREAMS)
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
