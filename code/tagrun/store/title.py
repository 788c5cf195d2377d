"""title/<set>.json: the columns of a set's table, in groups, one a line.

Put // before a line to leave its column out.

    {
      "hparam": [
        "model",
        // "workers",
        "lr",
      ],
      "metric": [
        "val/acc",
      ],
    }

It is JSON with comments and trailing commas (JSON5), read by the package json5. `merge` adds
columns as text, so every hand edit, comment and order stays byte for byte; a column that stands in
a comment counts as known.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tagrun.store import layout, safe_read
from tagrun.store.table import GROUPS, Column

MARGIN, INDENT = '  ', '    '  # before a group, before a column
STRING = r''' "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*' '''
TOKEN = re.compile(
    rf'''(?P<comment> //[^\n]* | /\*.*?\*/ )
       | (?P<string> {STRING} )
       | (?P<mark> [][{{}}:,] )
       | (?P<word> [^\s][\w$]* )''',
    re.DOTALL | re.VERBOSE,
)
QUOTED = re.compile(STRING, re.VERBOSE)
EXPECTED = 'expected an object of lists of names, e.g. {"hparam": ["lr"], "metric": ["val/acc"]}'

Edit = tuple[int, str]  # offset in the text, what is inserted there


@dataclass
class Span:
    """Where a list of columns, or the whole object of lists, stands in the text."""

    last: int  # offset after its last item, or after its opening bracket
    close: int = 0  # offset of its closing bracket
    comma: str = ''  # what belongs at `last` before another item: ',' or ''
    items: dict[str, tuple[int, int]] = field(default_factory=dict)  # {name: (start, end)}
    hidden: list[str] = field(default_factory=list)  # names that stand in its comments


def read(root: str | Path, name: str) -> tuple[list[Column], str | None]:
    """Return (columns, text) of a set's title file, ([], None) if there is none.

    Raises OSError, ValueError with the reason.
    """
    try:
        text = safe_read.read_bytes(layout.title_file(root, name)).decode()
    except FileNotFoundError:
        return [], None
    return parse(text), text


def parse(text: str) -> list[Column]:
    """Return the columns of a title file's text. Raises ValueError with the line."""
    value = _value(text)
    if not isinstance(value, dict) or not all(map(_is_names, value.values())):
        raise ValueError(EXPECTED)
    columns: dict[Column, None] = {}
    for group, names in value.items():
        if group not in GROUPS:
            raise ValueError(f'{group!r} is not a group: the groups are {", ".join(GROUPS)}')
        columns.update(dict.fromkeys(Column(group, name) for name in names))
    return list(columns)


def build(name: str, columns: Iterable[Column], hidden: Collection[Column] = ()) -> str:
    """Return the text of a new title file; the columns in `hidden` stand in comments."""
    note = (
        f'// The columns of `table {name}`. Put // before a line to leave it out; '
        f'`title {name}` adds what is new and keeps your edits.'
    )
    lines = ['{', MARGIN + note]
    for group, names in _by_group(columns, hidden).items():
        lines += [f'{MARGIN}"{group}": [', *(INDENT + line for line in names), f'{MARGIN}],']
    return '\n'.join([*lines, '}', ''])


def merge(
    text: str,
    columns: Iterable[Column],
    hidden: Collection[Column] = (),
    hide: Iterable[Column] = (),
) -> tuple[str, list[Column]]:
    """Return (the text with what is new of `columns` added to its groups, the columns added).

    hidden: those that are added in comments. hide: columns that get a // now, where their line
    holds nothing else.
    """
    whole, groups = _scan(text)
    newline = '\r\n' if '\r\n' in text else '\n'
    new = [column for column in columns if not _is_known(whole, groups, column)]
    edits: list[Edit] = []
    new_groups = {}
    for group, lines in _by_group(new, hidden).items():
        if group in groups:
            edits += _into(text, groups[group], lines, newline)
        else:
            new_groups[group] = lines
    edits += _new_groups(text, whole, new_groups, newline)
    for column in hide:
        if _stands_alone(text, groups, column):
            edits.append((groups[column.group].items[column.name][0], '// '))
    return _edited(text, edits), new


def _value(text: str) -> Any:
    """Return what the text holds as JSON5. Raises ValueError with the line."""
    import json5  # here: a table without a title file need not load it

    try:
        return json5.loads(text)
    except RecursionError:
        raise ValueError('nested too deep') from None
    except ValueError as error:
        raise ValueError(re.sub('^<string>:', 'line ', str(error))) from None


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _by_group(columns: Iterable[Column], hidden: Collection[Column]) -> dict[str, list[str]]:
    """Return {group: the lines of its columns}."""
    lines: dict[str, list[str]] = {}
    for column in columns:
        mark = '// ' if column in hidden else ''
        name = json.dumps(column.name, ensure_ascii=False)
        lines.setdefault(column.group, []).append(f'{mark}{name},')
    return lines


def _is_known(whole: Span, groups: Mapping[str, Span], column: Column) -> bool:
    """Return whether a column stands in its group, or in a comment there.

    Or in a comment between the groups: a whole group put in comments.
    """
    group = groups.get(column.group)
    if group is None:
        return column.name in whole.hidden
    return column.name in group.items or column.name in group.hidden


def _scan(text: str) -> tuple[Span, dict[str, Span]]:
    """Return (Span of the whole object, {group: Span}) of a text that `parse` accepts."""
    groups: dict[str, Span] = {}
    open_spans: list[Span] = []
    key = ''
    for token in TOKEN.finditer(text):
        word = token[0]
        if token.lastgroup == 'comment':
            if open_spans:
                open_spans[-1].hidden.extend(map(_name, QUOTED.findall(word)))
        elif word in ('{', '['):
            open_spans.append(Span(token.end()))
        elif word in ('}', ']'):
            span = open_spans.pop()
            span.close = token.start()
            if not open_spans:
                return span, groups
            groups[key] = span
            open_spans[-1].last, open_spans[-1].comma = token.end(), ','
        elif open_spans and word == ',':
            open_spans[-1].last, open_spans[-1].comma = token.end(), ''
        elif open_spans and word != ':':
            name = _name(word)
            if len(open_spans) == 1:
                key = name
            open_spans[-1].last, open_spans[-1].comma = token.end(), ','
            open_spans[-1].items[name] = token.span()
    raise ValueError(EXPECTED)


def _name(word: str) -> str:
    """Return the name that a quoted or bare word of the text stands for."""
    import json5

    if word[0] not in '"\'':
        return word
    try:
        return str(json5.loads(word))
    except ValueError:
        return word[1:-1]


def _into(text: str, group: Span, lines: Sequence[str], newline: str) -> list[Edit]:
    """Return the insertions that add lines at the end of a group."""
    comma = (group.last, group.comma)
    start = text.rfind('\n', 0, group.close) + 1
    if text[start : group.close].strip():  # its bracket closes on a line with items
        body = ''.join(INDENT + line + newline for line in lines)
        return [comma, (group.close, newline + body + MARGIN)]
    indent = _indent(text, group)
    return [comma, (start, ''.join(indent + line + newline for line in lines))]


def _new_groups(
    text: str, whole: Span, added: Mapping[str, Sequence[str]], newline: str
) -> list[Edit]:
    """Return the insertions that add groups at the end of the file's object."""
    if not added:
        return []
    lines = []
    for group, names in added.items():
        lines += [f'{MARGIN}"{group}": [', *(INDENT + name for name in names), f'{MARGIN}],']
    first = '' if text[: whole.close].endswith('\n') else newline
    body = ''.join(line + newline for line in lines)
    return [(whole.last, whole.comma), (whole.close, first + body)]


def _indent(text: str, group: Span) -> str:
    """Return what stands before the group's first item, if that opens its line."""
    start = min((start for start, _ in group.items.values()), default=0)
    before = text[text.rfind('\n', 0, start) + 1 : start]
    return before if start and not before.strip() else INDENT


def _stands_alone(text: str, groups: Mapping[str, Span], column: Column) -> bool:
    """Return whether a column's line holds nothing else but a comma and a comment."""
    if column.group not in groups or column.name not in groups[column.group].items:
        return False
    start, end = groups[column.group].items[column.name]
    before = text[text.rfind('\n', 0, start) + 1 : start]
    after = text[end:].partition('\n')[0].rstrip('\r')
    return not before.strip() and bool(re.fullmatch(r'\s*,?\s*(//.*)?', after))


def _edited(text: str, edits: Iterable[Edit]) -> str:
    """Return the text with the insertions; those at one offset in their order."""
    parts, copied = [], 0
    for offset, inserted in sorted(edits, key=lambda edit: edit[0]):
        parts += [text[copied:offset], inserted]
        copied = offset
    return ''.join([*parts, text[copied:]])
