"""Compare the arguments that training will have with those that a tag would record.

    check(repository, planned)                          # of `run`: UserError, or planned says more
    check_values(repository, planned, [{'lr': '0.1'}])  # of a sweep: the values of each trial

What was asked for on the command line must train. What config.py itself takes from its surroundings
or computes is its own affair, and is said. Training compares again, in training/args.py.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tagrun.core.cli.messages import UserError
from tagrun.core.git.repository import Repository
from tagrun.core.record import (
    config_probe,
    config_text,
    imported_modules,
    links,
    secret_scan,
    working_tree,
)
from tagrun.core.record.config_probe import Evaluation
from tagrun.core.record.plan import Plan
from tagrun.store import arguments

MOST = 500  # trials that are tried; training itself looks at the others


def check(repository: Repository, planned: Plan) -> None:
    """Raise UserError where config.py fails, or trains another value than --set asks for.

    Adds to planned.arguments what config.py sets after an argument's own line.
    """
    (evaluation,) = _evaluate(repository, planned, [planned.config])
    secret_scan.check_arguments(evaluation.values)
    _refuse_other(planned.config, evaluation, planned.settings, '--set ')
    planned.arguments += _set_later(planned.config, evaluation)


def check_values(
    repository: Repository, planned: Plan, trials: Sequence[Mapping[str, str]]
) -> None:
    """Raise UserError where config.py fails, or trains another value than a trial has.

    trials: of each {name: the text of its value}.
    """
    some = trials[:MOST] or [{}]
    sources = [config_text.changed(planned.config, values) for values in some]
    for source, values, evaluation in zip(
        sources, some, _evaluate(repository, planned, sources), strict=True
    ):
        secret_scan.check_arguments(evaluation.values)
        _refuse_other(source, evaluation, config_text.values_of(source, values), '')


def _evaluate(repository: Repository, planned: Plan, sources: Sequence[str]) -> list[Evaluation]:
    files = working_tree.read_files(repository, planned.changes)
    links.check(repository.root, files)
    imported_modules.check(repository.root / 'code', files)
    return config_probe.evaluate(repository.root, files, planned.seed or 0, sources)


def _refuse_other(
    source: str, evaluation: Evaluation, wanted: Mapping[str, Any], option: str
) -> None:
    """Raise UserError for a value that was asked for and would not train."""
    for name, value in arguments.differing(evaluation.values, wanted).items():
        line = evaluation.lines.get(name)
        text = _line(source, line)
        where = f', line {line},' if line else ''
        code = f'\n  {text}' if text else ''
        raise UserError(
            f'code/config.py{where} makes {name} {value!r}, so {option}{name}={wanted[name]!r} '
            f'would not train: remove that line, or let it set another name{code}'
        )


def _set_later(source: str, evaluation: Evaluation) -> list[str]:
    """Return ['lr = 0.05 in training (config.py, line 71), not 0.1'] of what its line has not."""
    literals = config_text.literals(source)
    return [
        f'{name} = {evaluation.values.get(name)!r} in training (config.py, line {line}), '
        f'not {literals[name]!r}'
        for name, line in evaluation.lines.items()
    ]


def _line(source: str, number: int | None) -> str:
    lines = source.splitlines()
    return lines[number - 1].strip() if number and number <= len(lines) else ''
