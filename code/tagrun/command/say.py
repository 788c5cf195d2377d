"""How a verb speaks: talk to stderr, colour only on a terminal, one or two lines for a refusal.

    raise Refusal(f'tag {tag!r} exists: choose another name, or `rerun {tag}` runs its code again')

It does not print data: that goes to stdout, by the verb itself.
"""
import argparse
import contextlib
import difflib
import os
import re
import shlex
import sys


class Refusal(Exception):
    """What is wrong with the value given, and what would be right. `code` is the exit code: 1 refused, 2 usage."""

    def __init__(self, sentence, code=1):
        super().__init__(sentence)
        self.code = code


def say(text=''):
    """A line of talk. A terminal that went away hears nothing, and what was being done is done to its end."""
    with contextlib.suppress(OSError):
        print(printable(text), file=sys.stderr, flush=True)


def printable(text):
    """The text with control characters shown as \\x1b: a hostile message must not drive the terminal.

    Newlines, tabs and our own bold stay.
    """
    return re.sub(r'\x1b(?!\[[01]m)|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]', lambda m: f'\\x{ord(m[0]):02x}', str(text))


def bold(text):
    if not sys.stderr.isatty() or os.environ.get('NO_COLOR') or os.environ.get('TERM') == 'dumb':
        return text
    return f'\x1b[1m{text}\x1b[0m'


def quote(path):
    """A path or word as one can paste it into a shell."""
    return shlex.quote(str(path))


def did_you_mean(name, known):
    """' Did you mean …?' or ''; `known`: an iterable of names."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f' Did you mean {near[0]!r}?' if near else ''


def plural(count, noun):
    return f'{count:,} {noun}' + ('' if count == 1 else 's')


def duration(seconds):
    """'0.4 s', '58 s', '3 min 20 s', '5 h 12 min', '3 d 4 h'."""
    if not seconds < 1e12:
        return f'{seconds:g} s'     # 30,000 years, inf and nan: what a clock never said
    if seconds < 60:
        return f'{seconds:.1f} s' if seconds < 10 else f'{seconds:.0f} s'
    for size, unit, smaller, part in ((86400, 'd', 3600, 'h'), (3600, 'h', 60, 'min'), (60, 'min', 1, 's')):
        if seconds >= size:
            return f'{seconds // size:.0f} {unit} {seconds % size // smaller:.0f} {part}'


def parser(verb, doc, examples):
    """An ArgumentParser whose help shows the examples first. Wrong usage exits with 2."""
    head, _, rest = (doc or '').strip().partition('\n')     # python -OO has none
    text = 'examples:\n' + '\n'.join(f'  {line}' for line in examples) + f'\n\n{head}\n{rest.strip()}'
    return _Parser(f'tagrun {verb}', description=text, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)


class _Parser(argparse.ArgumentParser):
    """argparse makes an empty list of --seeds=--, which no verb expects."""

    def parse_known_args(self, args=None, namespace=None):
        for word in (args or [])[:args.index('--') if '--' in (args or []) else None]:
            if word.startswith('--') and word.endswith('=--'):
                self.error(f'{word}: -- is no value')
        return super().parse_known_args(args, namespace)
