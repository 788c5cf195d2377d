"""The condition of `--where`: parsed by Python's own parser, walked over a list of what is allowed, never evaluated as Python.

    holds = where.condition("acc > 0.9 and model in ('cnn', 'mlp')", runs)
    [run for run in runs if holds(run)]

Names are columns, or the ends of their names: acc is val/acc where val is the phase that is watched. Comparisons (chains too), and, or,
not, in, is None, parentheses, numbers, strings, True, False, None. A value a run does not have makes a comparison false. No arithmetic,
no calls.
"""
import ast
import operator
import re

from tagrun.command.say import Refusal, did_you_mean
from tagrun.store import table

COMPARISONS = {ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
               ast.Is: operator.eq, ast.IsNot: operator.ne, ast.In: lambda a, b: a in b, ast.NotIn: lambda a, b: a not in b}
LONGEST = 2000      # letters of a condition
STRING_OR_NAME = re.compile(r'''("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|`([^`]+)`''')


def condition(text, runs):
    """A function of a table.Run that says whether the condition holds. Raises Refusal for what is none."""
    quoted = []     # names in backticks, which Python's parser does not know

    def stand_in(match):
        if match[1]:
            return match[1]
        quoted.append(match[2])
        return f'_quoted_{len(quoted) - 1}'
    try:
        if len(text) > LONGEST:
            raise SyntaxError(f'longer than {LONGEST} letters')
        tree = ast.parse(STRING_OR_NAME.sub(stand_in, text.strip()), mode='eval')
        return _truth(tree.body, _Names(runs, quoted))
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        hint = '; == compares' if re.search('[^=!<>]=[^=]', text) else ''
        raise Refusal(f'--where {text[:80]!r}: {getattr(error, "msg", None) or error or "too deep"}{hint}', code=2) from None


def column(word, runs, known=None):
    """The column that a name, or the end of one, means. Raises Refusal with the candidates."""
    known = known or table.columns(runs, table.GROUPS)
    exact = [found for found in known if found.name == word]
    ends = [found for found in known if found.name.endswith('/' + word)]
    phase = (table.watched(runs) or '').rpartition('/')[0]
    preferred = exact or [found for found in ends if found.name == f'{phase}/{word}'] or ends
    if len(preferred) == 1 or exact:
        return preferred[0]
    if preferred:
        raise Refusal(f'{word!r} could be {", ".join(found.name for found in preferred)}', code=2)
    names = [name for found in known for name in (found.name, found.name.rpartition('/')[2])]
    raise Refusal(f'there is no column {word!r}.{did_you_mean(word, names)}', code=2)


class _Names:
    """The columns of some runs, looked up once for each condition."""

    def __init__(self, runs, quoted):
        self.runs, self.quoted, self.known = runs, quoted, table.columns(runs, table.GROUPS)

    def column(self, word):
        return column(word, self.runs, self.known)

    def of(self, node):
        """The name that a node writes (val/acc is a division to the parser), or None."""
        if isinstance(node, ast.Name):
            stands_for = re.fullmatch(r'_quoted_(\d+)', node.id)
            return self.quoted[int(stands_for[1])] if stands_for and int(stands_for[1]) < len(self.quoted) else node.id
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            left, right = self.of(node.left), self.of(node.right)
            return f'{left}/{right}' if left and right else None


def _truth(node, names):
    """A function of a run: whether the condition that `node` writes holds."""
    if isinstance(node, ast.BoolOp):
        parts, combine = [_truth(value, names) for value in node.values], all if isinstance(node.op, ast.And) else any
        return lambda run: combine(part(run) for part in parts)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        inner = _truth(node.operand, names)
        return lambda run: not inner(run)
    if isinstance(node, ast.Compare):
        return _comparison(node, names)
    value = _value(node, names)
    return lambda run: value(run) is not table.MISSING and bool(value(run))


def _comparison(node, names):
    nodes = [node.left, *node.comparators]
    values = [_value(item, names, first=not place) for place, item in enumerate(nodes)]
    operators = [COMPARISONS[type(compare)] for compare in node.ops]

    def holds(run):
        found = [value(run) for value in values]
        try:
            return table.MISSING not in found and all(compare(a, b) for compare, a, b in zip(operators, found, found[1:]))
        except TypeError:   # a number beside a word
            return False
    return holds


def _value(node, names, first=False):
    """A function of a run: the value that `node` writes. `first`: a string that is a column's name stands for it."""
    name = names.of(node)
    if name is None and first and isinstance(node, ast.Constant) and isinstance(node.value, str) and '/' in node.value:
        name = next((column.name for column in names.known if column.name == node.value), None)
    if name is not None:
        column = names.column(name)
        return lambda run: run.get(column)
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError):
        raise SyntaxError(f'{ast.unparse(node)!r} is neither a column nor a value; a name with other letters goes into `backticks`') from None
    return lambda run: value
