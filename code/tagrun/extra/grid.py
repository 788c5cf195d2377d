"""What the words of a sweep mean: `lr=0.1,0.01`, `hidden=range(50,200,50)`, `weight_decay=log(1e-4,1e-1)`.

    axes = parse(['lr=0.1,0.01', 'model=mlp,cnn'], source)     # source: config.py's text
    combinations(axes)      # [{'lr': '0.1', 'model': "'mlp'"}, {'lr': '0.1', 'model': "'cnn'"}, …]: the last word changes fastest

A value is written as in config.py, a bare word is a string, and a comma within quotes or brackets parts nothing. Of a grid,

    range(1,5)          is 1, 2, 3, 4, as Python has it; range(0,0.5,0.1) is 0.0, 0.1, 0.2, 0.3, 0.4
    log(1e-4,1e-1)      is 0.0001, 0.001, 0.01, 0.1; log(1e-4,1e-1,7) is seven values, each the same factor above the one before

and of a search all that lies between the two. Each value must have the type that config.py has there. It starts nothing.
"""
import ast
import itertools
import math
import re
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from tagrun.command import literals
from tagrun.command.say import Refusal

MOST = 10_000           # values of an argument, and trials of a grid
DIGITS = 6              # of a value that log() makes
OPENING, CLOSING = '([{', ')]}'


class Span(NamedTuple):
    """All between two numbers."""
    low: float
    high: float         # of whole numbers the last one, else the limit
    step: float | None  # None: any number between them
    log: bool
    whole: bool         # config.py has a whole number there


class Axis(NamedTuple):
    texts: list         # of the values, as they are written into config.py; [] where only a search can choose
    span: Span | None   # None: there is nothing between the values


def parse(words, source):
    """{name: Axis} of words `name=values`. Raises Refusal, with what would be right."""
    axes = {}
    for word in words:
        name, _, text = word.partition('=')
        if name == 'seed':
            raise Refusal('the seed is no argument of config.py: --seeds 3 trains each trial with three', code=2)
        if name in axes:
            raise Refusal(f'{name} is there twice: {name}=… takes all its values, parted by commas', code=2)
        axes[name] = _axis(name, text, source)
    return axes


def combinations(axes):
    """[{name: text}, …] of a grid. Raises Refusal for one without end or too large."""
    for name, axis in axes.items():
        if not axis.texts:
            raise Refusal(f'{name}: a grid needs steps: range({axis.span.low:g},{axis.span.high:g},{(axis.span.high - axis.span.low) / 5:g}); '
                          'without them --search chooses between the two', code=2)
    count = math.prod(len(axis.texts) for axis in axes.values())
    if count > MOST:
        raise Refusal(f'{count:,} trials are too many; {MOST:,} at most, and --search random --trials 100 takes some of them', code=2)
    return [dict(zip(axes, texts)) for texts in itertools.product(*(axis.texts for axis in axes.values()))]


def _axis(name, text, source):
    whole = _is_whole(literals.read(source).get(name))
    parts = _parts(name, text)
    items = [_item(name, part, whole) for part in parts]
    alone = next((part for part, item in zip(parts, items) if not item.texts), None)
    if alone and len(items) > 1:
        raise Refusal(f'{name}: {alone} has no steps, so it stands alone: {name}={alone}', code=2)
    if alone:
        literals.written(source, name, repr(items[0].span.low))     # an unknown name, or no number
    texts = [literals.written(source, name, each) for item in items for each in item.texts]
    return Axis(list(dict.fromkeys(texts)), items[0].span if len(items) == 1 else None)


def _is_whole(text):
    try:
        return type(ast.literal_eval(text or '')) is int
    except (ValueError, SyntaxError):
        return False


def _parts(name, text):
    """The values of a word: parted by commas, those in quotes and brackets left alone."""
    parts, depth, quote, last = [], 0, '', 0
    for at, letter in enumerate(text):
        if quote:
            quote = '' if letter == quote else quote
        elif letter in '\'"':
            quote = letter
        elif letter in OPENING or letter in CLOSING:
            depth += 1 if letter in OPENING else -1
        elif letter == ',' and not depth:
            parts.append(text[last:at])
            last = at + 1
    parts.append(text[last:])
    if quote or depth:
        raise Refusal(f'{name}={text}: a quote or a bracket is not closed', code=2)
    if not all(part.strip() for part in parts):
        raise Refusal(f'{name}={text}: an empty value; \'\' is the empty string', code=2)
    return [part.strip() for part in parts]


def _item(name, text, whole):
    """The Axis of one value, range(…) or log(…)."""
    call = re.fullmatch(r'(range|log)\((.*)\)', text)
    if not call:
        return Axis([text], None)
    try:
        numbers = [Decimal(number.strip()) for number in call[2].split(',')]
        if not all(number.is_finite() and abs(number) < Decimal('1e300') and (float(number) or not number) for number in numbers):
            raise InvalidOperation      # 1e-400 is none either
    except InvalidOperation:
        raise Refusal(f'{name}={text}: {call[1]} takes numbers', code=2) from None
    return (_range if call[1] == 'range' else _log)(name, text, numbers, whole)


def _range(name, text, numbers, whole):
    if len(numbers) not in (2, 3):
        raise Refusal(f'{name}={text}: range(first,end) or range(first,end,step)', code=2)
    low, high = numbers[:2]
    whole = whole and all(number == number.to_integral_value() for number in numbers)
    given = numbers[2] if len(numbers) == 3 else None
    step = given or (Decimal(1) if whole or re.fullmatch(r'range\([-+0-9, ]+\)', text) else None)
    if given is not None and given <= 0 or high <= low:
        raise Refusal(f'{name}={text}: it goes up, from the smaller to the larger number', code=2)
    if step is None:
        return Axis([], Span(float(low), float(high), None, False, False))
    count = math.ceil((high - low) / step)
    _check_count(name, text, count)
    values = [low + at * step for at in range(count)]
    steps = Span(float(low), float(values[-1]), float(step), False, whole)
    return Axis([str(value.quantize(Decimal(1))) if whole else repr(float(value)) for value in values],
                steps if whole or given else Span(float(low), float(high), None, False, False))


def _log(name, text, numbers, whole):
    if len(numbers) not in (2, 3) or not 0 < numbers[0] < numbers[1]:
        raise Refusal(f'{name}={text}: log(smallest,largest) or log(smallest,largest,count), both above 0', code=2)
    low, high = numbers[:2]
    if len(numbers) == 3:
        count = numbers[2]
        if count != count.to_integral_value() or count < 2:
            raise Refusal(f'{name}={text}: the count is a whole number of 2 or more', code=2)
        _check_count(name, text, int(count))
        ratio = math.log(high / low) / (int(count) - 1)
        values = [float(low) * math.exp(at * ratio) for at in range(int(count))]
    else:
        _check_count(name, text, int((high / low).log10()) + 1)
        values = [float(low * 10 ** at) for at in range(int((high / low).log10() + Decimal('1e-9')) + 1)]
    texts = [str(round(value)) if whole else repr(float(f'{value:.{DIGITS}g}')) for value in values]
    return Axis(list(dict.fromkeys(texts)), Span(float(low), float(high), None, True, whole))


def _check_count(name, text, count):
    if count > MOST:
        raise Refusal(f'{name}={text}: {count:,} values are too many; {MOST:,} at most', code=2)
