"""Two clones with some runs, for the tests of sharing."""

import shutil

import pytest
import stub_project
from two_clones import Pair, make_pair


@pytest.fixture(scope='session')
def started(tmp_path_factory):
    """Alice has t1/0, t1/1 and t2/0, and has shared nothing."""
    root = tmp_path_factory.mktemp('shared')
    pair = make_pair(root, stub_project.make(root / 'al ice'))
    pair.alice.tagrun('run', '-m', 'the why', 't1')
    pair.alice.tagrun('rerun', 't1')
    pair.alice.tagrun('run', 't2', '--set', 'lr=0.2')
    return root


@pytest.fixture
def pair(started, tmp_path):
    return Pair(shutil.copytree(started, tmp_path / 'a b', symlinks=True))
