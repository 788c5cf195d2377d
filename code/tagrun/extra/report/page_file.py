"""Make the HTML file of a report: its table, its notes, and the policy that a browser keeps.

    content = render('paper', runs, columns, 0, page_data.gather(…))

The template and its scripts are in page/. The text of others enters it escaped.
"""

import base64
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from tagrun.core.cli.messages import duration, plural
from tagrun.core.tables import formats
from tagrun.extra.report.page_data import CURVES_AT_FIRST, STATES
from tagrun.extra.report.page_text import cell
from tagrun.store import jsonfile, table
from tagrun.store.table import Column, Run

PAGE = Path(__file__).with_name('page')
STATUS = Column('run', 'status')
STATES_SHOWN = 8  # in the summary
LONGEST_TRAINING = 1e12  # s; what claims more is not counted


def render(
    name: str, runs: list[Run], columns: Sequence[Column], left_out: int, data: dict[str, Any]
) -> bytes:
    """Return the file's bytes.

    left_out: how many columns the table lacks; data: of page_data.gather.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    style = _part('uPlot.min.css') + _part('page.css')
    chart_script, script = _part('uPlot.iife.min.js'), _part('page.js')
    environment = Environment(
        loader=FileSystemLoader(PAGE), autoescape=True, undefined=StrictUndefined
    )
    # |tojson escapes < > & and all that is not ASCII
    environment.policies['json.dumps_kwargs'] = {'separators': (',', ':'), 'allow_nan': False}
    text = environment.get_template('page.html').render(
        title=name,
        summary=summary(runs),
        made=f'{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC',
        policy=policy(style, chart_script, script),
        first=CURVES_AT_FIRST,
        columns=_headers(columns, runs),
        runs=_rows(columns, runs),
        notes=list(_notes(left_out, runs)),
        data=data,
        # our own files: as they are
        style=Markup(style),
        chart_script=Markup(chart_script),
        script=Markup(script),
    )
    return text.encode('utf-8', 'backslashreplace')


def policy(style: str, *scripts: str) -> str:
    """Return the Content-Security-Policy of the page.

    A browser runs these scripts, takes this style, and loads nothing; no text becomes markup.
    """
    allowed = ' '.join(map(_digest, scripts))
    return (
        f"default-src 'none'; script-src {allowed}; style-src {_digest(style)}; img-src "
        "data:; base-uri 'none'; form-action 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )


def summary(runs: list[Run]) -> str:
    """Return '12 runs of 4 tags: 11 finished, 1 failed; 3 min 20 s of training'."""
    states = Counter(run.values['run']['status'] for run in runs)
    counts = [f'{count:,} {cell(state)}' for state, count in states.most_common(STATES_SHOWN)]
    times = [jsonfile.number(run.values['run'].get('seconds')) for run in runs]
    seconds = sum(time for time in times if time is not None and 0 <= time < LONGEST_TRAINING)
    tags = len({run.ref.tag for run in runs})
    return (
        f'{plural(len(runs), "run")} of {plural(tags, "tag")}: {", ".join(counts)}; '
        f'{duration(seconds)} of training'
    )


def _part(name: str) -> str:
    return (PAGE / name).read_text(encoding='utf-8')


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _headers(columns: Sequence[Column], runs: list[Run]) -> list[dict[str, Any]]:
    sides = formats.alignment(columns, runs)
    return [
        {
            'head': cell(name),
            'title': f'{cell(column.name)}: {column.group}',
            'right': side == 'right',
        }
        for name, column, side in zip(formats.headers(columns), columns, sides, strict=True)
    ]


def _rows(columns: Sequence[Column], runs: list[Run]) -> list[dict[str, Any]]:
    best, sides = formats.best_rows(columns, runs), formats.alignment(columns, runs)
    rows = []
    for place, run in enumerate(runs):
        cells = []
        for column, side in zip(columns, sides, strict=True):
            text = cell(formats.shown(run.get(column), column))
            is_best = place in best.get(column, ())
            cells.append({'text': text, 'class': _classes(text, column, side, is_best)})
        rows.append({'name': run.name, 'cells': cells})
    return rows


def _classes(text: str, column: Column, side: str, is_best: bool) -> str:
    """Return the CSS classes of a cell; a state of ours is one."""
    classes = []
    if side == 'right':
        classes.append('right')
    if is_best:
        classes.append('best')
    if column == STATUS and text in STATES:
        classes.append(text)
    return ' '.join(classes)


def _notes(left_out: int, runs: list[Run]) -> Iterator[str]:
    """Yield the sentences below the table."""
    monitored = table.monitored(runs)
    if monitored:
        best = f'Metrics are those at the best epoch by {cell(monitored)}'
        yield f'{best}; bold: the best of a column.'
    if left_out:
        yield f'{plural(left_out, "further column")}: the single runs show them.'
