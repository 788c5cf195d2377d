"""Live sharing: a run is sent while it trains, and its end."""

import json
import os
import shutil
from pathlib import Path

from project_factory import wait_for

from tagrun.core.git.repository import Repository
from tagrun.extra.sharing import live
from tagrun.store.run_ref import RunRef


def test_live_a_run_is_seen_while_it_trains_and_then_as_it_ended(pair):
    pair.alice.git('config', 'tagrun.share', 'live')
    training = pair.alice.start('run', 'long', '--set', "how='slow'")
    wait_for(lambda: 'refs/tagrun/result/long/0' in pair.refs(), what='the first word of it')
    pair.bob.tagrun('fetch')
    assert json.loads(pair.bob.tagrun('expls', 'long', '--json').stdout)[0]['status'] == 'running'
    (pair.alice.root / 'go').touch()
    assert training.wait(60) == 0
    first = pair.refs()['refs/tagrun/result/long/0']
    wait_for(
        lambda: pair.refs()['refs/tagrun/result/long/0'] != first or not _sender(pair),
        what='the end of it',
    )
    pair.bob.tagrun('fetch')
    assert pair.bob.statistic('long/0')['status'] == 'finished'
    wait_for(lambda: not _sender(pair), what='the sender to end')


def _sender(pair):
    """Whether a process sends long/0 from Alice's folder."""
    for process in Path('/proc').glob('[0-9]*'):
        try:
            words = (process / 'cmdline').read_text()
            if '--live' in words and os.readlink(process / 'cwd') == str(pair.alice.root):
                return True
        except OSError:
            continue
    return False


def test_live_a_remote_that_is_away_is_a_line_in_the_log_and_no_more(pair):
    pair.alice.git('config', 'tagrun.share', 'live')
    shutil.move(pair.hub, pair.root / 'away')
    training = pair.alice.start('run', 'long', '--set', "how='slow'")
    log = pair.alice.folder('long/0') / 'log'
    wait_for(lambda: log.exists() and 'live sharing: origin' in log.read_text(), what='the line')
    (pair.alice.root / 'go').touch()
    assert training.wait(60) == 0 and pair.alice.statistic('long/0')['status'] == 'finished'
    shutil.move(pair.root / 'away', pair.hub)
    wait_for(
        lambda: 'refs/tagrun/result/long/0' in pair.refs(), what='what could not be sent before'
    )
    wait_for(lambda: not _sender(pair), what='the sender to end')


def test_a_run_that_has_ended_is_sent_at_once(pair):
    repository = Repository.at(pair.alice.root)
    assert live.follow(repository, 'origin', RunRef('t1', 0))
    assert pair.refs()['refs/tagrun/result/t1/0'] == repository.resolve('refs/tagrun/result/t1/0')


def test_a_run_that_never_trains_is_not_waited_for_for_ever(pair, monkeypatch):
    monkeypatch.setattr(live, 'START_S', 0.2)
    monkeypatch.setattr(live, 'POLL_S', 0.05)
    repository = Repository.at(pair.alice.root)
    former = repository.resolve('refs/tagrun/result/t1/0')
    # its result is that of the time before it was continued
    assert not live.follow(repository, 'origin', RunRef('t1', 0), former)
    assert not pair.refs()


def test_an_end_that_cannot_be_sent_is_one_line_in_the_log(pair, monkeypatch):
    monkeypatch.setattr(live, 'RETRY_S', (0, 0))
    shutil.move(pair.hub, pair.root / 'away')
    assert not live.follow(Repository.at(pair.alice.root), 'origin', RunRef('t1', 0))
    log = (pair.alice.folder('t1/0') / 'log').read_text()
    assert log.count('tagrun: live sharing: origin') == 1
