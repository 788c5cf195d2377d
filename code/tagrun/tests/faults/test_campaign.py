"""The fault campaign, a short version of each part; `tagrun proof --full` runs the long one."""

import random
import tempfile
from pathlib import Path

import campaign
import pytest
from campaign import BUSY, SHORT, Runs, every_call, kills, power_cuts, reruns, resumes
from checkpoint_damage import damaged_checkpoints
from power_loss_disk import Disk
from project_factory import make_project
from signal_campaign import signals


@pytest.fixture(scope='module')
def runs(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp('campaign') / "a 'b; c"
    with Runs(make_project(folder, data, matrices=True, **BUSY)) as runs:
        yield runs


@pytest.fixture(scope='module')
def short(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp('short') / "a 'b; c"
    with Runs(make_project(folder, data, matrices=True, **SHORT)) as runs:
        yield runs


def test_runs_killed_at_random_come_back_with_every_reported_epoch_to_the_last_bit(runs):
    tally = kills(runs, 6, seed=1)
    assert tally.tried == 6 and not tally.bad


def test_a_run_killed_at_a_file_system_call_comes_back(short):
    """Each sixtieth of them; each one in the long campaign."""
    tally = every_call(short, stride=60)
    assert tally.tried >= 5 and not tally.bad


def test_a_power_cut_takes_no_epoch_that_was_reported(runs):
    tally = power_cuts(runs, 200, seed=1, resumed=100)
    assert tally.more > 150 and not tally.bad


def test_the_model_disk_loses_what_is_not_synced():
    """Else the test before would mean nothing."""
    calls = [
        ('open', 'a', False),
        ('write', 'a', b'0123'),
        ('fsync', 'a', None),
        ('fsync', '', None),
        ('write', 'a', b'4567'),
        ('open', 'b', False),
        ('write', 'b', b'new'),
        ('replace', 'a', 'b'),
        ('symlink', 'link', 'a'),
    ]
    assert survivors(calls[:4]) == {(('a', b'0123'),)}
    folders = survivors(calls)
    assert {len(files) for files in folders} == {1, 2, 3}
    assert {dict(files)['a'] for files in folders} >= {
        b'0123',
        b'01234567',
        b'0123\0\0\0\0',
        b'',
        b'new',
        b'\0\0\0',
    }


def survivors(calls):
    """Return {((name, content), …), …}: what 300 cuts after these calls leave in the folder."""
    folders = set()
    for number in range(300):
        with tempfile.TemporaryDirectory() as folder:
            Disk(calls).survive(folder, random.Random(number))
            paths = sorted(Path(folder).iterdir())
            folders.add(tuple((path.name, _content(path)) for path in paths))
    return folders


def _content(path):
    return b'' if path.is_symlink() else path.read_bytes()


def test_a_save_that_forgot_to_sync_would_be_found(runs, monkeypatch):
    """The same cuts of the same run, its fsyncs taken out."""
    calls = [call for call in campaign.recorded_calls(runs) if call[0] != 'fsync']
    monkeypatch.setattr(campaign, 'recorded_calls', lambda runs: calls)
    assert power_cuts(runs, 60, seed=1, resumed=1000).bad


def test_no_damaged_checkpoint_is_loaded_and_every_whole_one_is(runs):
    tally = damaged_checkpoints(runs.project.folder('t1/0'), 150, whole=75, seed=1)
    assert not tally.bad and tally.more['alarms'] == 0
    assert tally.more['stock'] > 10, (
        'torch.load alone took none: the damages are too gross to mean anything'
    )


def test_reruns_and_resumes_from_every_place_are_identical(short):
    assert not reruns(short, 1).bad
    tally = resumes(short, 3)
    assert tally.tried == 3 and tally.more and not tally.bad


@pytest.mark.parametrize(
    'kind',
    [
        'SIGTERM',
        'SIGINT twice within 50 ms',
        *(pytest.param(name, marks=pytest.mark.slow) for name in ('SIGINT', 'SIGHUP', 'SIGUSR1')),
    ],
)
def test_signals_at_random_moments_and_within_saves_stop_it_resumably(runs, kind):
    tally = signals(runs, kind, 2, seed=1)
    assert tally.tried == 2 and not tally.bad and max(tally.more) < 25
