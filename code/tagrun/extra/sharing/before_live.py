"""Start live sharing: with `git config tagrun.share live` a run that trains is sent after its
epochs, so that others can watch it by `fetch`.

    git config tagrun.share live; run first    # as if you typed `tagrun share --live first` too

The sending is a process of its own, of the lowest priority (live.py).
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

from tagrun.core.cli.messages import UserError, echo
from tagrun.core.git.repository import Repository
from tagrun.extra.sharing import remote_names
from tagrun.store.run_ref import RunRef


def before(repository: Repository, folder: Path, info: dict[str, Any]) -> None:
    """Start to send a run that is about to train, where the user wants that."""
    if repository.config('share') != 'live' or not info['commit']:
        return
    try:
        remote_names.choose_remote(repository)
    except UserError as error:
        echo(f'tagrun: live sharing: {error}')
        return
    run = RunRef(info['tag'], info['id'])
    tool = str(repository.root / 'code' / 'tagrun')
    words = [sys.executable, tool, 'share', '--live', str(run)]
    former = repository.resolve(run.result_ref)
    if former:
        words += ['--since', former]
    subprocess.Popen(
        words,
        cwd=repository.root,
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
