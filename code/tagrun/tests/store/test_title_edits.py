"""store/title.py: hand edits survive, byte for byte."""

import json5
import pytest

from tagrun.store import title
from tagrun.store.table import Column

COLUMNS = [Column('hparam', 'model'), Column('hparam', 'lr'), Column('metric', 'val/acc')]


EDITED = '''{
  // what the paper shows
  "metric": [
    "val/acc", // in percent
  ],
  /* our "own" order */ "hparam": [
        'model',
        // "lr",
        // "hidden", until the appendix
        "gone" // an old one
  ]
}
'''


def names(text):
    return [column.name for column in title.parse(text)]


def test_a_new_title_has_one_column_a_line_and_what_is_hidden_in_comments():
    text = title.build('record', COLUMNS, hidden=[Column('hparam', 'lr')])
    assert '    "model",\n    // "lr",\n  ],\n  "metric": [\n    "val/acc",\n' in text
    assert title.parse(text) == [COLUMNS[0], COLUMNS[2]]


def test_a_second_title_changes_nothing_where_nothing_is_new():
    for text in (
        title.build('record', COLUMNS, hidden=COLUMNS[1:2]),
        EDITED,
        EDITED.replace('\n', '\r\n'),
    ):
        assert title.merge(text, COLUMNS) == (text, [])


@pytest.mark.parametrize('end', ['\n', '\r\n'])
def test_what_is_new_is_added_to_its_group_and_all_else_stays_byte_for_byte(end):
    before = EDITED.replace('\n', end)
    after, new = title.merge(
        before,
        [*COLUMNS, Column('hparam', 'depth'), Column('metric', 'val/"f1"')],
        hidden=[Column('hparam', 'depth')],
    )
    assert [column.name for column in new] == ['depth', 'val/"f1"']
    expected = EDITED.replace(
        '    "val/acc", // in percent\n', '    "val/acc", // in percent\n    "val/\\"f1\\"",\n'
    )
    expected = expected.replace(
        '        "gone" // an old one\n', '        "gone", // an old one\n        // "depth",\n'
    )
    assert after == expected.replace('\n', end)
    assert names(after) == ['val/acc', 'val/"f1"', 'model', 'gone']
    assert title.merge(after, [*COLUMNS, *new]) == (after, [])


@pytest.mark.parametrize(
    'before',
    [
        '{}',
        '{\n}\n',
        '{"hparam": []}',
        '{"hparam": ["model"], "metric": ["a"]}',
        '{"hparam": ["model",\n"x"]}',
        '{hparam: [\'model\'], /* "x */}',
        '// a\n{"metric": [ // "x"\n]} // b',
        '{"hparam": [\n"model"]\n}',
        '\ufeff{"hparam": []}',
    ],
)
def test_whatever_form_the_file_has_each_column_is_there_afterwards(before):
    after, _ = title.merge(before, COLUMNS)
    assert set(COLUMNS) <= set(title.parse(after))
    assert title.merge(after, COLUMNS) == (after, [])
    rest = iter(after)
    assert all(letter in rest for letter in before), 'something that stood there is gone'


def test_a_group_that_was_put_in_comments_as_a_whole_stays_there():
    text = '{\n  "hparam": ["model", "lr"],\n  // "metric": [\n  //   "val/acc",\n  // ],\n}\n'
    assert title.merge(text, COLUMNS) == (text, [])


def test_hiding_puts_comment_marks_only_before_lines_of_their_own():
    text = '{\n  "hparam": [\n    "model",\n    "lr", // rate\n    "a", "b",\n  ],\n}\n'
    after, _ = title.merge(
        text, [], hide=[Column('hparam', name) for name in ('lr', 'a', 'no such')]
    )
    assert after == text.replace('"lr"', '// "lr"')


@pytest.mark.parametrize(
    'text, reason',
    [
        ('{"hparam": ["a"\n"b"]}', 'line 2'),
        ('', 'Empty'),
        ('[]', 'an object of lists'),
        ('{"hparam": [1]}', 'an object of lists'),
        ('{"hparam": {"a": 1}}', 'an object of lists'),
        ('{"param": []}', "'param' is not a group"),
        ('[' * 100_000, 'nested too deep'),
    ],
)
def test_what_is_no_title_is_refused_with_the_reason(text, reason):
    with pytest.raises(ValueError, match=reason):
        title.parse(text)


def test_names_of_any_letters_come_back_as_they_are():
    odd = [
        Column('metric', name)
        for name in (
            '',
            'a"b',
            'c\\d',
            '// x',
            '*/',
            'é/ü',
            '../../x',
            'line\nbreak',
            "it's",
            '\x1b[31m',
            'x' * 10_000,
        )
    ]
    text = title.build('record', odd)
    assert title.parse(text) == odd
    assert title.merge(text, odd) == (text, [])
    assert json5.loads(text)['metric'] == [column.name for column in odd]
