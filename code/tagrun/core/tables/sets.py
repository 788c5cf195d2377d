"""Which set of runs a command works on, and its runs, read.

    name = sets.name(root, args.set); runs = sets.load(root, name)

A run that cannot be read is named on stderr and left out; the others count.
"""

from collections.abc import Sequence
from pathlib import Path

from tagrun.core.cli.messages import UserError, did_you_mean, echo
from tagrun.core.record import secret_rules
from tagrun.store import experlist, layout, names, table
from tagrun.store.table import Run

SHOWN = 20  # complaints before '…'


def name(root: Path, word: str | None) -> str:
    """Return the set that a word names, the default one for None. Raises UserError."""
    if word is None:
        return _default(root)
    reason = names.check_set(word)
    if reason:
        raise UserError(f'{word!r} is not the name of a set: {reason}')
    if not layout.list_file(root, word).is_file():
        raise UserError(_unknown(root, word))
    return word


def load(root: Path, name: str) -> list[Run]:
    """Return the runs of a set, without secrets. Raises UserError where not one can be read."""
    path = layout.list_file(root, name)
    try:
        listed = experlist.read(root, name)
    except OSError as error:
        raise UserError(f'{path}: {error.strerror}') from None
    bad_lines = [f'{path.name}, line {bad.number}: {bad.text}: {bad.reason}' for bad in listed.bad]
    _complain(bad_lines, 'line')
    runs, damaged = table.load(root, listed.runs)
    _complain([f'{run}: {reason}; left out' for run, reason in damaged], 'run')
    if runs:
        return without_secrets(runs)
    if listed.runs or listed.bad:
        raise UserError(f'no run of {path.name} can be read')
    raise UserError(f'{path.name} is empty: `record <tag>` adds a run')


def without_secrets(runs: list[Run]) -> list[Run]:
    """Return the runs with each secret among their values replaced."""
    return [run._replace(values=secret_rules.redact_value(run.values)) for run in runs]


def _default(root: Path) -> str:
    default = experlist.default(root)
    if default is None:
        raise UserError(
            'there is no list of runs yet: `run first` makes a run, and `record first` lists it'
        )
    echo(f'the set {default!r}')
    return default


def _unknown(root: Path, word: str) -> str:
    """Return the message for a set that does not exist."""
    known = experlist.sets(root)
    existing = f': there is {", ".join(known)}.' if known else ': `record` makes one.'
    if layout.numbers(root, word):
        hint = f" `record --to {word} {word}` makes one of the tag's runs."
    else:
        hint = did_you_mean(word, known)
    return f'there is no set {word!r}{existing}{hint}'


def _complain(lines: Sequence[str], noun: str) -> None:
    for line in lines[:SHOWN]:
        echo(line)
    if len(lines) > SHOWN:
        echo(f'… and {len(lines) - SHOWN:,} more {noun}s')
