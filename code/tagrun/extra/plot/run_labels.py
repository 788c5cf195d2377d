"""Name the lines of a figure, as short as possible while no two names are the same.

labels([[run, …], …])           # ['wide/0-4  lr=0.01  (5 seeds)', 'stopped/0  (interrupted)']
"""

from collections.abc import Sequence

from tagrun.core.tables import formats
from tagrun.extra.plot.text import cut
from tagrun.store import experlist, statistic
from tagrun.store.run_ref import RunRef
from tagrun.store.table import Column, Run

MOST_ARGUMENTS = 2  # that stand in a label; where more of them differ, none does
LENGTHS = (20, 32, 48, 80, 1000)  # characters of a part; the first with distinct labels is taken


def labels(groups: list[list[Run]]) -> list[str]:
    """Return a label for each group of runs that are one line."""
    arguments = _differing_arguments(groups)
    if len(arguments) > MOST_ARGUMENTS:
        arguments = []
    of_groups: list[str] = []
    for longest in LENGTHS:
        of_groups = [_label(group, arguments, longest) for group in groups]
        if len(set(of_groups)) == len(of_groups):
            break
    return of_groups


def _differing_arguments(groups: list[list[Run]]) -> list[str]:
    """Return the arguments in which the first runs of the groups differ."""
    settings = [group[0].values['hparam'] for group in groups]
    names: dict[str, None] = {}
    for of_group in settings:
        names.update(dict.fromkeys(of_group))

    def differs(name: str) -> bool:
        return any(of_group.get(name) != settings[0].get(name) for of_group in settings)

    return [name for name in names if differs(name)]


def _label(group: list[Run], arguments: Sequence[str], longest: int) -> str:
    """Return the runs, the arguments that set them apart, how many seeds, how they ended."""
    refs = [RunRef(run.values['run']['tag'], run.values['run']['id']) for run in group]
    settings = group[0].values['hparam']
    words = [cut(experlist.compact(refs), longest + 8)]
    for name in arguments:
        value = formats.shown(settings.get(name, '-'), Column('hparam', name))
        words.append(f'{cut(name, longest)}={cut(value, longest)}')
    if len(group) > 1:
        words.append(f'({len(group)} seeds)')
    return '  '.join([*words, *_ending(group)])


def _ending(group: list[Run]) -> list[str]:
    """Return ['(killed)'] for a run that did not finish; for several, how many did not."""
    states = [run.values['run']['status'] for run in group]
    unfinished = [state for state in states if state != statistic.FINISHED]
    if not unfinished:
        return []
    return [f'({unfinished[0]})'] if len(group) == 1 else [f'({len(unfinished)} not finished)']
