"""extra/sharing/sent.py: what this clone sent can be taken back, and nothing else."""

import json

import pytest

from tagrun.core.cli.messages import UserError
from tagrun.core.git.repository import Repository
from tagrun.extra.sharing import sent

ID, OTHER = 40 * 'a', 40 * 'b'


def test_undo_takes_back_what_was_sent_last_and_then_what_was_before(pair):
    pair.alice.tagrun('share', 't1')
    first = pair.refs()
    said = pair.alice.tagrun('share', 't2').stderr
    assert '  take it back: tagrun share --undo\n' in said
    shown = pair.alice.tagrun('share', '--undo', '-n').stderr
    assert '1 run from origin (../hub.git): t2/0' in shown and len(pair.refs()) > len(first)
    assert 'taken back' in pair.alice.tagrun('share', '--undo').stderr and pair.refs() == first
    assert 't1/0, t1/1' in pair.alice.tagrun('share', '--undo').stderr and pair.refs() == {}
    said = pair.alice.tagrun('share', '--undo', code=1).stderr
    assert 'nothing that this clone sent to origin (../hub.git) is left' in said
    assert pair.alice.git('tag').split() == ['t1', 't2'] and pair.alice.folder('t1/0').is_dir()
    pair.alice.tagrun('share', '--all')
    assert set(first) < set(pair.refs())


def test_what_others_sent_or_changed_stays(pair):
    pair.alice.tagrun('share', 't1')
    pair.bob.tagrun('fetch')
    assert 'is left to take back' in pair.bob.tagrun('share', '--undo', code=1).stderr
    name = 'refs/tagrun/result/t1/0'
    before = pair.refs()[name]
    pair.plant(name, {'statistic.json': b'{}'}, parent=before)
    said = pair.alice.tagrun('share', '--undo', code=1).stderr
    assert f'1 ref that someone changed since stay: {name}' in said and list(pair.refs()) == [name]


def test_a_result_that_was_moved_goes_back_to_what_it_was(pair):
    pair.alice.tagrun('share', 't2')
    before = pair.refs()
    folder = pair.alice.folder('t2/0')
    content = json.loads((folder / 'statistic.json').read_text())
    (folder / 'statistic.json').write_text(json.dumps({**content, 'status': 'interrupted'}))
    pair.alice.tagrun('continue', 't2')
    pair.alice.tagrun('share', 't2')
    moved = {name for name, now in pair.refs().items() if now != before.get(name)}
    assert moved == {'refs/tagrun/result/t2/0'}
    pair.alice.tagrun('share', '--undo')
    assert pair.refs() == before


def test_another_address_is_another_remote(pair, tmp_path):
    pair.alice.tagrun('share', 't1')
    pair.alice.git('init', '-q', '--bare', tmp_path / 'other.git')
    pair.alice.git('remote', 'set-url', 'origin', tmp_path / 'other.git')
    assert 'is left to take back' in pair.alice.tagrun('share', '--undo', code=1).stderr
    assert len(pair.refs()) == 5


def test_the_shares_of_one_call_are_one_and_many_are_forgotten(pair, monkeypatch):
    monkeypatch.setattr(sent, 'MOST', 2)
    repository = Repository.at(pair.alice.root)
    for number in range(3):
        shares = sent.Shares(repository)
        shares.add('origin', 'u', {f'refs/tags/a{number}': (None, ID)})
        shares.add('origin', 'u', {f'refs/tags/b{number}': (OTHER, ID)})
    names = [list(share['refs']) for share in sent.Shares(repository)._shares]
    assert names == [['refs/tags/a1', 'refs/tags/b1'], ['refs/tags/a2', 'refs/tags/b2']]


@pytest.mark.parametrize(
    'text',
    [
        '',
        '[]',
        '{"shares": 3}',
        '{"shares": [3, {"remote": "origin"}]}',
        '{"shares": [{"remote": "origin", "url": "../hub.git", "refs": {"HEAD": [null, "x"]}}]}',
        '{"shares": [{"remote": "origin", "url": "../hub.git", "refs": {"refs/tags/x": "y"}}]}',
    ],
)
def test_a_file_that_is_not_ours_takes_nothing_back(pair, text):
    repository = Repository.at(pair.alice.root)
    (repository.common / sent.NAME).write_text(text)
    with pytest.raises(UserError, match='is left to take back'):
        sent.undo(repository, 'origin', dry_run=False)
