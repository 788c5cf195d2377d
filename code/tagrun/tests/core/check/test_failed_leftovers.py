"""core/check/failed_leftovers.py: runs that a kill left half taken back."""

import json
import os

import pytest

from tagrun.core.check import failed_leftovers, leftovers
from tagrun.core.git.repository import Repository
from tagrun.store import layout


@pytest.fixture
def half_taken(stubbed):
    """(repository, journal) of a run wide/0 whose folder was moved, and whose refs are there."""
    repository = Repository.at(stubbed.root)
    commit = repository.resolve('HEAD')
    made = {'refs/tagrun/code/wide/0': commit, 'refs/tags/wide': commit}
    repository.create_refs(made)
    folder = layout.failed(repository.root) / 'wide-0-20261129-101500'
    folder.mkdir(parents=True)
    journal = folder.with_name(f'{folder.name}.json')
    journal.write_text(json.dumps({'run': 'wide/0', 'refs': made}))
    (folder.parent / '.x.json.1a2b.tmp').touch()
    return repository, journal


def test_what_is_young_belongs_to_a_process_at_work(half_taken):
    assert list(failed_leftovers.find(half_taken[0])) == []


def test_the_doctor_frees_the_name_and_keeps_the_log(half_taken):
    repository, journal = half_taken
    for path in journal.parent.iterdir():
        os.utime(path, (1, 1))
    findings = [item for item in leftovers.find(repository, []) if item.fix]
    assert [item.where for item in findings] == [journal.stem, '.x.json.1a2b.tmp']
    for item in findings:
        item.fix()
    assert list(failed_leftovers.find(repository)) == []
    assert not repository.resolve('refs/tags/wide') and journal.with_suffix('').is_dir()
