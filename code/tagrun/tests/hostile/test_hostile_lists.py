"""Lists and titles that somebody else wrote, X5 and X6: a bad line costs itself, a bad file is
refused by its name.
"""

import os

from hostile_inputs import INJECTIONS, OPTIONS, PATHS, REFS, inputs, plant
from run_factory import listed

from tagrun.store import experlist, layout

LINES = [
    *(
        word
        for word in [*INJECTIONS, *OPTIONS, *PATHS, *REFS]
        if '\n' not in word and word.strip() not in ('', 't1/0', '\udcff') and word[0] != '#'
    ),
    '/abs/0',
    't1/abc',
    't9/0',
    't1/0\0',
    '\0',
    '\x1b]52;c;x\x07/0',
    'x' * (1 << 20),
    '*',
    '*/0',
    'link/0',
    'linked/0',
    '=1+1',
    '<script>/0',
    '{"run": 1}',
    't1/*/..',
    't1 t1/0',
    't1/0,1',
]


@inputs('X5 list lines', 'line', LINES)
def test_a_line_that_names_no_run_is_told_by_its_number_and_the_others_count(scratched, line):
    os.symlink(scratched.canary.parent, layout.result(scratched.root) / 'link')
    listed(scratched.root, 'mine', line, 't1/0')
    content = experlist.read(scratched.root, 'mine')
    assert content.runs == [('t1', 0)] and [bad.number for bad in content.bad] == [1]


@inputs(
    'X5 list files',
    'content',
    [
        b'',
        b'\xff\xfe\x00',
        b'\xef\xbb\xbft9/0\r\n',
        b't1/0' * (1 << 18),
        b'#' * (1 << 20),
        b'\0' * 4096,
        'FIFO',
        'FOLDER',
        'LOOP',
        'DEVICE',
    ],
)
def test_a_list_that_is_none_is_refused_or_empty_and_never_waited_for(scratched, command, content):
    path = listed(scratched.root, 'mine')
    plant(path, content)
    for name in ('table', 'title'):
        code, _, message = command(name, 'mine')
        assert code == 1 and message


TITLES = [
    b'',
    b'{',
    b'[]',
    b'1',
    b'null',
    b'"x"',
    b'{"hparam": 1}',
    b'{"hparam": [1]}',
    b'{"nosuch": []}',
    b'{"hparam": ["lr"]',
    b'{"__proto__": []}',
    b'\xff',
    b'\0',
    b'[' * 5000,
    b'{"hparam":' * 300,
    b'{"hparam": ["' + b'x' * 5000 + b'"]}',
    b'{"hparam": ["../x", "=1+1", "\\u001b[2J"]}',
    b'{hparam: [lr]}',
    b'/*',
    b'// x',
    b'{"hparam": ["a"], "hparam": ["b"]}',
    b'{"metric": [NaN]}',
    'FIFO',
    'FOLDER',
    'LOOP',
    'DEVICE',
]


@inputs('X6 titles', 'content', TITLES)
def test_a_title_that_is_none_is_refused_with_its_name_and_never_run(scratched, command, content):
    path = layout.title_file(scratched.root, 'record')
    path.parent.mkdir(parents=True)
    plant(path, content)
    for name in ('table', 'title'):
        code, _, message = command(name, 'record')
        assert code in (0, 1) and message and (code == 0 or 'record.json' in message)
