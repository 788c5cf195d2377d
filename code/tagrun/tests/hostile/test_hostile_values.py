"""Values, seeds, conditions and checkpoints as the command line gives them: read, never run."""

import ast
import json
import os
import pickle

import pytest
import stub_project
from hostile_inputs import Evil, inputs

from tagrun.core.cli.messages import UserError
from tagrun.core.record import claim, config_text

VALUES = [
    "__import__('os').system('touch PWNED')",
    'open("PWNED","w")',
    '$(touch PWNED)',
    '!!python/object:os.system',
    '${HOME}',
    '%(x)s',
    '{{7*7}}',
    'f"{1}"',
    'lambda: 0',
    '[x for x in ()]',
    '1e999',
    '-1e999',
    'nan',
    '1j',
    "b'x'",
    '{1}',
    '{[]: 1}',
    '{1: {2}}',
    '...',
    'None',
    'True',
    '-0',
    '0x10',
    '1_000',
    '9' * 400,
    '9' * 5000,
    '1' + '0' * 309,
    '-' + '9' * 400,
    '1e308',
    '[' * 500,
    '(' * 90 + ')' * 90,
    "'a" + "\\n" + "b'",
    "'a\nb'",
    '"""a',
    '#',
    '',
    ' ',
    "'\\x00'",
    '\x1b[2J',
    '\udcff',
    "('a',)",
    '()',
    '[1e999]',
    "{'a': 1j}",
    '0 if 1 else 2',
    'config.lr',
    '1;2',
    "1\nimport os",
    '*()',
    '**{}',
]
NAMES = ['lr', 'model', 'steps', 'deep', 'phases', 'nothing']


@inputs('X13 --set', 'text', VALUES)
def test_a_value_of_set_becomes_a_literal_or_is_refused(sandbox, text):
    for name in NAMES:
        try:
            changed = config_text.changed(stub_project.CONFIG, {name: text})
        except UserError:
            continue
        texts, before = config_text.read(changed), config_text.read(stub_project.CONFIG)
        values = {node: ast.literal_eval(value) for node, value in texts.items()}
        json.dumps(values[name], allow_nan=False)
        differences = config_text.differences(stub_project.CONFIG, changed)
        assert differences in ([], [f'{name} = {texts[name]} (was {before[name]})'])


@inputs(
    'X13 --set names',
    'name',
    [
        '__builtins__',
        '_private',
        'os',
        'lr.x',
        'lr[0]',
        'lr ',
        '',
        '=',
        'lr=0',
        '../lr',
        'import os',
        '\x1b[2J',
    ],
)
def test_a_name_of_set_that_config_lacks_is_refused(sandbox, command, name):
    code, _, message = command('run', '-n', 't9', '--set', f'{name}=1')
    assert (code in (1, 2) and message) or name == 'lr'


@inputs(
    'seeds',
    'count',
    ['0', '-1', '1.5', 'x', '', ' ', 'nan', '0x10', '$(touch PWNED)', '1e3', '--', '\x1b[2J'],
)
def test_a_count_of_seeds_that_is_none_is_wrong_usage(sandbox, command, count):
    for name in ('run', 'rerun'):
        assert command(name, 'real', f'--seeds={count}')[0] == 2


@inputs(
    'seeds',
    'content',
    [
        b'',
        b' ',
        b'x',
        b'-1',
        b'1.5',
        b'1e3',
        b'1 2',
        b'1;2',
        b'\x00',
        b'\xff\xfe1',
        b'9223372036854775808',
        b'9' * 5000,
        b'0x10',
        b'$(touch PWNED)',
        b'\x1b[2J',
        None,
    ],
)
def test_a_seed_file_that_holds_no_seed_is_refused_with_what_belongs_there(sandbox, content):
    with pytest.raises(UserError, match='one integer') as refused:
        claim.read_seed(content)
    assert len(str(refused.value)) < 300


CONDITIONS = [
    "__import__('os').system('touch PWNED')",
    '().__class__',
    'acc.__class__',
    'lambda: 0',
    '[x for x in ()]',
    'f"{acc}"',
    '(x := 1)',
    '9**9**9',
    "'a' * 10**9",
    'acc >',
    '> 0.9',
    'acc = 1',
    'acc in {[]}',
    'acc in 5',
    'acc == {1: {}}',
    '(' * 300 + '1' + ')' * 300,
    'not ' * 500 + '1',
    '-' * 500 + '1',
    'nosuch > 1',
    '',
    ' ',
    '\0',
    'x' * 5000,
    '`$(touch PWNED)` > 1',
    '`',
    "open('PWNED', 'w')",
    'acc; 1',
    'acc\n> 1',
    'await acc',
    '*acc',
    '...',
    'acc if acc else acc',
    'acc @ acc',
    '1 < 2 < {}',
    'True',
    '\udcff',
    'print("x")',
    'acc > 1e999',
    'acc > ' + '9' * 5000,
]


@inputs('conditions', 'text', CONDITIONS)
def test_a_condition_is_walked_never_run(sandbox, command, text):
    code, _, message = command('table', 'record', f'--where={text}')
    assert code in (0, 1, 2) and message


@inputs(
    'conditions',
    'words',
    [
        ('--keep=(',),
        ('--drop=*',),
        ('--keep=' + '(' * 300,),
        ('--top=0',),
        ('--top=-1',),
        ('--top=x',),
        ('--precision=-1',),
        ('--precision=99',),
        ('--precision=x',),
        ('--sort-by=../x',),
        ('--format=exe',),
        ('--sort-order=up',),
        ('--no-such',),
    ],
)
def test_an_option_of_table_that_makes_no_sense_is_wrong_usage(sandbox, command, words):
    code, _, message = command('table', *words)
    assert code == 2 and message


@inputs(
    'conditions',
    'output',
    ['/dev/null', '/dev/zero', '.', '..', 'no/such/folder/x.csv', 'x' * 300, 'fifo', ''],
)
def test_where_a_table_cannot_be_written_it_says_so_and_nothing_is_replaced(
    sandbox, command, output, tmp_path
):
    if output == 'fifo':
        output = str(tmp_path / 'fifo')
        os.mkfifo(output)
    path = os.path.abspath(output)  # the command may stand in another folder
    before = os.lstat(path) if os.path.exists(path) else None
    code, _, message = command('table', 'record', f'--output={output}')
    assert message and (code == 1 or not output)
    assert before is None or os.lstat(path).st_mode == before.st_mode


# ---- --from ----

STARTS = [
    '/dev/zero',
    '/dev/null',
    '/etc',
    '.',
    '',
    ' ',
    '~nosuchuser/x',
    '../../../../etc/passwd',
    '/proc/self/mem',
    '-1',
    '99',
    '999999999999999999999',
    '１',
    'best2',
    'x' * 5000,
    '/' + 'x/' * 2000,
    '\udcff',
    '$(touch PWNED)',
    '--exec=x',
    'FIFO',
    'LOOP',
    'PICKLE',
    'CANARY',
    'EMPTY',
    'HTML',
    '\x1b[2J',
]


@inputs('--from', 'start', STARTS)
def test_what_is_no_checkpoint_is_refused_before_a_run_is_spent_on_it(
    sandbox, command, start, tmp_path
):
    files = {'PICKLE': pickle.dumps(Evil()), 'EMPTY': b'', 'HTML': b'<html>404'}
    path = tmp_path / 'start.pth'
    if start in files:
        path.write_bytes(files[start])
    elif start == 'FIFO':
        os.mkfifo(path)
    elif start == 'LOOP':
        path.symlink_to(path)
    elif start == 'CANARY':
        path.symlink_to(sandbox.canary)
    code, _, message = command(
        'continue', 'real', f'--from={path if os.path.lexists(path) else start}'
    )
    assert code in (1, 2) if start else code in (0, 1, 75)
    assert message and not (sandbox.root / '__result__' / 'real' / '1').exists()
