"""The hook of live sharing: it starts a process of its own where the user wants that, and only
there.
"""

import sys
from types import SimpleNamespace

import pytest

from tagrun.core.git.repository import Repository
from tagrun.extra.sharing import before_live
from tagrun.store import run_json


@pytest.fixture
def started_words(monkeypatch):
    """The command lines that the hook starts, which do not run."""
    started = []
    stand_in = SimpleNamespace(
        Popen=lambda words, **options: started.append((words, options)), DEVNULL=None
    )
    monkeypatch.setattr(before_live, 'subprocess', stand_in)
    return started


def begin(project, name):
    folder = project.folder(name)
    before_live.before(Repository.at(project.root), folder, run_json.read(folder))


def test_nothing_is_sent_live_unless_the_user_wants_it(pair, started_words):
    begin(pair.alice, 't1/0')
    pair.alice.git('config', 'tagrun.share', 'never')
    begin(pair.alice, 't1/0')
    assert not started_words


def test_a_run_is_followed_by_a_process_that_outlives_us(pair, started_words):
    pair.alice.git('config', 'tagrun.share', 'live')
    former = pair.alice.git('rev-parse', 'refs/tagrun/result/t1/0').strip()
    begin(pair.alice, 't1/0')
    ((words, options),) = started_words
    tool = str(pair.alice.root / 'code' / 'tagrun')
    assert words == [sys.executable, tool, 'share', '--live', 't1/0', '--since', former]
    assert options['start_new_session'] and options['cwd'] == pair.alice.root


def test_a_new_run_has_no_former_result(pair, started_words):
    pair.alice.git('config', 'tagrun.share', 'live')
    pair.alice.git('update-ref', '-d', 'refs/tagrun/result/t1/0')
    begin(pair.alice, 't1/0')
    assert '--since' not in started_words[0][0]


def test_a_run_by_hand_has_nothing_to_send(pair, started_words):
    pair.alice.git('config', 'tagrun.share', 'live')
    info = run_json.read(pair.alice.folder('t1/0'))
    repository = Repository.at(pair.alice.root)
    before_live.before(repository, pair.alice.folder('t1/0'), {**info, 'commit': None})
    assert not started_words


def test_without_a_remote_it_says_so_and_the_run_goes_on(pair, started_words, capsys):
    pair.alice.git('config', 'tagrun.share', 'live')
    pair.alice.git('remote', 'remove', 'origin')
    begin(pair.alice, 't1/0')
    assert 'live sharing: this repository has no remote' in capsys.readouterr().err
    assert not started_words
