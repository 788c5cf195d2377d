"""Draw a metric at its best epoch over an argument of config.py: what a sweep has found.

    figure, summary = draw(runs, 'lr', by='model', metric='acc')           # runs: of table.load

A point is the mean over seeds, as in `table --group`: of finished runs, each seed once. A run
without the metric or the argument is left out. What is left out is printed.
"""

from matplotlib.figure import Figure

from tagrun.core.cli.messages import UserError, echo, plural
from tagrun.core.tables import row_filter
from tagrun.extra.plot import picture
from tagrun.store import jsonfile, statistic, table
from tagrun.store.table import Column, Run

WIDE = 30  # times the smallest: an argument that spans more is drawn on a logarithmic axis
SHOWN = 5  # arguments that a remark names
STATUS = Column('run', 'status')


def draw(
    runs: list[Run],
    over: str,
    by: str | None = None,
    metric: str | None = None,
    log: bool = False,
) -> tuple[Figure, str]:
    """Return (the figure, what it shows in words). Raises UserError if no run has both.

    over, by, metric: columns, or the ends of their names; metric: None for the monitored one.
    """
    word = metric or table.monitored(runs)
    if not word:
        raise UserError('these runs monitor no metric: name one with --metric')
    column, argument = row_filter.column(word, runs), row_filter.column(over, runs)
    by_column = row_filter.column(by, runs) if by else None
    complete = _complete(_one_of_each_seed(runs), column, argument)
    _report_others(complete, [argument.name, by_column.name if by_column else ''])
    lines = _lines(complete, column, argument, by_column)
    log_x = _spans_much(lines)
    y_label = f'{column.name} at the best epoch'
    figure = picture.of_values(lines, argument.name, y_label, log_x, log)
    return figure, f'{plural(len(complete), "run")}, {column.name} over {argument.name}'


def _one_of_each_seed(runs: list[Run]) -> list[Run]:
    """Return the finished runs; of a tag's with equal arguments and one seed the first."""
    finished = [run for run in runs if run.get(STATUS) == statistic.FINISHED]
    if not finished:
        raise UserError('none of these runs is finished')
    first: dict[str, Run] = {}
    for run in finished:
        facts = [run.values['run'].get(name) for name in ('tag', 'variant', 'seed')]
        arguments = dict(sorted(run.values['hparam'].items()))
        first.setdefault(table.text([facts, arguments]), run)
    if len(finished) < len(runs):
        echo(f'{plural(len(runs) - len(finished), "run")} left out: not finished')
    if len(first) < len(finished):
        again = plural(len(finished) - len(first), 'run')
        echo(f'{again} left out: the same arguments and seed as another one')
    return list(first.values())


def _complete(runs: list[Run], metric: Column, argument: Column) -> list[Run]:
    """Return the runs that have both; the number of others is printed."""
    complete = [
        run
        for run in runs
        if jsonfile.is_number(run.get(metric)) and run.get(argument) is not table.MISSING
    ]
    if not complete:
        raise UserError(f'none of these runs has both {metric.name} and {argument.name}')
    if len(complete) < len(runs):
        lacking = plural(len(runs) - len(complete), 'run')
        echo(f'{lacking} without {metric.name} or {argument.name} left out')
    return complete


def _report_others(runs: list[Run], drawn: list[str]) -> None:
    """Name what else differs between the runs: a mean over it is one over more than the seed."""
    columns = [column for column in table.columns(runs, ('hparam',)) if column.name not in drawn]
    others = [column.name for column in columns if table.differs(runs, column)]
    if others:
        names = ', '.join([*others[:SHOWN], *['…'] * (len(others) > SHOWN)])
        echo(f'the runs differ in {names} too: --by draws a line for each value')


def _lines(runs: list[Run], metric: Column, argument: Column, by: Column | None) -> picture.Lines:
    """Return {label: [(x, [y, …]), …]}, sorted by x: numbers where all of them are, else texts."""
    numeric = all(jsonfile.is_number(run.get(argument)) for run in runs)
    values: dict[str, dict[float | str, list[float]]] = {}
    for run in runs:
        label = f'{by.name}={table.text(run.get(by))}' if by else metric.name
        x = float(run.get(argument)) if numeric else table.text(run.get(argument))
        values.setdefault(label, {}).setdefault(x, []).append(float(run.get(metric)))
    return {label: sorted(line.items()) for label, line in values.items()}


def _spans_much(lines: picture.Lines) -> bool:
    """Return whether the arguments are positive numbers that span a factor of WIDE."""
    numbers: list[float] = []
    for line in lines.values():
        for x, _ in line:
            if isinstance(x, str):
                return False
            numbers.append(x)
    return min(numbers) > 0 and max(numbers) >= WIDE * min(numbers)
