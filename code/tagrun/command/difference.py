"""Where two finished runs part: in trace.csv, then in history.csv (times left out), then in the digest of the last weights.

    difference.between(folder, other)       # None, or {'stream': 'loss', 'epoch': '2', 'step': '31', 'here': …, 'there': …}

Where one of them has no trace.csv, as a run that was fetched, the digests of each epoch's trace are compared instead. It reads these
files and nothing else: what differs in the surroundings it does not say.
"""
from tagrun.store import history, statistic, trace


def between(here, there):
    """The first difference of the run in `here` from the one in `there`, or None: they are the same, bit for bit."""
    return _of_traces(here, there) or _of_metrics(_metrics(here), _metrics(there)) or _of_weights(_weights(here), _weights(there))


def _of_traces(here, there):
    lines, others = trace.lines(here)[0], trace.lines(there)[0]
    if not (lines and others) and trace.epochs(here):
        return trace.first_epoch_that_differs(trace.epochs(here), trace.epochs(there))
    found = trace.first_difference(lines, others)
    return found or (None if len(lines) == len(others) else {'stream': 'length', 'here': len(lines), 'there': len(others)})


def _of_metrics(rows, others):
    for epoch, (row, other) in enumerate(zip(rows, others), 1):
        for name in dict.fromkeys([*row, *other]):
            if name != 'seconds' and row.get(name) != other.get(name):
                return {'stream': name, 'epoch': str(epoch), 'step': 'end', 'here': row.get(name), 'there': other.get(name)}
    return None if len(rows) == len(others) else {'stream': 'length', 'here': f'{len(rows)} epochs', 'there': f'{len(others)} epochs'}


def _of_weights(digest, other):
    return None if digest == other else {'stream': 'weights', 'here': digest, 'there': other}


def _metrics(folder):
    try:
        return history.read(folder)
    except (OSError, ValueError):
        return []


def _weights(folder):
    try:
        return statistic.read(folder)['digest'].get('weights')
    except (OSError, ValueError):
        return None
