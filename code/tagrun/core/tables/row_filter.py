"""The condition of `--where`: parsed by Python's parser, walked over a list of what is allowed,
never evaluated as Python.

    holds = row_filter.condition("acc > 0.9 and model in ('cnn', 'mlp')", runs)
    [run for run in runs if holds(run)]

Names are columns, or the ends of their names: acc is val/acc where val is the phase that is
monitored. Comparisons (chains too), and, or, not, in, is None, parentheses, numbers, strings, True,
False, None. A value that a run does not have makes a comparison false. No arithmetic, no calls.
"""

import ast
import operator
import re
from collections.abc import Callable, Sequence
from typing import Any

from tagrun.core.cli.messages import UserError, did_you_mean
from tagrun.store import table
from tagrun.store.table import Column, Run

Condition = Callable[[Run], bool]
Value = Callable[[Run], object]

COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.eq,
    ast.IsNot: operator.ne,
    ast.In: lambda item, container: item in container,
    ast.NotIn: lambda item, container: item not in container,
}
LONGEST = 2000  # characters of a condition
STRING_OR_NAME = re.compile(r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|`([^`]+)`""")
QUOTED = re.compile(r'_quoted_(\d+)')


def condition(text: str, runs: Sequence[Run]) -> Condition:
    """Return a function of a run: whether the condition holds. Raises UserError."""
    try:
        if len(text) > LONGEST:
            raise SyntaxError(f'longer than {LONGEST} characters')
        source, quoted = _without_backticks(text.strip())
        tree = ast.parse(source, mode='eval')
        return _truth(tree.body, _Names(runs, quoted))
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        reason = getattr(error, 'msg', None) or error or 'too deep'
        hint = '; == compares' if re.search('[^=!<>]=[^=]', text) else ''
        raise UserError(f'--where {text[:80]!r}: {reason}{hint}', code=2) from None


def column(word: str, runs: Sequence[Run], known: Sequence[Column] | None = None) -> Column:
    """Return the column that a name, or the end of one, means. Raises UserError with candidates.

    known: the columns to choose from, if not all of the runs.
    """
    known = known or table.columns(runs, table.GROUPS)
    exact = [column for column in known if column.name == word]
    if exact:
        return exact[0]
    ends = [column for column in known if column.name.endswith('/' + word)]
    phase = (table.monitored(runs) or '').rpartition('/')[0]
    candidates = [column for column in ends if column.name == f'{phase}/{word}'] or ends
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        listed = ', '.join(column.name for column in candidates)
        raise UserError(f'{word!r} could be {listed}', code=2)
    names = [column.name for column in known]
    last_parts = [name.rpartition('/')[2] for name in names]
    hint = did_you_mean(word, [*names, *last_parts])
    raise UserError(f'there is no column {word!r}.{hint}', code=2)


def _without_backticks(text: str) -> tuple[str, list[str]]:
    """Return (the text with a plain name for each one in `backticks`, these names).

    Python's parser knows no backticks; the name that stands in for the first one is _quoted_0.
    """
    quoted: list[str] = []

    def stand_in(match: re.Match[str]) -> str:
        if match[1]:
            return match[0]
        quoted.append(match[2])
        return f'_quoted_{len(quoted) - 1}'

    return STRING_OR_NAME.sub(stand_in, text), quoted


class _Names:
    """The columns of some runs, looked up once for each condition."""

    def __init__(self, runs: Sequence[Run], quoted: Sequence[str]) -> None:
        self.runs, self.quoted = runs, quoted
        self.known = table.columns(runs, table.GROUPS)

    def column(self, word: str) -> Column:
        return column(word, self.runs, self.known)

    def of(self, node: ast.AST) -> str | None:
        """Return the name that a node writes, or None. val/acc is a division to the parser."""
        if isinstance(node, ast.Name):
            quoted = QUOTED.fullmatch(node.id)
            if quoted and int(quoted[1]) < len(self.quoted):
                return self.quoted[int(quoted[1])]
            return node.id
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            left, right = self.of(node.left), self.of(node.right)
            return f'{left}/{right}' if left and right else None
        return None

    def quoted_column(self, node: ast.AST) -> str | None:
        """Return the name of a column with a phase that a string writes, 'val/acc', or None."""
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            return None
        is_column = any(column.name == node.value for column in self.known)
        return node.value if '/' in node.value and is_column else None


def _truth(node: ast.AST, names: _Names) -> Condition:
    """Return a function of a run: whether the condition that `node` writes holds."""
    if isinstance(node, ast.BoolOp):
        parts = [_truth(value, names) for value in node.values]
        combine = all if isinstance(node.op, ast.And) else any
        return lambda run: combine(part(run) for part in parts)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        inner = _truth(node.operand, names)
        return lambda run: not inner(run)
    if isinstance(node, ast.Compare):
        return _comparison(node, names)
    value = _value(node, names)
    return lambda run: value(run) is not table.MISSING and bool(value(run))


def _comparison(node: ast.Compare, names: _Names) -> Condition:
    first = _value(node.left, names, is_left=True)
    values = [first, *(_value(item, names) for item in node.comparators)]
    operators = [COMPARISONS[type(compare)] for compare in node.ops]

    def holds(run: Run) -> bool:
        cells = [value(run) for value in values]
        if table.MISSING in cells:
            return False
        steps = zip(operators, cells[:-1], cells[1:], strict=True)
        try:
            return all(compare(left, right) for compare, left, right in steps)
        except TypeError:
            # a number beside a word
            return False

    return holds


def _value(node: ast.AST, names: _Names, is_left: bool = False) -> Value:
    """Return a function of a run: the value that `node` writes.

    is_left: a string at the left of a comparison stands for the column of that name.
    """
    name = names.of(node)
    if name is None and is_left:
        name = names.quoted_column(node)
    if name is not None:
        column = names.column(name)
        return lambda run: run.get(column)
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError):
        raise SyntaxError(
            f'{ast.unparse(node)!r} is neither a column nor a value; put a name with other '
            'characters into `backticks`'
        ) from None
    return lambda run: value
