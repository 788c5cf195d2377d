"""Webhook: with `git config tagrun.webhook URL`, one line of JSON is posted when a run has ended,
failed or was killed.

    git config tagrun.webhook https://hooks.example.org/services/T0/B0/x

    {"event": "finished", "run": "first/0",
     "text": "first/0 finished: val/acc 0.91 at epoch 37 of 60", "status": "finished",
     "epoch": 60, "epochs": 60, "monitor": "val/acc", "best": 0.91, "best_epoch": 37,
     "metric": {"val/acc": 0.91, …}, "seed": 2743761815, "commit": "3b193ad0a209…",
     "seconds": 5.24, "message": null, "same": null}

`event` is finished, failed, interrupted, pruned or killed. `same` is the verdict of a rerun with
the recorded seed. Chat servers show `text`, which mentions nobody and links nowhere. The line holds
no path, host or argument, and what looks like a token is redacted. The URL must be http or https.
The run does not wait for the server. Where the server does not take it, one line says so, and the
exit code is the run's own.
"""

import json
import re
import subprocess
import sys
import urllib.parse
from pathlib import Path
from typing import Any

from tagrun.core.cli.messages import echo, printable
from tagrun.core.git.repository import Repository
from tagrun.core.record import secret_rules
from tagrun.store import jsonfile, run_json, statistic

WAIT_S = 1  # for a failure that comes at once
MAX_MESSAGE = 200  # characters of the run's message that a chat shows
# of a chat server: what it acts on, and what looks alike
MARKUP = (
    ('<', '‹'),  # Slack's <!channel> and <url|text>, Discord's <@id>, HTML
    ('>', '›'),
    ('&', '＆'),  # Slack reads &lt; as <
    (r'(?<!\w)@|@(?=everyone|here|channel|all)', '＠'),  # an address or t1@bob is no mention
    (r'\]\(', '] ('),  # Markdown's [text](url)
    (r'\]:', '] :'),
    ('`', 'ˋ'),
    ('://', ':∕∕'),  # what else begins a link
    (r'\b(www)\.', r'\1․'),
    (r'\b(mailto|tel|javascript|data|file|slack|steam):', r'\1 :'),
)
PROGRAM = Path(__file__).with_name('post_webhook.py')


def after(repository: Repository, folder: Path, info: dict[str, Any]) -> None:
    """Post how a run ended, where the user wants that. info: the content of its run.json."""
    url = repository.config('webhook')
    if not url:
        return
    server = _server(url)
    if not server:
        echo('tagrun: git config tagrun.webhook holds no http or https URL: nothing was posted')
        return
    why = _post(url, body(folder, info))
    if why:
        echo(f'tagrun: the webhook at {server}: {why}')


def body(folder: Path, info: dict[str, Any]) -> dict[str, Any]:
    """Return what is posted of a run, as plain values without secrets."""
    content = secret_rules.redact_value(_read(folder))
    state = str(statistic.state(folder, content)) if content else statistic.FAILED
    metric = content.get('metric', {})
    values = {
        'event': state,
        'run': run_json.name(info),
        'text': '',
        'status': state,
        'epoch': content.get('epoch'),
        'epochs': content.get('epochs'),
        'monitor': content.get('monitor'),
        'best': metric.get(content.get('monitor')),
        'best_epoch': content.get('best_epoch'),
        'metric': metric,
        'seed': info['seed'],
        'commit': info['commit'],
        'seconds': content.get('time', {}).get('seconds'),
        'message': content.get('message'),
        'same': _verdict(folder),
    }
    values['text'] = for_chat(_text(values))
    return json.loads(jsonfile.dumps(values))


def for_chat(text: str) -> str:
    """Return a text in which no chat server finds a mention, a link or other markup of its own.

    Slack, Discord, Mattermost and Teams each have another way to escape, and would show those of
    the others: so a character that looks alike stands for each that one of them acts on. The
    values beside `text` are as they were.
    """
    text = ' '.join(printable(text).split())
    for pattern, alike in MARKUP:
        text = re.sub(pattern, alike, text, flags=re.I)
    return text


def _text(values: dict[str, Any]) -> str:
    """Return the sentence for a chat."""
    text = f'{values["run"]} {values["event"]}'
    best = jsonfile.number(values['best'])
    if best is not None:
        total = '' if values['epochs'] is None else f' of {values["epochs"]}'
        text += f': {values["monitor"]} {best:.4g} at epoch {values["best_epoch"]}{total}'
    if values['same'] is not None:
        verdict = 'the same as' if values['same'] else 'NOT the same as'
        text += f'; {verdict} the run it repeats' + (', bit for bit' if values['same'] else '')
    if values['message']:
        text += f' ({str(values["message"])[:MAX_MESSAGE]})'
    return text


def _read(folder: Path) -> dict[str, Any]:
    try:
        return statistic.read(folder)
    except (OSError, ValueError):
        return {}


def _verdict(folder: Path) -> bool | None:
    """Return whether a rerun is the same as its run; None where there is no verdict."""
    try:
        return run_json.read(folder).get('verdict', {}).get('same')
    except (OSError, ValueError):
        return None


def _server(url: str) -> str:
    """Return the server without what may be a secret: login, path, query. '' if it is not http."""
    try:
        parts = urllib.parse.urlsplit(url)
        host = parts.hostname
    except ValueError:
        return ''
    return f'{parts.scheme}://{host}' if parts.scheme in ('http', 'https') and host else ''


def _post(url: str, content: dict[str, Any]) -> str:
    """Post it by a process of its own; return why it was not taken, as far as that is known at
    once, or ''.
    """
    child = subprocess.Popen(
        [sys.executable, '-I', PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    try:
        _, error = child.communicate(json.dumps({'url': url, 'body': content}), timeout=WAIT_S)
    except subprocess.TimeoutExpired:
        return 'it does not answer at once; that goes on in the background'
    if not child.returncode:
        return ''
    return (error.strip().splitlines() or ['failed'])[-1]
