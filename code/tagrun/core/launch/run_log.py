"""What the command side does with a run's log: choose its form, and read its end.

git config tagrun.log plain             # lines without times; `times` is the default
info = choose_form(repository, folder, info)
last_lines(folder)                      # what a training that died at once said last
"""

import os
import re
from pathlib import Path
from typing import Any

from tagrun.core.cli.messages import echo
from tagrun.core.git.repository import Repository
from tagrun.store import run_json, safe_read

FORMS = ('times', run_json.PLAIN)
BYTES = 4096  # of the end that is read
LINES = 3
WIDTH = 78  # columns of a line that is shown
TIME = r'\d\d:\d\d:\d\d '


def choose_form(repository: Repository, folder: Path, info: dict[str, Any]) -> dict[str, Any]:
    """Write to run.json whether the log's lines have times, as git config says; return it."""
    form = repository.config('log') or FORMS[0]
    if form not in FORMS:
        echo(f"tagrun: git config tagrun.log is {form!r}, and can be 'times' or 'plain'")
        form = FORMS[0]
    if info.get('log', FORMS[0]) == form:
        return info
    content = {name: value for name, value in info.items() if name != 'log'}
    if form == run_json.PLAIN:
        content['log'] = form
    run_json.write(folder, content)
    return content


def last_lines(folder: Path) -> list[str]:
    """Return the log's last lines, without times, each cut to the screen's width."""
    try:
        with safe_read.open_file(folder / 'log') as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - BYTES))
            text = file.read(BYTES).decode('utf-8', 'replace')
    except (OSError, ValueError):
        return []
    lines = [without_time(line) for line in text.splitlines() if line.strip()]
    return [line[:WIDTH] for line in lines[-LINES:]]


def without_time(line: str) -> str:
    """Return a line of a log without its time."""
    return re.sub(f'^{TIME}', '', line)
