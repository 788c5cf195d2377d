"""The head of a run's log, at each of its starts: what is trained, and with which arguments.

--- t1/0   2026-11-21 10:19:27 +0100
    seed 4242   commit 25d2582f…
    model='cnn' epochs=60 batch_size=100 lr=0.01
"""

import textwrap
import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tagrun.store import inputs, lock, run_json
from tagrun.training import report
from tagrun.training.log import Log

WIDTH = 80
INDENT = '    '


def open_log(folder: Path, info: Mapping[str, Any], shown: bool = True) -> Log:
    """Open the log of a run, and begin it: its first process, which is shown, writes the head."""
    log = Log(folder / 'log', shown, times=info.get('log') != run_json.PLAIN)
    if shown:
        log.head(of_run(info))
    if shown and not info['commit']:
        # no command waits for this process: should it crash, only the log has the reason
        report.info(f'{run_json.name(info)}: its log is {log.shown_path()}')
    return log


def say_held(info: Mapping[str, Any], held: lock.Held) -> None:
    """Say that another process trains the run: this one writes nothing into its log."""
    report.info(f'tagrun: {run_json.name(info)} is being trained already: {held}')


def of_run(info: Mapping[str, Any]) -> list[str]:
    """Return the lines before the arguments. info: the content of the run's run.json."""
    going_on = f'   goes on from {info["resume"]}' if info.get('resume') else ''
    if run_json.EVALUATE in info:
        going_on = f'   of {info[run_json.EVALUATE]["checkpoint"]}'
    taken = inputs.names(info.get('inputs'))
    commit = f'commit {info["commit"]}' if info['commit'] else 'by hand, no commit'
    clock = time.strftime('%Y-%m-%d %H:%M:%S %z')
    return [
        f'--- {run_json.name(info)}   {clock}{going_on}',
        f'{INDENT}seed {info["seed"]}   {commit}',
        *(_wrapped(f'takes {taken}') if taken else []),
    ]


def of_arguments(args: SimpleNamespace) -> list[str]:
    """Return the lines of all arguments but the seed, as config.py gave them in the end."""
    words = [f'{name}={value!r}' for name, value in vars(args).items() if name != 'seed']
    return _wrapped(' '.join(words))


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=INDENT,
        subsequent_indent=INDENT,
        break_on_hyphens=False,
    )
