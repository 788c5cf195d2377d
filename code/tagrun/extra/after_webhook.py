"""Webhook: with `git config tagrun.webhook URL` one line of JSON is posted when a run has ended, failed or was killed.

    git config tagrun.webhook https://hooks.example.org/services/T0/B0/x

    {"event": "finished", "run": "first/0", "text": "first/0 finished: val/acc 0.91 at epoch 37 of 60", "status": "finished", "epoch": 60,
     "epochs": 60, "watch": "val/acc", "best": 0.91, "best_epoch": 37, "metric": {"val/acc": 0.91, …}, "seed": 2743761815,
     "commit": "3b193ad0a209…", "seconds": 5.24, "message": null, "same": null}

`event` is finished, failed, interrupted, pruned or killed; `same` is the verdict of a rerun with the recorded seed. Chat servers show `text`.
No path, no host, no argument is in it; what looks like a token is blotted out. http and https alone. The run does not wait for the
server, and a server that does not take it is one line of talk: the exit code is the run's own.
"""
import json
import subprocess
import sys
import urllib.parse
from pathlib import Path

from tagrun.command import leaks
from tagrun.command.say import say
from tagrun.store import jsonfile, run_json, statistic

WAIT_S = 1          # for a failure that comes at once
POSTING = Path(__file__).with_name('posting.py')


def after(repository, folder, info):
    url = repository.config('webhook')
    if not url:
        return
    place = _place(url)
    if not place:
        say('tagrun: git config tagrun.webhook holds no http or https URL: nothing was posted')
        return
    why = _post(url, body(repository.root, folder, info))
    if why:
        say(f'tagrun: the webhook at {place}: {why}')


def body(root, folder, info):
    """What is posted, as plain values."""
    content = _content(folder)
    state = str(statistic.state(folder, content)) if content else statistic.FAILED
    try:
        same = run_json.read(folder).get('verdict', {}).get('same')
    except (OSError, ValueError):
        same = None
    found = {'event': state, 'run': run_json.name(info), 'text': '', 'status': state,
             **{key: content.get(key) for key in ('epoch', 'epochs', 'watch')}, 'best': content.get('metric', {}).get(content.get('watch')),
             'best_epoch': content.get('best_epoch'), 'metric': content.get('metric', {}), 'seed': info['seed'], 'commit': info['commit'],
             'seconds': content.get('time', {}).get('seconds'), 'message': content.get('message'), 'same': same}
    found['text'] = _text(found)
    return json.loads(leaks.hidden(jsonfile.dumps(found).encode()))


def _text(found):
    """The sentence for a chat."""
    text = f'{found["run"]} {found["event"]}'
    best = jsonfile.number(found['best'])
    if best is not None:
        text += f': {found["watch"]} {best:.4g} at epoch {found["best_epoch"]} of {found["epochs"]}'
    if found['same'] is not None:
        text += '; the same as the run it repeats, bit for bit' if found['same'] else '; NOT the same as the run it repeats'
    return text + (f' ({str(found["message"])[:200]})' if found['message'] else '')


def _content(folder):
    try:
        return statistic.read(folder)
    except (OSError, ValueError):
        return {}


def _place(url):
    """The server, without what may be a secret: login, path, query. '' for what is no URL of the web."""
    try:
        parts = urllib.parse.urlsplit(url)
        host = parts.hostname
    except ValueError:
        return ''
    return f'{parts.scheme}://{host}' if parts.scheme in ('http', 'https') and host else ''


def _post(url, content):
    """Why it was not taken, as far as that is known at once, or ''."""
    child = subprocess.Popen([sys.executable, '-I', POSTING], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                             start_new_session=True, text=True)
    try:
        error = child.communicate(json.dumps({'url': url, 'body': content}), timeout=WAIT_S)[1]
    except subprocess.TimeoutExpired:
        return 'it does not answer at once; that goes on in the background'
    return (error.strip().splitlines() or ['failed'])[-1] if child.returncode else ''
