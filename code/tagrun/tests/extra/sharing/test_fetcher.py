"""What a Fetcher makes of a remote's refs: names, refs and folders of this clone."""

import json

import pytest

from tagrun.core.git import remotes
from tagrun.core.git.repository import Repository
from tagrun.extra.sharing import fetcher as fetcher_module
from tagrun.extra.sharing import remote_names
from tagrun.extra.sharing.fetcher import Fetcher
from tagrun.store.run_ref import RunRef


def share(pair, name, status='finished', main=b'pass\n', info=(), **more):
    """Put a run into the hub, as somebody shared it."""
    number = int(name.partition('/')[2])
    content = {'run': name, 'status': status, 'metric': {'val/acc': 0.5}, **more}
    run = {'tag': name.partition('/')[0], 'id': number, 'seed': 1, **dict(info)}
    code = pair.plant(f'refs/tagrun/code/{name}', {'code/main.py': main})
    files = {
        'statistic.json': json.dumps(content).encode(),
        'run.json': json.dumps(run).encode(),
        'log': b'a line\n',
    }
    pair.plant(f'refs/tagrun/result/{name}', files, code)
    return code


def fetch(pair):
    """Bob fetches."""
    repository = Repository.at(pair.bob.root)
    remotes.fetch(repository, 'origin', remote_names.refspecs('origin'))
    fetcher = Fetcher(repository, 'origin', remote_names.fetched_refs(repository, 'origin'))
    fetcher.take_runs()
    return fetcher


def test_a_run_of_the_remote_gets_its_refs_its_folder_and_its_line_in_the_list(pair):
    code = share(pair, 'new/0')
    fetcher = fetch(pair)
    assert fetcher.new == [RunRef('new', 0)] and not fetcher.failed and not fetcher.renamed
    assert pair.bob.git('rev-parse', 'refs/tagrun/code/new/0').strip() == code
    assert pair.bob.statistic('new/0')['fetched_from'] == 'origin'
    assert (pair.bob.folder('new/0') / 'log').read_bytes() == b'a line\n'
    finished = pair.bob.root / '__statistic__' / 'exper-list' / 'finished.txt'
    assert finished.read_text() == 'new/0\n'


def test_a_second_fetch_changes_nothing(pair):
    share(pair, 'new/0')
    fetch(pair)
    before = (pair.bob.folder('new/0') / 'statistic.json').stat().st_mtime_ns
    fetcher = fetch(pair)
    assert not fetcher.new + fetcher.updated + fetcher.failed
    assert (pair.bob.folder('new/0') / 'statistic.json').stat().st_mtime_ns == before


def test_another_run_of_a_name_that_is_taken_stands_beside_it(pair):
    pair.bob.tagrun('run', 'same')
    mine = (pair.bob.folder('same/0') / 'statistic.json').read_bytes()
    share(pair, 'same/0')
    fetcher = fetch(pair)
    assert fetcher.renamed == {RunRef('same', 0): RunRef('same@origin', 0)}
    assert pair.bob.statistic('same@origin/0')['run'] == 'same@origin/0'
    assert (pair.bob.folder('same/0') / 'statistic.json').read_bytes() == mine


def test_another_run_of_a_long_name_that_is_taken_stands_beside_it_or_is_named(pair, monkeypatch):
    tag = 'x' * 98
    pair.bob.folder(f'{tag}/0').mkdir(parents=True)
    share(pair, f'{tag}/0')
    assert fetch(pair).new == [RunRef('x' * 93 + '@origin', 0)]
    monkeypatch.setattr(remote_names, 'candidates', lambda tag, owner: [tag])
    share(pair, f'{tag}/0', main=b'other\n')
    assert [run for run, _ in fetch(pair).failed] == [RunRef(tag, 0)]


def test_a_folder_without_refs_keeps_its_name_too(pair):
    (pair.bob.folder('new/0')).mkdir(parents=True)
    share(pair, 'new/0')
    assert fetch(pair).new == [RunRef('new@origin', 0)]
    assert not any(pair.bob.folder('new/0').iterdir())


def test_a_run_without_a_result_is_known_and_not_shown_yet(pair):
    pair.plant('refs/tagrun/code/new/0', {'code/main.py': b'pass\n'})
    fetcher = fetch(pair)
    assert not fetcher.new and not pair.bob.folder('new/0').exists()
    assert pair.bob.git('rev-parse', 'refs/tagrun/code/new/0')


def test_a_run_that_went_on_is_updated(pair):
    code = share(pair, 'new/0', status='interrupted')
    fetch(pair)
    former = pair.refs()['refs/tagrun/result/new/0']
    tree = pair.alice.git('-C', pair.hub, 'rev-parse', f'{former}^{{tree}}').strip()
    words = ['commit-tree', tree, '-p', code, '-p', former, '-m', 'result of new/0']
    later = pair.alice.git('-C', pair.hub, *words).strip()
    pair.alice.git('-C', pair.hub, 'update-ref', 'refs/tagrun/result/new/0', later)
    assert fetch(pair).updated == [RunRef('new', 0)]
    assert pair.bob.git('rev-parse', 'refs/tagrun/result/new/0').strip() == later


def test_a_result_that_is_no_run_is_left_out_and_stops_no_other(pair):
    share(pair, 'bad/0', info={'seed': 'x'})
    share(pair, 'good/0', main=b'1\n')
    fetcher = fetch(pair)
    assert fetcher.new == [RunRef('good', 0)]
    assert fetcher.failed == [(RunRef('bad', 0), "run.json: 'seed' is missing or wrong")]
    assert not pair.bob.folder('bad/0').exists()


def test_a_ref_that_git_refuses_stops_no_other(pair):
    share(pair, 'odd/0')
    share(pair, 'good/0', main=b'1\n')
    # git has no place for a ref below another ref
    pair.bob.git('update-ref', 'refs/tagrun/code/odd', 'HEAD')
    fetcher = fetch(pair)
    assert fetcher.new == [RunRef('good', 0)]
    assert [run for run, _ in fetcher.failed] == [RunRef('odd', 0)]
    assert not pair.bob.folder('odd/0').exists()


def test_a_rerun_is_linked_to_the_name_that_its_run_has_here(pair):
    pair.bob.tagrun('run', 'same')
    share(pair, 'same/0')
    share(pair, 'same/1', main=b'1\n', info={'rerun_of': 'same/0', 'exact': True})
    assert set(fetch(pair).new) == {RunRef('same@origin', 0), RunRef('same', 1)}
    info = json.loads((pair.bob.folder('same/1') / 'run.json').read_text())
    assert info['rerun_of'] == 'same@origin/0' and info['exact'] is True


def test_many_runs_are_taken_in_parts_and_their_refs_packed(pair, monkeypatch, capsys):
    monkeypatch.setattr(fetcher_module, 'RUNS_AT_ONCE', 2)
    monkeypatch.setattr(fetcher_module, 'REPORT_EVERY', 2)
    monkeypatch.setattr(fetcher_module, 'PACK_FROM', 10)
    for number in range(5):
        share(pair, f'new/{number}', main=str(number).encode())
    assert len(fetch(pair).new) == 5
    assert '4 of 5 runs …' in capsys.readouterr().err
    assert not (pair.bob.root / '.git' / 'refs' / 'tagrun' / 'code' / 'new' / '0').exists()


@pytest.mark.parametrize('name', ['t1', 't1/0'])
def test_nothing_is_written_through_a_link(pair, tmp_path, name):
    pair.bob.folder(name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / 'elsewhere').mkdir()
    pair.bob.folder(name).symlink_to(tmp_path / 'elsewhere')
    share(pair, 't1/0')
    with pytest.raises(Exception, match='a link to another place'):
        fetch(pair)
    assert not any((tmp_path / 'elsewhere').iterdir())
