"""Damage a checkpoint's bytes in many ways, and count how often it is loaded all the same.

damaged_checkpoints(run_folder, 400, whole=200, seed=1)     # Tally(tried=400, bad=[], …)
"""

import random

from campaign import Tally

from tagrun.store import checkpoints

PAGE = 512


def _flip_a_bit(content, draw):
    at = draw.randrange(len(content))
    return _replaced(content, at, bytes([content[at] ^ 1 << draw.randrange(8)]))


def _cut(content, draw):
    return content[: draw.randrange(len(content))]


def _zero_a_page(content, draw):
    return _replaced(content, _page(content, draw), bytes(PAGE))


def _scramble_a_page(content, draw):
    at = _page(content, draw)
    return _replaced(content, at, draw.randbytes(PAGE))


def _add_bytes(content, draw):
    return content + draw.randbytes(draw.randrange(1, 99))


DAMAGES = {
    'a bit flipped': _flip_a_bit,
    'cut': _cut,
    'a page of zeros': _zero_a_page,
    'a page of noise': _scramble_a_page,
    'bytes added': _add_bytes,
}


def _page(content, draw):
    return draw.randrange(len(content) // PAGE + 1) * PAGE


def _replaced(content, at, new):
    return (content[:at] + new + content[at + len(new) :])[: len(content)]


def damaged_checkpoints(folder, count, whole, seed):
    """Damage the newest checkpoint of a run `count` times; load it whole `whole` times.

    more: {'alarms': false ones, 'stock': how many of the damaged torch.load alone took}.
    """
    import torch

    from tagrun.training import checkpoint

    draw, name = random.Random(seed), checkpoints.newest(folder)
    path = folder / checkpoints.FOLDER / name
    content = path.read_bytes()
    bad, stock, tried = [], 0, 0
    while tried < count:
        kind, damage = draw.choice(list(DAMAGES.items()))
        damaged = damage(content, draw)
        # a page of zeros may have been one before
        if damaged == content:
            continue
        tried += 1
        path.write_bytes(damaged)
        if _loads(lambda: checkpoint.load(folder, name)):
            bad.append(f'{kind}, number {tried}: loaded')
        stock += _loads(lambda: torch.load(path, weights_only=True))
    path.write_bytes(content)
    alarms = sum(not _loads(lambda: checkpoint.load(folder, name)) for _ in range(whole))
    if alarms:
        bad.append(f'{alarms} false alarms')
    return Tally(tried, bad, {'alarms': alarms, 'stock': stock})


def _loads(load):
    try:
        load()
        return True
    # whatever torch may raise of damaged bytes
    except Exception:
        return False
