"""What cells, names and messages do to a reader, X8 to X11: they are shown and never act."""

import io
import shutil

from hostile_inputs import CONTROL, inputs
from project_factory import Project

from tagrun.core.tables import formats, latex, terminal
from tagrun.store import table
from tagrun.store.table import Column

FORMULAS = [
    '=1+1',
    '+cmd',
    '-2+3',
    '@SUM(A1)',
    '=HYPERLINK("http://x")',
    '=IMPORTXML("http://x","//a")',
    '\t=1',
    '\r=1',
    '\n=1',
    '\0=1',
    '＝1+1',
    '＋1',
    '－1',
    '＠x',
    '=cmd|\' /C calc\'!A0',
    '"=1+1"',
    '+-1',
    '-@x',
    '=',
    '@',
]


@inputs('X8 cells', 'text', FORMULAS)
def test_no_cell_of_a_csv_file_is_a_formula(text):
    import csv

    content = formats.to_csv(
        [Column('hparam', text)],
        [table.Run(text, {'hparam': {text: text}, 'metric': {}, 'run': {}}, None, None)],
    ).decode('utf-8-sig')
    for row in csv.reader(io.StringIO(content, newline='')):
        for cell in row:
            assert not cell.startswith(formats.FORMULA) and '\r' not in cell and '\0' not in cell
    assert cells_of(-0.5) == ['-0.5'] and cells_of('-0.5') == ['-0.5']


def cells_of(value):
    content = formats.to_csv(
        [Column('metric', 'a')],
        [table.Run('t1/0', {'hparam': {}, 'metric': {'a': value}, 'run': {}}, None, None)],
    )
    return content.decode().splitlines()[1].split(',')[1:]


MARKUP = [
    '<script>alert(1)</script>',
    '<img src=x onerror=alert(1)>',
    '"><svg onload=alert(1)>',
    '<a href="javascript:alert(1)">',
    '</table><iframe src=//x>',
    '{{7*7}}',
    '${7*7}',
    '<style>*{}',
    '<!--',
    '&lt;script&gt;',
    '\u2028<b>',
    '<base href=//x>',
    "' onmouseover='alert(1)",
    '<meta http-equiv=refresh content=0>',
    '[x](javascript:alert(1))',
    '![x](http://x)',
    '| a | b |',
    '`x`',
    '\\input{/etc/passwd}',
    '\\write18{touch PWNED}',
    '$x$',
    '%',
    '\\end{tabular}',
    '^^5cinput',
    '#1',
    '~',
    '\x1b[2J',
    '\x1b]52;c;eA==\x07',
    '\x9b2J',
    'a\rb',
    'a\bb',
    '\x07',
    '\x00',
    '\x1b]8;;http://x\x1b\\',
    '\x1bP1$r',
    '\ud800',
]


@inputs('X9-X11 markup and escapes', 'text', MARKUP)
def test_what_a_name_or_value_says_is_shown_and_never_acts(text):
    row = table.Run(
        't1/0',
        {'hparam': {text: text}, 'metric': {text: 0.5}, 'run': {'commit': text}},
        text,
        'max',
    )
    columns = [Column('hparam', text), Column('metric', text)]
    page = formats.to_html(columns, [row, row], 4)
    inside = page.partition('<table>')[2].partition('</table>')[0]
    tags = {part.partition('>')[0].split(' ')[0].strip('/') for part in inside.split('<')[1:]}
    assert (
        tags <= {'tr', 'th', 'td', 'b'}
        and '<script' not in page
        and 'http'
        not in page.replace('http-equiv', '').replace('http:', '', page.count('http://x'))
    )
    shown = (
        terminal.fitted(columns, [row], 4)[0]
        + formats.to_markdown(columns, [row], 4)
        + latex.tabular(columns, [row], 4)
    )
    assert not any(letter in shown for letter in CONTROL)
    for macro in ('\\input', '\\write', '\\end{tabular}'):
        assert latex.tabular(columns, [row], 4).count(macro) == (macro == '\\end{tabular}')


@inputs(
    'X10 messages',
    'text',
    [
        '\x1b[2J',
        '\x1b]52;c;eA==\x07',
        'a\rb',
        'a\bb',
        '\x9b2J',
        '\x1b]0;title\x07',
        '$(touch PWNED)',
        '`touch PWNED`',
        '%s%n',
        '\udcff',
        "a'b\"c",
        '-m',
        'x' * 100_000,
    ],
)
def test_a_message_is_recorded_as_it_is_and_told_without_its_escapes(sandbox, command, text):
    code, _, message = command('run', '-n', 't9', f'--message={text}')
    assert code == 0 and message
    assert not any(letter in command('expls')[2] for letter in CONTROL)


@inputs('X10 messages', 'text', ['\x1b[2J\x07', '\udcff', '$(touch PWNED)'])
def test_by_hand_a_hostile_message_becomes_the_tags(scratched, text, tmp_path):
    project = Project(shutil.copytree(scratched.root, tmp_path / 'copy', symlinks=True))
    project.tagrun('run', 't9', '-m', text)
    assert '\x1b' not in project.tagrun('expls').stdout
