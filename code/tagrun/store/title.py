"""title/<set>.json: the columns of a set's table, in groups, one a line. Put // before a line to leave its column out.

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

It is JSON with comments and trailing commas (JSON5), read by the package json5. `merge` adds columns as text, so every hand edit,
comment and order stays byte for byte; a column that stands in a comment counts as known.
"""
import json
import re
from typing import NamedTuple

from tagrun.store import layout, reading
from tagrun.store.table import GROUPS, Column

INDENT = '    '
TOKEN = re.compile(r'''(?P<comment>//[^\n]*|/\*.*?\*/)|(?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(?P<mark>[][{}:,])|(?P<word>[^\s][\w$]*)''', re.S)
QUOTED = re.compile(r'''"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*\'''')


class Place(NamedTuple):
    """Where a list of columns, or the whole object of lists, stands in the text."""
    close: int      # offset of its closing bracket
    last: int       # offset after its last item, or after its opening bracket
    comma: str      # what is due at `last` before another item: ',' or ''
    items: dict     # {name: (start, end)}
    hidden: list    # names that stand in its comments


def read(root, name):
    """([Column, …], text) of a set's title file, ([], None) if there is none. Raises OSError, ValueError with the reason."""
    try:
        text = reading.regular(layout.title_file(root, name)).decode()
    except FileNotFoundError:
        return [], None
    return parse(text), text


def parse(text):
    """The columns of a title file's text. Raises ValueError with the line."""
    import json5    # here: a table without a title file need not load it
    try:
        value = json5.loads(text)
    except RecursionError:
        raise ValueError('nested too deep') from None
    except ValueError as error:
        raise ValueError(re.sub('^<string>:', 'line ', str(error))) from None
    if not isinstance(value, dict) or not all(isinstance(names, list) and all(isinstance(name, str) for name in names) for names in value.values()):
        raise ValueError('an object of lists of names is due: {"hparam": ["lr"], "metric": ["val/acc"]}')
    unknown = [group for group in value if group not in GROUPS]
    if unknown:
        raise ValueError(f'{unknown[0]!r} is no group: {", ".join(GROUPS)} are')
    return list(dict.fromkeys(Column(group, name) for group, names in value.items() for name in names))


def build(name, columns, hidden=()):
    """The text of a new title file; the columns in `hidden` stand in comments."""
    note = f'// The columns of `table {name}`. Put // before a line to leave it out; `title {name}` adds what is new and keeps your edits.'
    lines = ['{', INDENT[:2] + note]
    for group in dict.fromkeys(column.group for column in columns):
        lines.append(f'{INDENT[:2]}"{group}": [')
        lines += [INDENT + _line(column, hidden) for column in columns if column.group == group]
        lines.append(f'{INDENT[:2]}],')
    return '\n'.join([*lines, '}', ''])


def merge(text, columns, hidden=(), hide=()):
    """(the text with what is new of `columns` added to its groups, the columns added).

    hidden: those that are added in comments. hide: columns that stand there and get a // now, where their line holds nothing else.
    """
    whole, groups = _scan(text)
    newline = '\r\n' if '\r\n' in text else '\n'
    new = [column for column in columns if not _known(whole, groups, column)]
    added = {group: [_line(column, hidden) for column in new if column.group == group] for group in dict.fromkeys(column.group for column in new)}
    edits = [edit for group, lines in added.items() if group in groups for edit in _into(text, groups[group], lines, newline)]
    edits += _new_groups(text, whole, {group: lines for group, lines in added.items() if group not in groups}, newline)
    edits += [(groups[column.group].items[column.name][0], '// ') for column in hide if _stands_alone(text, groups, column)]
    return _edited(text, edits), new


def _line(column, hidden):
    return f'{"// " if column in hidden else ""}{json.dumps(column.name, ensure_ascii=False)},'


def _known(whole, groups, column):
    """Whether a column stands in its group, in a comment there, or in a comment between the groups (a whole group put in comments)."""
    if column.group not in groups:
        return column.name in whole.hidden
    return column.name in groups[column.group].items or column.name in groups[column.group].hidden


def _scan(text):
    """(Place of the whole object, {group: Place}) of a text that `parse` accepts: two levels of brackets."""
    groups, open_places, key = {}, [], None     # open_places: [close, last, comma, items, hidden] of each bracket that is open
    for token in TOKEN.finditer(text):
        kind, word = token.lastgroup, token[0]
        if kind == 'comment':
            if open_places:
                open_places[-1][4].extend(_name(quoted) for quoted in QUOTED.findall(word))
        elif word in ('{', '['):
            open_places.append([0, token.end(), '', {}, []])
        elif word in ('}', ']'):
            place = Place(token.start(), *open_places.pop()[1:])
            if not open_places:
                return place, groups
            groups[key] = place
            open_places[-1][1:3] = token.end(), ','
        elif open_places and word == ',':
            open_places[-1][1:3] = token.end(), ''
        elif open_places and word != ':':
            key = _name(word) if len(open_places) == 1 else key
            open_places[-1][1:3] = token.end(), ','
            open_places[-1][3][_name(word)] = token.span()


def _name(quoted):
    """What a quoted or bare word of the text stands for."""
    import json5
    try:
        return json5.loads(quoted) if quoted[0] in '"\'' else quoted
    except ValueError:
        return quoted[1:-1]


def _into(text, place, lines, newline):
    """The insertions [(offset, text), …] that add lines at the end of a group."""
    edits = [(place.last, place.comma)]
    start = text.rfind('\n', 0, place.close) + 1
    if text[start:place.close].strip():     # its bracket closes on a line with items
        return edits + [(place.close, newline + ''.join(INDENT + line + newline for line in lines) + INDENT[:2])]
    indent = _indent(text, place)
    return edits + [(start, ''.join(indent + line + newline for line in lines))]


def _new_groups(text, whole, added, newline):
    """The insertions that add groups at the end of the file's object."""
    if not added:
        return []
    first = '' if text[:whole.close].endswith('\n') else newline
    body = [f'{INDENT[:2]}"{group}": [{newline}' + ''.join(INDENT + line + newline for line in lines) + f'{INDENT[:2]}],{newline}'
            for group, lines in added.items()]
    return [(whole.last, whole.comma), (whole.close, first + ''.join(body))]


def _indent(text, place):
    """What stands before the group's first item, if that opens its line."""
    start = min((start for start, _ in place.items.values()), default=0)
    before = text[text.rfind('\n', 0, start) + 1:start]
    return before if start and not before.strip() else INDENT


def _stands_alone(text, groups, column):
    """Whether a column's line holds nothing else but a comma and a comment."""
    if column.group not in groups or column.name not in groups[column.group].items:
        return False
    start, end = groups[column.group].items[column.name]
    before, after = text[text.rfind('\n', 0, start) + 1:start], text[end:].partition('\n')[0].rstrip('\r')
    return not before.strip() and bool(re.fullmatch(r'\s*,?\s*(//.*)?', after))


def _edited(text, edits):
    """The text with insertions [(offset, text), …]; those at one offset in their order."""
    parts, at = [], 0
    for offset, inserted in sorted(edits, key=lambda edit: edit[0]):
        parts += [text[at:offset], inserted]
        at = offset
    return ''.join([*parts, text[at:]])
