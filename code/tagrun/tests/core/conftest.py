"""Fixtures of the tests of core/."""

import pytest


@pytest.fixture
def root(tmp_path):
    """A project's folder, empty."""
    return tmp_path / "a 'b; c"
