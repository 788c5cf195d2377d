"""Fixtures of the training side's tests."""

import pytest

from tagrun.training import environment


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A run's folder, t1/0."""
    path = tmp_path / '__result__' / 't1' / '0'
    path.mkdir(parents=True)
    monkeypatch.setattr(environment, 'collect', lambda *_: {})  # reads all packages
    return path
