"""The end of a run on the screen."""

import pytest
import run_factory

from tagrun.core.launch import summary
from tagrun.store import layout, run_json, statistic


def shown(folder, capsys, monkeypatch):
    monkeypatch.chdir(folder.parents[2])
    summary.show(folder, run_json.read(folder))
    return capsys.readouterr().err


def test_it_says_how_it_ended_how_good_it_is_and_what_to_type(tmp_path, capsys, monkeypatch):
    said = shown(run_factory.run(tmp_path, 't1/0'), capsys, monkeypatch)
    assert 't1/0 finished after 12 s of training; the best by val/acc is epoch 2 of 3:' in said
    assert '  train    loss 0.5000   acc 0.8000\n  val      loss 0.6100   acc 0.7500\n' in said
    assert '  files    __result__/t1/0\n' in said
    assert '  next     rerun t1/0 -f ' in said and '           itb t1 ' in said


@pytest.mark.parametrize(
    'status, texts',
    [
        ('running', ['killed after 12 s', 'no memory left', 'continue t1/0', 'exactly']),
        ('interrupted', ['continue t1/0', 'exactly where it stood']),
        ('pruned', ['continue t1/0', 'all the same']),
        ('failed', ['git tag -d t1 && run t1', 'continue t1/0']),
    ],
)
def test_what_to_type_next_depends_on_how_it_ended(tmp_path, capsys, monkeypatch, status, texts):
    folder = run_factory.run(tmp_path, 't1/0', status=status)
    said = shown(folder, capsys, monkeypatch)
    assert all(text in said for text in texts), said


def test_figures_that_are_not_numbers_are_left_out(tmp_path, capsys, monkeypatch):
    metric = {'val/acc': [1], 'val/loss': 'nan', 'odd': None}
    folder = run_factory.run(tmp_path, 't1/0', metric=metric)
    said = shown(folder, capsys, monkeypatch)
    assert '  val      loss nan\n' in said


def test_a_run_that_wrote_nothing_reads_as_killed(tmp_path, capsys, monkeypatch):
    folder = run_factory.run(tmp_path, 't1/0')
    (folder / statistic.NAME).write_text('{')
    assert summary.read_statistic(folder) == {}
    assert 't1/0 killed' in shown(folder, capsys, monkeypatch)


def test_a_scratch_run_leads_to_a_recorded_one(tmp_path, capsys, monkeypatch):
    number, folder = layout.claim(tmp_path, layout.SCRATCH)
    run_json.write(folder, run_json.build(tmp_path, layout.SCRATCH, number, None, 7))
    statistic.write(folder, {'status': 'finished'})
    assert 'run <tag>' in shown(folder, capsys, monkeypatch)
