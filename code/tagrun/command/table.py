"""Show the hyperparameters and metrics of a set, one row a run.

It also writes them as CSV into __statistic__/table/. The set is a list of runs in
__statistic__/exper-list/: record.txt if there is one, else finished.txt. Its title file, if any,
has the columns (`tagrun title`). With --where or --top the rows are printed only, with --format or
-o the table goes where they say: the CSV file stays as it is. --evaluations has a row for each
evaluation instead, with what was set for it, and a CSV file of its own.

Exit codes: 0 a table came out, 1 not one run could be read, 2 usage.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tagrun.core.cli.messages import UserError, echo, put
from tagrun.core.cli.parser import Parser, argument_parser
from tagrun.core.project import ROOT
from tagrun.core.tables import formats, selection, set_table
from tagrun.core.tables.selection import Table

GROUP = 'Compare', 1
EXAMPLES = (
    "table                                   all of record.txt, else of finished.txt",
    "table paper --sort-by acc --top 10      acc: val/acc, where that is what is monitored",
    "table --where \"acc > 0.9 and model in ('cnn', 'mlp')\"",
    "table --group --format latex            mean ± std (n) over seeds, to paste into a paper",
    "table folds --group --over fold         mean ± std over the values of an argument, too",
    "table paper ablation                    two sets, one table after the other",
    "table --drop '.*' --keep 'model|test'   these columns alone",
    "table --only-changed -o runs.html",
    "table paper --evaluations               what `tagrun evaluate @paper` measured",
)
ENDINGS = {'csv': '.csv', 'md': '.md', 'latex': '.tex', 'html': '.html', 'json': '.json'}


def main(argv: Sequence[str]) -> int:
    parser = build_parser()
    args = parser.parse_args(argv)
    if not 0 <= args.precision <= 17:
        parser.error('--precision takes 0 to 17')
    choices = selection.read_options(args)
    if not args.format and not args.output:
        for choice in choices:
            set_table.show(ROOT, choice, args.precision)
        return 0
    if len(choices) > 1:
        parser.error('--format and -o take one set: `record @a @b --to c` makes one of two')
    selected = selection.select(ROOT, choices[0])
    content = _content(selected, args.format or _format_of(args.output), args.precision)
    if args.output and args.output != '-':
        set_table.write(_destination(args.output), content)
        set_table.echo_written(args.output, selected)
    else:
        content = content.removeprefix(formats.BOM)
        if sys.stdout.isatty():
            put(content.decode(errors='replace'), end='')
        else:
            sys.stdout.buffer.write(content)
    return 0


def build_parser() -> Parser:
    """Return the parser of the command line."""
    parser = argument_parser('table', __doc__, EXAMPLES)
    selection.add_options(parser)
    parser.add_argument(
        '--precision',
        metavar='N',
        type=int,
        default=formats.PRECISION,
        help='decimals of a metric (%(default)s); CSV and JSON have all',
    )
    parser.add_argument('--format', choices=ENDINGS, help='print it so, instead')
    parser.add_argument(
        '--json',
        dest='format',
        action='store_const',
        const='json',
        help='the same as --format json',
    )
    parser.add_argument(
        '-o',
        '--output',
        metavar='FILE',
        help='write it there, - for stdout; the format goes by the ending',
    )
    return parser


def _format_of(output: str) -> str:
    """Return the format that a file's ending names, csv for any other."""
    return next((name for name, ending in ENDINGS.items() if output.endswith(ending)), 'csv')


def _destination(output: str) -> Path:
    """Return where -o writes: behind the user's own links.

    Raises UserError for a device or a FIFO, which the new file would replace.
    """
    path = Path(os.path.realpath(output))
    if os.path.exists(path) and not os.path.isfile(path):
        raise UserError(f'{output} is not a file: name one, or - for stdout')
    return path


def _content(selected: Table, kind: str, precision: int) -> bytes:
    """Return the bytes of a file of the format."""
    columns, rows = selected.columns, selected.rows
    if kind == 'csv':
        return formats.to_csv(columns, rows)
    if kind == 'json':
        text = formats.to_json(columns, rows)
    elif kind == 'latex':
        from tagrun.core.tables import latex

        # its footnotes are comments below it
        text = latex.tabular(columns, rows, precision)
    else:
        write = {'md': formats.to_markdown, 'html': formats.to_html}[kind]
        text = write(columns, rows, precision)
        for note in formats.footnotes(columns, rows):
            echo(note)
    return text.encode('utf-8', 'backslashreplace')
