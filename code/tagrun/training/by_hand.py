"""A training that is started by hand, `python code/main.py`: what it refuses, how it ends.

    refuse_words(config, sys.argv)      # before anything is made
    print(summary(folder, content))     # content: of its statistic.json

Its run has the tag `scratch` and is recorded nowhere.
"""

import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from tagrun.store import jsonfile

RUN = 'bash code/source.sh run'
# a main.py that reads its arguments itself
READS_WORDS = re.compile(r'\bargv\b|\bparse_\w*args\b|\bimport (fire|click|typer|tyro|hydra)\b')


def refuse_words(config: ModuleType, words: Sequence[str]) -> None:
    """End the process where `python main.py` was given arguments that it would ignore.

    words: sys.argv. A main.py that reads them itself gets them, and so does a notebook.
    """
    main = Path(str(getattr(sys.modules['__main__'], '__file__', '')))
    code = Path(str(config.__file__)).resolve().parent
    if len(words) < 2 or main.resolve() != code / 'main.py':
        return
    if READS_WORDS.search(main.read_text(encoding='utf-8', errors='replace')):
        return
    typed, settings = shlex.join(words[1:]), _settings(config, words[1:])
    print(
        f'tagrun: {main.name} takes no arguments, and {typed} would change nothing: write values '
        f'into config.py, or type\n  {RUN} <tag> --set {settings}\n'
        f'  {RUN} --fast --set {settings}      (a quick trial, recorded nowhere)',
        file=sys.stderr,
    )
    sys.exit(2)


def _settings(config: ModuleType, words: Sequence[str]) -> str:
    """Return 'lr=3' of --lr 3, --lr=3 or lr=3; an example where it is not clear what is meant."""
    settings = []
    for word, following in zip(words, [*words[1:], ''], strict=True):
        name, equals, value = word.lstrip('-').partition('=')
        name = name.replace('-', '_')
        if not equals and word.startswith('-'):
            value = following
        if value and hasattr(config, name):
            settings.append(shlex.quote(f'{name}={value}'))
    return ' '.join(settings) or 'lr=0.1'


def is_by_hand(info: Mapping[str, Any]) -> bool:
    """Return whether nobody launched the run. info: the content of its run.json."""
    return info['commit'] is None and not info.get('fast') and not info.get('selftest')


def summary(folder: Path, content: Mapping[str, Any]) -> str:
    """Return what the screen says at the end. content: of the run's statistic.json."""
    seconds = jsonfile.number(content['time'].get('seconds')) or 0.0
    text = f'\n{content["run"]} {content["status"]} after {seconds:.1f} s of training'
    best = content.get('best_epoch')
    if best:
        text += f'; the best by {content["monitor"]} is epoch {best} of {content["epoch"]}:'
    lines = [text]
    for phase, figures in _figures(content['metric']).items():
        lines.append(f'  {phase:<8} {"   ".join(figures)}')
    lines.append(f'  files    {shlex.quote(str(folder))}')
    lines.append(f'  next     {RUN} <tag>   records the code and trains it')
    return '\n'.join(lines)


def _figures(metrics: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return {phase: ['loss 0.0312', …]}."""
    phases: dict[str, list[str]] = {}
    for name, value in metrics.items():
        phase, _, metric = name.partition('/')
        number = jsonfile.number(value)
        if number is not None:
            phases.setdefault(phase, []).append(f'{metric} {number:.4f}')
    return phases
