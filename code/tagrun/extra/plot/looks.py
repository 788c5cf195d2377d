"""Colours, dashes and marks of lines.

    look = looks(['t1/0', 't2/0'], ['train', 'val'])['t1/0', 'val']      # keywords of a Line2D

The colours are Okabe and Ito's, which colour-blind readers can tell apart; no two lines have both
colour and dashes in common.
"""

from collections.abc import Sequence
from typing import Any

Look = dict[str, Any]  # keyword arguments of matplotlib's Line2D

# an olive for their yellow, which paper hides
COLOURS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#000000', '#999933')
DASHES = ('-', (0, (6, 1.5)), (0, (1.2, 1.2)), (0, (5, 1.5, 1, 1.5)), (0, (9, 2, 2, 2, 2, 2)))
# 8 and 5 have no common factor: so many lines have a look of their own
DISTINCT = len(COLOURS) * len(DASHES)
REST: Look = {'color': '#b8b8b8', 'linestyle': '-', 'linewidth': 0.8, 'zorder': 1.5}
GREY = '#505050'  # of what stands for all lines


def looks(names: Sequence[str], phases: Sequence[str]) -> dict[tuple[str, str], Look]:
    """Return {(name, phase): its look}.

    Of several names, the colour is the name's and the dashes are the phase's; of one name both are
    the phase's. Names beyond the first DISTINCT are thin and grey.
    """
    return {
        (name, phase): _look(place, turn, len(names) == 1, len(phases) == 1)
        for place, name in enumerate(names)
        for turn, phase in enumerate(phases)
    }


def cross(colour: str) -> Look:
    """Return the look of the mark for a value that is not finite."""
    return {
        'marker': 'X',
        'markersize': 7,
        'color': colour,
        'markeredgecolor': 'white',
        'markeredgewidth': 0.6,
    }


def _look(place: int, turn: int, one_name: bool, one_phase: bool) -> Look:
    number = turn if one_name else place
    if number >= DISTINCT:
        return REST
    dashes = number if one_name or one_phase else turn
    return {'color': COLOURS[number % len(COLOURS)], 'linestyle': DASHES[dashes % len(DASHES)]}
