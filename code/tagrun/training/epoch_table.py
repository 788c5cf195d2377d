"""The epochs on a terminal: a row each, under a header that comes now and then.

    table = EpochTable(total=60); table.rows(history, columns=80)   # [Text, …]

             train             val               test
    epoch    loss     acc      loss     acc      loss     acc      time
     1/60  1.8148  0.2800    1.4241  0.4350    1.4406  0.4190     0.2 s  best

Where the terminal is narrow, phases are left out from the right, but not the one of the watched
metric. The log has every epoch in full: report.epoch_line.
"""

from collections.abc import Sequence
from typing import NamedTuple

from rich.text import Text

from tagrun.training.epoch_history import EpochHistory

HEADER_EVERY = 20  # rows
GAP, PHASE_GAP = '  ', '   '
NARROWEST = 6  # columns of a metric
TIME, BEST = 8, 'best'


class Group(NamedTuple):
    """The columns of one phase: its metrics, and how wide each is."""

    phase: str
    metrics: tuple[str, ...]
    widths: tuple[int, ...]

    def width(self) -> int:
        return sum(self.widths) + len(GAP) * (len(self.widths) - 1)


class EpochTable:
    """The rows of a run with so many epochs; None: until it is stopped."""

    def __init__(self, total: int | None) -> None:
        self._total = total
        self._shown: Sequence[Group] = ()  # the columns of the last header
        self._rows = 0  # since then

    def rows(self, epochs: EpochHistory, columns: int) -> list[Text]:
        """Return the row of the newest epoch, and before it the header where one is due."""
        epoch = len(epochs.rows)
        values = epochs.at(epoch)
        head = f'{epoch}/{self._total}' if self._total else f'{epoch}'
        first = max(len('epoch'), 2 * len(str(self._total or 0)) + 1, len(head))
        groups = self._groups(values)
        free = columns - first - TIME - len(GAP + BEST)
        groups = _fitting(groups, free, epochs.monitor.partition('/')[0])
        rows = []
        if groups != self._shown or self._rows >= HEADER_EVERY:
            rows += _header(groups, first)
            self._shown, self._rows = groups, 0
        self._rows += 1
        row = Text(f'{head:>{first}}')
        for group in groups:
            cells = (
                f'{number(values[f"{group.phase}/{name}"]):>{width}}'
                for name, width in zip(group.metrics, group.widths, strict=True)
            )
            row.append(PHASE_GAP + GAP.join(cells))
        row.append(f'{epochs.rows[-1]["seconds"]:.1f} s'.rjust(TIME), style='dim')
        if epochs.best_epoch == epoch:
            row.append(GAP + BEST, style='bold green')
        return [*rows, row]

    def _groups(self, values: dict[str, float]) -> list[Group]:
        """Return the columns of the phases that this epoch has, no narrower than before."""
        names: dict[str, list[str]] = {}
        for name in values:
            phase, _, metric = name.partition('/')
            names.setdefault(phase, []).append(metric)
        before = {
            group.phase: dict(zip(group.metrics, group.widths, strict=True))
            for group in self._shown
        }
        groups = []
        for phase, metrics in names.items():
            widths = []
            for metric in metrics:
                needed = max(len(metric), len(number(values[f'{phase}/{metric}'])), NARROWEST)
                widths.append(max(needed, before.get(phase, {}).get(metric, 0)))
            groups.append(Group(phase, tuple(metrics), tuple(widths)))
        return groups


def _fitting(groups: Sequence[Group], columns: int, watched: str) -> list[Group]:
    """Return the phases that have room, and of the last one the metrics that have."""
    kept = list(groups)
    while len(kept) > 1 and sum(len(PHASE_GAP) + group.width() for group in kept) > columns:
        last = len(kept) - 1
        kept.pop(last if kept[last].phase != watched else last - 1)
    for place, group in enumerate(kept):
        while len(group.metrics) > 1 and len(PHASE_GAP) + group.width() > columns:
            group = group._replace(metrics=group.metrics[:-1], widths=group.widths[:-1])
        kept[place] = group
    return kept


def _header(groups: Sequence[Group], first: int) -> list[Text]:
    """Return the two lines of the header: the phases, and their metrics."""
    phases, names = ' ' * first, 'epoch'.rjust(first)
    for group in groups:
        width = group.width()
        phase = f'{group.phase:>{group.widths[0]}}'[:width]
        phases += PHASE_GAP + f'{phase:<{width}}'
        cells = zip(group.metrics, group.widths, strict=True)
        names += PHASE_GAP + GAP.join(f'{name:>{width}}' for name, width in cells)
    return [Text(phases.rstrip(), style='dim'), Text(names + 'time'.rjust(TIME), style='dim')]


def number(value: float) -> str:
    """Return a metric in few characters: 0.9575, 1234.5678, 1.2e-05."""
    if value and not 1e-3 <= abs(value) < 1e6:
        return f'{value:.2e}'
    return f'{value:.4f}'
