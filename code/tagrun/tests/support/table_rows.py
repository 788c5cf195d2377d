"""Rows of tables for tests: runs made by hand and read, with texts that must never act."""

from run_factory import run

from tagrun.store import table
from tagrun.store.run_ref import RunRef
from tagrun.store.table import Column

ACC = Column('metric', 'val/acc')
HOSTILE = [
    '=1+1',
    '+cmd',
    '-2+3',
    '@SUM(A1)',
    '=HYPERLINK("http://x")',
    '\t=1',
    '\r=1',
    '\n=1',
    '\0=1',
    '＝1+1',
    'a"b,c',
    "it's",
    'é',
    '\ud800',
    '\x1b]52;c;x\x07',
    '<script>alert(1)</script>',
    '{{7*7}}',
    '\\input{x} & # % _ ^ ~ $',
    '|a|',
    '[x](javascript:1)',
    'two\nlines',
    '-- ``x\'\'',
]


def loaded(root, *names):
    """Return (rows, damaged) of runs by their names."""
    return table.load(root, [RunRef.parse(name) for name in names])


def rows_of(root, *names):
    """Return the rows of runs that can all be read."""
    rows, damaged = loaded(root, *names)
    assert not damaged
    return rows


def hostile_runs(root):
    """Make a run for each hostile text, one with all of them as names, and return their rows."""
    for number, text in enumerate(HOSTILE):
        run(
            root,
            f't1/{number}',
            hparam={'note': text, 'rate': -0.25},
            metric={'val/word': text, 'val/acc': -1.5 - number},
        )
    run(root, 't1/99', hparam=dict.fromkeys(HOSTILE, 1))
    return rows_of(root, *(f't1/{number}' for number in [*range(len(HOSTILE)), 99]))
