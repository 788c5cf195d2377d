"""store/title.py: the columns of a table as text; what was edited by hand stays."""

import pytest

from tagrun.store import layout, title
from tagrun.store.table import Column

LR, HIDDEN = Column('hparam', 'lr'), Column('hparam', 'hidden')
ACC, SEED = Column('metric', 'val/acc'), Column('run', 'seed')
BUILT = '''{
  // The columns of `table paper`. Put // before a line to leave it out; \
`title paper` adds what is new and keeps your edits.
  "hparam": [
    "lr",
    // "hidden",
  ],
  "metric": [
    "val/acc",
  ],
}
'''


def test_a_new_file_has_its_groups_and_what_is_hidden_in_comments():
    text = title.build('paper', [LR, ACC, HIDDEN], [HIDDEN])
    assert text == BUILT and title.parse(text) == [LR, ACC]


def test_a_file_is_read_or_there_is_none(tmp_path):
    assert title.read(tmp_path, 'paper') == ([], None)
    path = layout.title_file(tmp_path, 'paper')
    path.parent.mkdir(parents=True)
    path.write_text(BUILT)
    assert title.read(tmp_path, 'paper') == ([LR, ACC], BUILT)


@pytest.mark.parametrize(
    'text, reason',
    [
        ('[]', 'expected an object of lists of names'),
        ('{"hparam": "lr"}', 'expected an object of lists of names'),
        ('{"hparam": [1]}', 'expected an object of lists of names'),
        ('{"param": []}', "'param' is not a group: the groups are hparam, metric, run"),
        ('{"hparam": [}', 'line 1'),
        ('[' * 100_000, 'nested too deep'),
    ],
)
def test_what_is_not_a_title_has_a_reason(text, reason):
    with pytest.raises(ValueError, match=reason):
        title.parse(text)


def test_new_columns_go_to_the_end_of_their_group_and_edits_stay():
    text = "{\n  // mine\n  'hparam': [\n      'lr' // the rate\n  ],\n}\n"
    merged, added = title.merge(text, [LR, HIDDEN, ACC], [HIDDEN])
    assert added == [HIDDEN, ACC] and title.parse(merged) == [LR, ACC]
    assert merged == (
        "{\n  // mine\n  'hparam': [\n      'lr', // the rate\n      // \"hidden\",\n  ],\n"
        '  "metric": [\n    "val/acc",\n  ],\n}\n'
    )


def test_what_stands_in_a_comment_is_known():
    hidden_column = '{"hparam": [\n  // "lr",\n]}'
    hidden_group = '{\n // "run": ["seed"],\n}'
    assert title.merge(hidden_column, [LR]) == (hidden_column, [])
    assert title.merge(hidden_group, [SEED]) == (hidden_group, [])


def test_a_group_on_one_line_and_windows_line_ends_stay_readable():
    merged, _ = title.merge('{hparam: ["lr"]}', [HIDDEN, SEED])
    assert title.parse(merged) == [LR, HIDDEN, SEED]
    merged, _ = title.merge('{\r\n  "hparam": [\r\n    "lr"\r\n  ]\r\n}\r\n', [HIDDEN])
    assert title.parse(merged) == [LR, HIDDEN] and '\n' not in merged.replace('\r\n', '')


def test_a_column_is_hidden_only_where_its_line_holds_nothing_else():
    text = '{"hparam": [\n  "lr",\n  "hidden", "model",\n]}'
    merged, added = title.merge(text, [], hide=[LR, HIDDEN, ACC])
    assert merged == text.replace('"lr"', '// "lr"') and added == []
