"""Read the values of a sweep: `lr=0.1,0.01`, `hidden=range(50,200,50)`, `wd=log(1e-4,1e-1)`.

    parameters = parse(['lr=0.1,0.01', 'model=mlp,cnn'], config)      # config: config.py's text
    combinations(parameters)              # [{'lr': '0.1', 'model': "'mlp'"}, …]

The last argument changes fastest. A value is written as in config.py, a bare word is a string, and
a comma within quotes or brackets separates nothing. In a grid

    range(1,5)            is 1, 2, 3, 4, as in Python; range(0,0.5,0.1) is 0.0, 0.1, 0.2, 0.3, 0.4
    log(1e-4,1e-1)        is 0.0001, 0.001, 0.01, 0.1
    log(1e-4,1e-1,7)      is seven values, each the same factor above the one before

A search chooses anything between the two ends. Each value must have the type that config.py has
for that argument. This module starts nothing.
"""

import ast
import itertools
import math
import re
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from tagrun.core.cli.messages import UserError
from tagrun.core.record import config_text

MOST = 10_000  # values of an argument, and trials of a grid
DIGITS = 6  # of a value that log() makes
LARGEST = Decimal('1e300')
OPENING, CLOSING = '([{', ')]}'


class Range(NamedTuple):
    """All numbers between two."""

    low: float
    high: float  # of whole numbers the last one, else the limit
    step: float | None  # None: any number between them
    log: bool
    whole: bool  # config.py has a whole number there


class Parameter(NamedTuple):
    """The values of one argument of config.py."""

    # as they are written into config.py; [] where only a search can choose
    texts: list[str]
    span: Range | None  # None: there is nothing between the values

    def text(self, value: object) -> str:
        """Return a value that a search chose as it is written into config.py.

        Of steps it is the nearest, without the rounding of sums.
        """
        if self.span is None:
            return str(value)
        if self.span.step and not self.span.whole and isinstance(value, (int, float)):
            return self.texts[round((value - self.span.low) / self.span.step)]
        return repr(value)


class _Call(NamedTuple):
    """range(…) or log(…) of one argument, as typed."""

    name: str  # of the argument
    text: str  # 'range(0,0.5,0.1)'
    numbers: list[Decimal]
    whole: bool  # config.py has a whole number there

    def error(self, what: str) -> UserError:
        return UserError(f'{self.name}={self.text}: {what}', code=2)


def parse(words: Iterable[str], config: str) -> dict[str, Parameter]:
    """Return {name: Parameter} of words `name=values`. Raises UserError."""
    parameters: dict[str, Parameter] = {}
    for word in words:
        name, _, text = word.partition('=')
        if name == 'seed':
            raise UserError(
                'the seed is not an argument of config.py: use --seeds 3 to train each trial '
                'with three seeds',
                code=2,
            )
        if name in parameters:
            raise UserError(
                f'{name} is given twice: write all its values once, separated by commas', code=2
            )
        parameters[name] = _parameter(name, text, config)
    return parameters


def combinations(parameters: dict[str, Parameter]) -> list[dict[str, str]]:
    """Return [{name: text}, …] of a grid. Raises UserError for one without end or too large."""
    for name, parameter in parameters.items():
        if parameter.span and not parameter.texts:
            raise _without_steps(name, parameter.span)
    count = math.prod(len(parameter.texts) for parameter in parameters.values())
    if count > MOST:
        raise UserError(
            f'{count:,} trials are too many; {MOST:,} at most, and --search random '
            '--trials 100 takes some of them',
            code=2,
        )
    choices = itertools.product(*(parameter.texts for parameter in parameters.values()))
    return [dict(zip(parameters, texts, strict=True)) for texts in choices]


def samples(parameters: dict[str, Parameter]) -> list[dict[str, str]]:
    """Return combinations to try config.py with: all of a grid; of a range its two ends."""
    values = []
    for parameter in parameters.values():
        span = parameter.span
        if span and not parameter.texts:
            values.append([repr(span.low), repr(span.high)])
        else:
            values.append(parameter.texts)
    choices = itertools.islice(itertools.product(*values), MOST)
    return [dict(zip(parameters, texts, strict=True)) for texts in choices]


def _without_steps(name: str, span: Range) -> UserError:
    step = (span.high - span.low) / 5
    return UserError(
        f'{name}: a grid needs steps, e.g. range({span.low:g},{span.high:g},{step:g}); '
        'without them use --search, which chooses between the two ends',
        code=2,
    )


def _parameter(name: str, text: str, config: str) -> Parameter:
    whole = _is_whole(config_text.read(config).get(name))
    parts = _parts(name, text)
    items = [_item(name, part, whole) for part in parts]
    for part, item in zip(parts, items, strict=True):
        if item.span and not item.texts:
            _check_alone(name, part, item.span, len(items), config)
    texts: list[str] = []
    for item in items:
        texts += [config_text.written(config, name, text) for text in item.texts]
    span = items[0].span if len(items) == 1 else None
    return Parameter(list(dict.fromkeys(texts)), span)


def _check_alone(name: str, part: str, span: Range, count: int, config: str) -> None:
    """Check a range without steps: it stands alone, and config.py has such a number."""
    if count > 1:
        raise UserError(f'{name}: {part} has no steps, so it stands alone: {name}={part}', code=2)
    config_text.written(config, name, repr(span.low))


def _is_whole(text: str | None) -> bool:
    try:
        return type(ast.literal_eval(text or '')) is int
    except (ValueError, SyntaxError):
        return False


def _parts(name: str, text: str) -> list[str]:
    """Return the values of a word: split at commas, but not within quotes and brackets."""
    parts, depth, quote, start = [], 0, '', 0
    for index, character in enumerate(text):
        if quote:
            quote = '' if character == quote else quote
        elif character in '\'"':
            quote = character
        elif character in OPENING:
            depth += 1
        elif character in CLOSING:
            depth -= 1
        elif character == ',' and not depth:
            parts.append(text[start:index])
            start = index + 1
    parts.append(text[start:])
    if quote or depth:
        raise UserError(f'{name}={text}: a quote or a bracket is not closed', code=2)
    if not all(part.strip() for part in parts):
        raise UserError(f"{name}={text}: an empty value; '' is the empty string", code=2)
    return [part.strip() for part in parts]


def _item(name: str, text: str, whole: bool) -> Parameter:
    """Return the Parameter of one value, range(…) or log(…)."""
    match = re.fullmatch(r'(range|log)\((.*)\)', text)
    if not match:
        return Parameter([text], None)
    try:
        numbers = [_decimal(number) for number in match[2].split(',')]
    except InvalidOperation:
        raise UserError(f'{name}={text}: {match[1]} takes numbers', code=2) from None
    call = _Call(name, text, numbers, whole)
    return _range(call) if match[1] == 'range' else _log(call)


def _decimal(text: str) -> Decimal:
    """Return a number that a float can hold, too. Raises InvalidOperation."""
    number = Decimal(text.strip())
    becomes_zero = number.is_finite() and number and not float(number)  # e.g. 1e-400
    if not number.is_finite() or abs(number) >= LARGEST or becomes_zero:
        raise InvalidOperation
    return number


def _range(call: _Call) -> Parameter:
    if len(call.numbers) not in (2, 3):
        raise call.error('use range(first,end) or range(first,end,step)')
    low, high = call.numbers[:2]
    given = call.numbers[2] if len(call.numbers) == 3 else None
    if (given is not None and given <= 0) or high <= low:
        raise call.error('it goes up, from the smaller to the larger number')
    whole = call.whole and all(number == number.to_integral_value() for number in call.numbers)
    is_pythons = re.fullmatch(r'range\([-+0-9, ]+\)', call.text) is not None
    step = given or (Decimal(1) if whole or is_pythons else None)
    limits = Range(float(low), float(high), None, False, False)
    if step is None:
        return Parameter([], limits)
    count = math.ceil((high - low) / step)
    _check_count(call, count)
    values = [low + index * step for index in range(count)]
    if whole or given:
        limits = Range(float(low), float(values[-1]), float(step), False, whole)
    return Parameter([_decimal_text(value, whole) for value in values], limits)


def _decimal_text(value: Decimal, whole: bool) -> str:
    return str(value.quantize(Decimal(1))) if whole else repr(float(value))


def _log(call: _Call) -> Parameter:
    if len(call.numbers) not in (2, 3) or not 0 < call.numbers[0] < call.numbers[1]:
        raise call.error(
            'use log(smallest,largest) or log(smallest,largest,count), with both above 0'
        )
    low, high = call.numbers[:2]
    values = _counted(call) if len(call.numbers) == 3 else _decades(call)
    texts = [_log_text(value, call.whole) for value in values]
    span = Range(float(low), float(high), None, True, call.whole)
    return Parameter(list(dict.fromkeys(texts)), span)


def _counted(call: _Call) -> list[float]:
    """Return the values of log(low,high,count)."""
    low, high, count = call.numbers
    if count != count.to_integral_value() or count < 2:
        raise call.error('the count is a whole number of 2 or more')
    _check_count(call, int(count))
    ratio = math.log(high / low) / (int(count) - 1)
    return [float(low) * math.exp(index * ratio) for index in range(int(count))]


def _decades(call: _Call) -> list[float]:
    """Return a value for each factor of ten."""
    low, high = call.numbers
    decades = int((high / low).log10() + Decimal('1e-9'))
    _check_count(call, decades + 1)
    return [float(low * 10**index) for index in range(decades + 1)]


def _log_text(value: float, whole: bool) -> str:
    return str(round(value)) if whole else repr(float(f'{value:.{DIGITS}g}'))


def _check_count(call: _Call, count: int) -> None:
    if count > MOST:
        raise call.error(f'{count:,} values are too many; {MOST:,} at most')
