"""The code that a selftest trains: that of the work tree, as git would record it."""

import pytest

from tagrun.core.check import selftest_runs
from tagrun.core.check.selftest_runs import SelftestRuns, TrainingFailed
from tagrun.core.git.repository import Repository
from tagrun.store import lock, statistic


def test_the_folder_is_locked_while_it_is_used_and_then_deleted(stubbed):
    with SelftestRuns(Repository.at(stubbed.root), seed=1, epochs=1, batches=1) as runs:
        assert runs.folder.name.startswith(selftest_runs.PREFIX)
        assert lock.owner(runs.folder) is not None
        folder = runs.train()
        assert statistic.state(folder) == statistic.FINISHED
        assert runs.train() != folder
    assert not runs.folder.exists()
    assert stubbed.git('for-each-ref', 'refs/tagrun') == ''


def test_a_training_that_fails_says_why_and_is_kept_if_asked_to(stubbed):
    stubbed.configure(how="'failed'")
    with SelftestRuns(Repository.at(stubbed.root), seed=1, epochs=1, batches=1) as runs:
        runs.is_kept = True
        with pytest.raises(TrainingFailed, match='exit code 1|trained, failed'):
            runs.train()
    assert (runs.folder / '0' / 'log').read_text() == 'trained, failed\n'


def test_a_training_that_is_killed_is_continued_until_it_ends(stubbed):
    """The stub kills itself once, and ends well when it is continued."""
    stubbed.configure(how="'killed'")
    with SelftestRuns(Repository.at(stubbed.root), seed=1, epochs=1, batches=1) as runs:
        folder, moments = runs.train_killed([[1, 5], [2, 9]], save_every=2)
        assert statistic.state(folder) == statistic.FINISHED
    assert moments == [[1, 5]]
