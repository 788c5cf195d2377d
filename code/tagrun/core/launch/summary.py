"""Print the end of a run: what came out, where it is, what to type next.

summary.show(folder, info)
"""

import os
from pathlib import Path
from typing import Any

from tagrun.core.cli.messages import duration, echo, quote, styled
from tagrun.store import jsonfile, layout, run_json, statistic

# one line of "next": (command, why)
Step = tuple[str, str]
STYLES = {
    statistic.FINISHED: 'green',
    statistic.FAILED: 'red',
    statistic.INTERRUPTED: 'yellow',
    statistic.KILLED: 'yellow',
}


def show(folder: Path, info: dict[str, Any]) -> None:
    """Print it. info: the content of the run's run.json."""
    content = read_statistic(folder)
    content = content or {'status': statistic.RUNNING, 'metric': {}, 'time': {}}
    state = statistic.state(folder, content)
    echo()
    word = styled(state, STYLES.get(state, 'bold'))
    echo(f'{run_json.name(info)} ', word, _ending(state, content))
    for phase, figures in _figures(content['metric']).items():
        echo(f'  {phase:<8} {"   ".join(figures)}')
    echo(f'  files    {quote(os.path.relpath(folder, os.getcwd()))}')
    label = 'next'
    for command, why in _next_steps(info, state):
        echo(f'  {label:<8} {command:<30} ', styled(why, 'dim'))
        label = ''


def read_statistic(folder: Path) -> dict[str, Any]:
    """Return the content of statistic.json; {} where it cannot be read."""
    try:
        content: dict[str, Any] = statistic.read(folder)
        return content
    except (OSError, ValueError):
        return {}


def _figures(metrics: dict[str, Any]) -> dict[str, list[str]]:
    """Return {phase: ['loss 0.0312', …]}; what is not a number is left out."""
    phases: dict[str, list[str]] = {}
    for name, value in metrics.items():
        phase, _, metric = name.partition('/')
        figures, number = phases.setdefault(phase, []), jsonfile.number(value)
        if metric and number is not None:
            figures.append(f'{metric} {number:.4f}')
    return phases


def _ending(state: str, content: dict[str, Any]) -> str:
    """Return ' after 5.1 s of training; the best by val/acc is epoch 42 of 60:'.

    Training itself has said why it stopped.
    """
    text, seconds = '', jsonfile.number(content['time'].get('seconds'))
    if seconds is not None:
        text += f' after {duration(seconds)} of training'
    if state == statistic.KILLED:
        text += ' (no memory left, or kill -9)'
    best = content.get('best_epoch')
    if best:
        epochs = content.get('epoch')
        text += f'; the best by {content.get("monitor")} is epoch {best} of {epochs}:'
    return text


def _next_steps(info: dict[str, Any], state: str) -> list[Step]:
    tag, name = info['tag'], run_json.name(info)
    if tag == layout.SCRATCH:
        return [('run <tag>', 'records the code and trains it')]
    if state == statistic.FINISHED:
        return [
            (f'rerun {name} -f', 'make it again: the same, bit for bit?'),
            (f'itb {tag}', 'its curves, in TensorBoard'),
            (f'record {name}; table', 'put it into a table'),
        ]
    if state == statistic.FAILED:
        return [
            (f'git tag -d {tag} && run {tag}', 'the same name again, once the code is fixed'),
            (f'continue {name}', 'if the cause was outside the code'),
        ]
    if state == statistic.PRUNED:
        return [(f'continue {name}', 'goes on all the same')]
    return [(f'continue {name}', 'goes on exactly where it stood')]
