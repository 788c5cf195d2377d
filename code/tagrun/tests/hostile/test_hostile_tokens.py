"""Secrets of many kinds in many places: what would record one is refused, what shows a result
hides it, X17. tests/core/record/test_secret_rules.py looks for false alarms.
"""

import functools
import json

import pytest
from hostile_inputs import COUNTS
from run_factory import listed, run
from secret_kinds import KINDS, parts, text

from tagrun.core import finder
from tagrun.core.cli.messages import UserError
from tagrun.core.compare import explain, run_files
from tagrun.core.git.status import Change
from tagrun.core.launch import result_commit
from tagrun.core.record import plan, secret_scan
from tagrun.core.record.plan import Plan, RunRequest
from tagrun.core.tables import formats, latex, selection, terminal
from tagrun.core.tables.selection import Selection
from tagrun.extra.report import page_data
from tagrun.extra.webhook import after_webhook
from tagrun.store import run_json, statistic
from tagrun.store.run_ref import RunRef

LAST = '__result__/t1/1'


class Repository:
    """As much of one as is asked before git is."""

    prefix = ''

    def __init__(self, root):
        self.root = root

    def diff(self, *_):
        return ''

    def blobs(self, *_):
        return {}


def in_file(what, encode):
    def place(root, secret):
        (root / 'notes.ipynb').write_bytes(encode(f'# notes\nkey: {secret}\n'))
        secret_scan.check(root, [Change(what, 'notes.ipynb')])

    return place


def in_file_name(root, secret):
    secret_scan.check(root, [Change('new', f'weights-{secret}.txt')])


def in_request(**more):
    def place(root, secret):
        values = {key: value(secret) for key, value in more.items()}
        plan.make_plan(Repository(root), RunRequest('t1', **values))

    return place


def in_config(root, secret):
    secret_scan.check_arguments({'lr': 0.1, 'logger': {'options': [secret]}})


REFUSED = {
    'new file': in_file('new', str.encode),
    'changed file': in_file('modified', str.encode),
    'UTF-16 with a mark': in_file('new', lambda text: text.encode('utf-16')),
    'UTF-16 without': in_file('new', lambda text: ('한국어 ' + text).encode('utf-16-be')),
    'file name': in_file_name,
    '-m': in_request(message=lambda secret: f'why: {secret}'),
    '--set': in_request(settings=lambda secret: {'logger': secret}),
    'config value': in_config,
}


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('place', REFUSED)
def test_what_would_record_a_secret_is_refused_without_showing_it(tmp_path, place, kind):
    with pytest.raises(UserError, match='looks like') as refused:
        REFUSED[place](tmp_path, text(kind))
    assert not [part for part in parts(kind) if part in str(refused.value)]


# ---- what shows a result ----


@pytest.fixture(scope='session')
def results(tmp_path_factory):
    """A function that returns the project whose results hold a secret, made once for each."""
    return functools.cache(lambda kind: made(tmp_path_factory.mktemp('runs'), text(kind)))


def made(root, secret):
    """Two runs that hold the secret in an argument, a message, a metric's name and the log."""
    for number in (0, 1):
        message = f'RuntimeError: cannot log in\n with {secret}\nat line {number}'
        hparam = {'logger': secret, 'nested': {'list': [f'a {secret}']}}
        folder = run(root, f't1/{number}', hparam, {f'val/{secret}': 0.5 + number}, message=message)
        stamped = f'key {secret}'.replace('\n', '\n10:19:29 ')
        (folder / 'log').write_text(f'10:19:29 {stamped}\n10:19:30 the end\n')
        (folder / 'history.csv').write_text('epoch,val/acc\n1,0.5\n')
        if number:
            (folder / 'environment.json').write_text(json.dumps({'packages': {'x': secret}}))
    listed(root, 'record', 't1/0', 't1/1')
    run(root, 't2/0', {'logger': 'plain'})
    return root


def result(root):
    files = result_commit.contents(root / LAST)
    json.loads(files['statistic.json']), json.loads(files['environment.json'])
    assert b'the end' in files['log'] and b'at line 1' in files['statistic.json']
    return b'\n'.join(files.values()).decode()


def tables(root):
    _, columns, rows = selection.select(root, Selection('record'))
    return '\n'.join(
        (
            formats.to_csv(columns, rows).decode(),
            formats.to_json(columns, rows),
            formats.to_markdown(columns, rows, 4),
            formats.to_html(columns, rows, 4),
            latex.tabular(columns, rows, 4),
            terminal.fitted(columns, rows, 4)[0],
        )
    )


def report(root):
    _, columns, rows = selection.select(root, Selection('record'))
    return json.dumps(page_data.gather(root, None, rows, columns))


def webhook(root):
    folder = root / LAST
    return json.dumps(after_webhook.body(folder, run_json.read(folder)))


def why(root):
    files = [run_files.read(root, RunRef(tag, 0)) for tag in ('t1', 't2')]
    return json.dumps(explain.compare(Repository(root), root, *files))


def tag_message(root):
    secret = statistic.read(root / LAST)['hparam']['logger']
    planned = Plan(RunRequest('t1'), None, [], '', '', 1)
    planned.arguments = [f"logger = 'plain' (was {secret!r})"]
    return plan.message(planned, 1)


SHOWN = {
    'result commit': result,
    'tables': tables,
    'report': report,
    'webhook': webhook,
    'why': why,
    "the tag's message": tag_message,
}


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('place', SHOWN)
def test_what_shows_a_result_hides_the_secret(results, place, kind):
    shown = SHOWN[place](results(kind))
    assert not [part for part in parts(kind) if part in shown]
    assert '(hidden)' in shown


@pytest.mark.parametrize('kind', KINDS)
def test_the_list_of_runs_hides_the_secret(results, monkeypatch, capsys, kind):
    expls = finder.command('expls')
    monkeypatch.setattr(expls, 'ROOT', results(kind))
    expls.main(['-r'])
    expls.main(['t1', '--json'])
    shown = capsys.readouterr().out
    assert not [part for part in parts(kind) if part in shown]
    assert '(hidden)' in shown


@pytest.mark.parametrize('cut', [300, 700])
def test_of_a_key_that_a_log_cuts_no_line_is_left(tmp_path, monkeypatch, cut):
    monkeypatch.setattr(result_commit, 'LOG_TAIL', cut)
    made(tmp_path, text('rsa key'))
    log = result_commit.contents(tmp_path / '__result__' / 't1' / '1')['log'].decode()
    assert not [part for part in parts('rsa key') if part in log] and 'the end' in log


COUNTS['X17 tokens in places'] = len(KINDS) * (len(REFUSED) + len(SHOWN) + 1)
