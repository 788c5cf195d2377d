"""The budget of an operation."""

import pytest

from tagrun.store import limits
from tagrun.store.limits import Budget, Exceeded


def test_more_than_is_left_is_refused_and_less_is_taken_still():
    budget = Budget(values=10)
    budget.take(values=7)
    with pytest.raises(Exceeded, match='more than 10 values'):
        budget.take(values=4)
    budget.take(values=3)


def test_a_budget_without_time_left_says_so():
    budget = Budget(seconds=0, values=10)
    assert budget.is_late()
    with pytest.raises(Exceeded, match='more than 0 s'):
        budget.take(values=1)
    assert not Budget(limits.SECONDS).is_late()
