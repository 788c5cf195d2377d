"""The scoreboard: its table, its exit code, and a list that names a file which is gone."""

import sys

import pytest
from project_factory import CODE

BENCH = CODE / 'tagrun' / 'bench'


@pytest.fixture
def proof(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    import proof

    return proof


def outcome(proof, text, is_good):
    return proof.Outcome(text, is_good)


def measure_with(proof, monkeypatch, outcomes):
    monkeypatch.setattr(proof, 'MEASUREMENTS', (lambda folder, options: outcomes,))


def test_a_figure_that_misses_its_target_is_marked_and_the_exit_code_is_1(
    proof, monkeypatch, capsys
):
    outcomes = {1: outcome(proof, '30 kills: 0', True), 3: outcome(proof, '2 calls: 1', False)}
    measure_with(proof, monkeypatch, outcomes)
    assert proof.main(['--seed', '7']) == 1
    out, err = capsys.readouterr()
    assert '**missed:** 2 calls: 1' in out and 'seed 7' in out
    assert '**missed:** 30 kills' not in out
    assert ' 3  MISSED ' in err and ' 1  good ' in err


def test_a_figure_that_was_not_measured_is_not_missed(proof, monkeypatch, capsys, tmp_path):
    measure_with(proof, monkeypatch, {14: outcome(proof, '9 skipped', None)})
    assert proof.main(['-o', str(tmp_path / 'table.md')]) == 0
    assert '| 14 | Hostile report' in (tmp_path / 'table.md').read_text()
    assert capsys.readouterr().out == ''


def test_the_options_choose_the_counts(proof, monkeypatch):
    given = []

    def measure(folder, options):
        given.append(options)
        return {}

    monkeypatch.setattr(proof, 'MEASUREMENTS', (measure,))
    proof.main(['--only', '1', '5', '--kills', '3'])
    proof.main(['--full'])
    assert (given[0].only, given[0].kills, given[0].reruns) == ((1, 5), 3, 5)
    assert (given[1].is_full, given[1].kills) == (True, 1000)


def test_only_the_figures_that_are_asked_for_are_measured(proof, tmp_path):
    options = proof.Options((99,), False, 1, **proof.SHORT)
    for measure in proof.MEASUREMENTS:
        assert measure(tmp_path, options) == {}


def test_a_listed_file_that_is_gone_is_named(proof, monkeypatch, tmp_path):
    core_coverage = sys.modules['core_coverage']
    monkeypatch.setattr(core_coverage, 'CORE', ('training/gone.py', 'store/lock.py'))
    with pytest.raises(SystemExit, match='training/gone.py$'):
        core_coverage.measure(tmp_path)
