"""What config.py gives when it runs: the arguments as training will have them.

    (evaluation,) = evaluate(root, files, seed, [source])
    evaluation.values['lr']                         # 0.05
    evaluation.lines                                # {'lr': 71}: not the value that its line has

A process of its own runs the text, beside the files that the run will have, in the environment that
training will have. So no command imports config.py, and what is wrong with it costs no tag.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tagrun.core.cli.messages import UserError
from tagrun.core.launch import training_environment
from tagrun.core.project import CODE
from tagrun.core.record import config_text, frozen_copy, snapshot
from tagrun.store import run_json

PROGRAM = Path(__file__).with_name('config_program.py')
OURS = 'tagrun'
LONGEST = 300  # characters of an error that are shown


class Evaluation(NamedTuple):
    """The arguments that one text of config.py gives."""

    values: dict[str, Any]  # a tuple is a list here
    lines: dict[str, int]  # {name: the line that set it last}, where its own line does not say it


def evaluate(
    root: Path, files: list[snapshot.File], seed: int, sources: Sequence[str]
) -> list[Evaluation]:
    """Return what each text of config.py gives.

    root: the project's, in which training runs. files: those of code/. Raises UserError for a text
    that cannot be run, or whose arguments cannot be recorded, with the line.
    """
    with tempfile.TemporaryDirectory(prefix='tagrun-') as name:
        folder = Path(os.path.realpath(name))
        own = [file for file in files if not file.path.startswith(f'{OURS}/')]
        frozen_copy.write(own, folder)
        os.symlink(CODE / OURS, folder / 'code' / OURS)
        answers = _ask(root, folder, seed, sources)
    evaluations = []
    for answer, source in zip(answers, sources, strict=True):
        _refuse(answer, source)
        evaluations.append(Evaluation(answer['values'], answer['lines']))
    return evaluations


def _ask(root: Path, folder: Path, seed: int, sources: Sequence[str]) -> list[dict[str, Any]]:
    request = {
        'code': str(folder / 'code'),
        'answer': str(folder / 'answer.json'),
        'sources': list(sources),
        'expected': [config_text.literals(source) for source in sources],
    }
    file = folder / 'request.json'
    file.write_text(json.dumps(request), encoding='utf-8')
    done = subprocess.run(
        [sys.executable, '-B', PROGRAM, file],
        cwd=root,
        env={**training_environment.build(os.environ, seed), run_json.ENVIRONMENT: str(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )
    try:
        answers: list[dict[str, Any]] = json.loads((folder / 'answer.json').read_text())
        return answers
    except FileNotFoundError:
        said = done.stderr.decode(errors='replace').strip().rpartition('\n')[2][:LONGEST]
        raise UserError(
            f'code/config.py ended the Python that ran it (exit code {done.returncode}): {said}'
        ) from None


def _refuse(answer: dict[str, Any], source: str) -> None:
    """Raise UserError where config.py gave no arguments."""
    if 'refused' in answer:
        raise UserError(f'code/config.py: {answer["refused"]}')
    if 'error' not in answer:
        return
    error = answer['error']
    if len(error) > LONGEST:
        error = f'{error[:LONGEST]} …'
    where = f'code/{answer["file"]}'
    if answer['line'] is not None:
        where += f', line {answer["line"]}'
    lines = source.splitlines()
    is_config = answer['file'] == 'config.py' and answer['line'] in range(1, len(lines) + 1)
    code = f'\n  {lines[answer["line"] - 1].strip()}' if is_config else ''
    raise UserError(f'{where}: {error}{code}')
