"""What several searches for leftovers share: what is old, and how a list is shortened."""

import os
import time

import pytest

from tagrun.core.check import finding


def test_a_finding_without_a_fix_is_wrong_and_left_to_the_user():
    one = finding.Finding('t1/0', 'its run.json is lost', 'look at it')
    assert one.fix is None and not one.is_harmless


@pytest.mark.parametrize(
    'age_s, is_old',
    [(0, False), (finding.STALE_S - 60, False), (finding.STALE_S + 60, True), (-9999, False)],
)
def test_a_path_is_old_if_nothing_changed_it_for_ten_minutes(tmp_path, age_s, is_old):
    path = tmp_path / 'index.lock'
    path.touch()
    os.utime(path, (time.time() - age_s,) * 2)
    assert finding.is_old(path) is is_old


def test_a_path_that_is_gone_is_not_old_and_a_link_is_not_followed(tmp_path):
    assert not finding.is_old(tmp_path / 'gone')
    (tmp_path / 'link').symlink_to(tmp_path / 'gone')
    os.utime(tmp_path / 'link', (1, 1), follow_symlinks=False)
    assert finding.is_old(tmp_path / 'link')


@pytest.mark.parametrize('count, text', [(1, 'a'), (3, 'a, b, c'), (4, 'a, b, c, … (4 in all)')])
def test_a_long_list_is_shortened_and_says_how_long_it_is(count, text):
    assert finding.shorten(list('abcd'[:count])) == text
