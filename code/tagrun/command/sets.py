"""Which set of runs a verb works on, and its runs read, with a word about each that cannot be.

    name = sets.name(root, options.set); runs = sets.load(root, name)

Talk goes to stderr; what is left out never stops the rest.
"""
from tagrun.command.say import Refusal, did_you_mean, say
from tagrun.store import experlist, layout, names, table

SHOWN = 20      # complaints before '…'


def name(root, word):
    """The set that `word` (or None) names. Raises Refusal where there is no such list."""
    if word is None:
        found = experlist.default(root)
        if found is None:
            raise Refusal('there is no list of runs yet: `run first` makes a run, and `record first` takes it up')
        say(f'the set {found!r}')
        return found
    if names.check_set(word):
        raise Refusal(f'{word!r} is no set: {names.check_set(word)}')
    if not layout.list_file(root, word).is_file():
        known = experlist.sets(root)
        cure = f' `record --to {word} {word}` makes one of the tag\'s runs.' if layout.numbers(root, word) else did_you_mean(word, known)
        raise Refusal(f'there is no set {word!r}' + (f': there is {", ".join(known)}.' if known else ': `record` makes one.') + cure)
    return word


def load(root, name):
    """The table.Runs of a set. Raises Refusal if not one can be read."""
    path = layout.list_file(root, name)
    try:
        found = experlist.read(root, name)
    except OSError as error:
        raise Refusal(f'{path}: {error.strerror}') from None
    _complain([f'{path.name}, line {bad.number}: {bad.text}: {bad.reason}' for bad in found.bad], 'line')
    runs, damaged = table.load(root, found.runs)
    _complain([f'{run}: {reason}; left out' for run, reason in damaged], 'run')
    if not runs:
        raise Refusal(f'no run of {path.name} can be read' if found.runs or found.bad else f'{path.name} names no run: `record <tag>` adds one')
    return runs


def _complain(lines, noun):
    for line in lines[:SHOWN]:
        say(line)
    if len(lines) > SHOWN:
        say(f'… and {len(lines) - SHOWN:,} more {noun}s')
