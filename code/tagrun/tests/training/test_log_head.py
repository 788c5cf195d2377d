"""training/log_head.py: each start of a run begins the log with what is trained."""

import types

from tagrun.training import log_head

INFO = {'tag': 't1', 'id': 0, 'commit': 'c' * 40, 'seed': 4242, 'resume': None}


def test_the_head_has_the_run_its_seed_commit_and_arguments_within_80_columns():
    args = types.SimpleNamespace(lr=0.5, model='mlp', seed=4242, names=['value'] * 40)
    lines = log_head.of_run(INFO) + log_head.of_arguments(args)
    text = '\n'.join(lines)
    assert lines[0].startswith('--- t1/0   20') and f'seed 4242   commit {"c" * 40}' in text
    assert "lr=0.5 model='mlp' names=[" in text and text.count('4242') == 1
    assert max(map(len, lines)) <= 80 and text.count("'value'") == 40


def test_a_start_that_goes_on_says_from_where_and_one_by_hand_has_no_commit():
    lines = log_head.of_run({**INFO, 'resume': 'epoch_3.pth', 'commit': None})
    assert lines[0].endswith('goes on from epoch_3.pth') and 'no commit' in lines[1]


def test_the_head_of_an_evaluation_names_it_and_the_checkpoint():
    info = {**INFO, 'evaluate': {'id': 2, 'checkpoint': 'epoch_3.pth'}}
    head = log_head.of_run(info)[0]
    assert head.startswith('--- t1/0/evaluation/2   20') and head.endswith('   of epoch_3.pth')


def test_a_run_by_hand_says_where_its_log_is(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for commit in ('c' * 40, None):
        log_head.open_log(tmp_path, {**INFO, 'commit': commit}).close()
    assert capsys.readouterr().err == 't1/0: its log is log\n'


def test_a_further_process_writes_no_head_and_the_form_is_that_of_run_json(tmp_path):
    for shown in (True, False):
        log = log_head.open_log(tmp_path, {**INFO, 'log': 'plain'}, shown)
        log.only_file('one\n')
        log.close()
    lines = (tmp_path / 'log').read_text().splitlines()
    assert lines[0].startswith('--- t1/0') and lines[2:] == ['one', 'one']


def test_the_head_names_what_a_run_takes_from_others():
    source = {'file': 'epoch_3.pth', 'sha256': 'a' * 64, 'what': 'weights'}
    taken = {f'a-long-name-{number}/0': source for number in range(4)}
    lines = log_head.of_run({**INFO, 'inputs': taken})
    assert lines[2].startswith('    takes a-long-name-0/0:epoch_3.pth, a-long-name-1/0:')
    assert max(map(len, lines)) <= 80 and 'a-long-name-3/0:epoch_3.pth' in lines[-1]
