"""Whether a rerun is the same: said as it trains, and at its end."""

import pytest

from tagrun.core.compare import first_divergence
from tagrun.core.launch import rerun_verdict
from tagrun.core.launch.rerun_verdict import DIFFERS, Watch
from tagrun.store import history, jsonfile, layout, run_json, safe_read, statistic, trace

LINES = ('1,1,0,0,0.5,', '1,2,0,0,0.25,', '1,,,,,abcd')


def run(root, number, lines=LINES, status='finished', weights='w', hparam=None, **more):
    folder = layout.run_folder(root, 't1', number)
    folder.mkdir(parents=True)
    run_json.write(folder, run_json.build(root, 't1', number, 'a' * 40, 7, **more))
    statistic.write(
        folder, {'status': status, 'digest': {'weights': weights}, 'hparam': hparam or {}}
    )
    jsonfile.write(
        folder / 'environment.json', {'torch': number, 'data': {'train': {'samples': number}}}
    )
    history.write(folder, [{'val/acc': 0.5, 'seconds': number}])
    extend(folder, trace.HEADER.strip(), *lines)
    return folder


def extend(folder, *lines):
    with open(folder / trace.NAME, 'a') as file:
        file.writelines(line + '\n' for line in lines)


@pytest.fixture
def watched(tmp_path):
    """A watch of a rerun that has one line of its trace, and its folder."""
    run(tmp_path, 0)
    folder = run(tmp_path, 1, LINES[:1], rerun_of='t1/0', exact=True)
    return Watch(tmp_path, folder, run_json.read(folder)), folder


def test_the_same_is_said_and_written(watched, capsys):
    watch, folder = watched
    watch.look()
    extend(folder, *LINES[1:])
    assert watch.end() == 0
    assert 'the same as t1/0, bit for bit: 3 lines of trace.csv' in capsys.readouterr().err
    assert run_json.read(folder)['verdict']['same'] is True


def test_the_first_difference_is_said_at_once_and_only_once(watched, capsys):
    watch, folder = watched
    watch.look()
    assert capsys.readouterr().err == ''
    extend(folder, '1,2,0,0,0.3,', '1,,,,,ffff')
    watch.look()
    said = capsys.readouterr().err
    assert 'the loss at step 2 of epoch 1 (0.3 here, 0.25 there)' in said
    assert 'torch: 0 there, 1 here' in said and 'data train: ' in said
    assert watch.end() == DIFFERS and capsys.readouterr().err == ''
    assert run_json.read(folder)['verdict']['first_difference']['step'] == '2'


def test_what_the_trace_does_not_show_is_found_at_the_end(tmp_path, capsys):
    run(tmp_path, 0)
    folder = run(tmp_path, 1, weights='other', rerun_of='t1/0', exact=True)
    assert Watch(tmp_path, folder, run_json.read(folder)).end() == DIFFERS
    assert 'not the same as t1/0: the weights (other here, w there)' in capsys.readouterr().err


def test_a_rerun_that_did_not_finish_has_no_verdict_yet(tmp_path):
    run(tmp_path, 0)
    folder = run(tmp_path, 1, LINES[:1], 'interrupted', rerun_of='t1/0', exact=True)
    assert Watch(tmp_path, folder, run_json.read(folder)).end() == 0
    assert 'verdict' not in run_json.read(folder)


def test_the_verdict_names_arguments_that_came_from_outside_the_commit(tmp_path, capsys):
    run(tmp_path, 0, hparam={'lr': 0.1, 'epochs': 2})
    folder = run(
        tmp_path,
        1,
        ('1,1,0,0,0.7,',),
        hparam={'lr': 0.3, 'epochs': 2},
        rerun_of='t1/0',
        exact=True,
    )
    assert Watch(tmp_path, folder, run_json.read(folder)).end() == DIFFERS
    said = capsys.readouterr().err
    assert 'argument lr: 0.1 there, 0.3 here' in said and 'environment' in said
    assert 'operator' not in said and 'epochs' not in said
    assert run_json.read(folder)['verdict']['differs']['config'] == {'lr': [0.1, 0.3]}


def test_an_argument_that_changes_no_bit_is_named_too(tmp_path, capsys):
    run(tmp_path, 0, hparam={'num_workers': 0})
    folder = run(tmp_path, 1, hparam={'num_workers': 2}, rerun_of='t1/0', exact=True)
    assert Watch(tmp_path, folder, run_json.read(folder)).end() == 0
    said = capsys.readouterr().err
    assert 'the same as t1/0, bit for bit' in said
    assert 'argument num_workers: 0 there, 2 here' in said


def test_an_operator_is_the_last_guess_and_not_made_of_the_data(tmp_path, capsys):
    environment = {'torch': '2', 'threads': 1}
    for number, line in enumerate(('1,1,0,0,0.5,', '1,1,0,0,0.6,', '1,1,0,f,0.6,')):
        folder = run(tmp_path, number, (line,), rerun_of='t1/0', exact=True)
        jsonfile.write(folder / 'environment.json', environment)
        (folder / 'code').mkdir()
        (folder / 'code' / 'epoch.py').write_text("x = 1\ny = os.environ['SCALE']\n")
        if number:
            Watch(tmp_path, folder, run_json.read(folder)).end()
    of_loss, of_batch = capsys.readouterr().err.split('not the same')[1:]
    assert 'or at last a non-deterministic operator\n' in of_loss
    assert "look at  code/epoch.py:2  os.environ['SCALE']" in of_loss
    assert 'operator' not in of_batch and 'a file that changed' in of_batch
    (folder / 'code' / 'epoch.py').write_text('x =')
    Watch(tmp_path, folder, run_json.read(folder)).end()
    assert 'look at' not in capsys.readouterr().err
    (folder / 'environment.json').unlink()
    Watch(tmp_path, folder, run_json.read(folder)).end()
    said = capsys.readouterr().err
    assert 'unknown: one of the two has no environment.json' in said
    assert 'nothing recorded differs' not in said


@pytest.mark.parametrize('status', ['interrupted', 'running', 'failed'])
def test_a_run_that_is_not_finished_gets_no_false_verdict(tmp_path, status, capsys):
    run(tmp_path, 0, LINES[:1], status, weights='of an earlier epoch')
    history.write(layout.run_folder(tmp_path, 't1', 0), [])
    folder = run(tmp_path, 1, rerun_of='t1/0', exact=True)
    assert Watch(tmp_path, folder, run_json.read(folder)).end() == 0
    said = capsys.readouterr().err
    assert 'the same as t1/0 as far as that one goes' in said and '1 lines of trace' in said
    assert 'verdict' not in run_json.read(folder)
    other = run(tmp_path, 2, ('1,1,0,0,0.9,',), rerun_of='t1/0', exact=True)
    assert Watch(tmp_path, other, run_json.read(other)).end() == DIFFERS
    assert run_json.read(other)['verdict']['same'] is False


def test_the_verdict_names_an_input_that_changed_before_all_else(tmp_path, capsys):
    """Such as of a run whose input was exchanged, with its record."""
    of = {
        number: {'pre/0': {'file': 'epoch_3.pth', 'sha256': digit * 64, 'what': 'weights'}}
        for number, digit in enumerate('ab')
    }
    run(tmp_path, 0, hparam={'lr': 0.1}, inputs=of[0])
    other = ('1,1,0,0,0.7,', *LINES[1:])
    more = {'rerun_of': 't1/0', 'exact': True, 'inputs': of[1]}
    folder = run(tmp_path, 1, other, hparam={'lr': 0.2}, **more)
    assert Watch(tmp_path, folder, run_json.read(folder)).end() == DIFFERS
    said = capsys.readouterr().err.splitlines()
    assert 'not the same as t1/0: the loss at step 1' in said[0]
    expected = (
        '  input pre/0: weights epoch_3.pth aaaaaaaaaaaa there, weights epoch_3.pth bbbbbbbbbbb'
    )
    assert said[1].startswith(expected)
    assert list(run_json.read(folder)['verdict']['differs'])[0] == 'inputs'


def test_the_verdict_keeps_what_training_wrote_to_run_json_meanwhile(tmp_path):
    run(tmp_path, 0)
    folder = run(tmp_path, 1, rerun_of='t1/0', exact=True)
    watch = Watch(tmp_path, folder, run_json.read(folder))
    source = {'file': 'epoch_3.pth', 'sha256': 'a' * 64, 'what': 'code'}
    run_json.write(folder, {**run_json.read(folder), 'inputs': {'pre/0': source}})
    watch.end()
    content = run_json.read(folder)
    assert content['inputs'] == {'pre/0': source} and 'verdict' in content


def test_the_verdict_says_of_which_data_nobody_knows_whether_they_differ(tmp_path, capsys):
    folders = [run(tmp_path, 0), run(tmp_path, 1, weights='other', rerun_of='t1/0', exact=True)]
    for folder, digest in zip(folders, ('aa', None), strict=True):
        data = {'train': {'samples': 3, 'digest': digest}}
        jsonfile.write(folder / 'environment.json', {'torch': '2', 'data': data})
    assert Watch(tmp_path, folders[1], run_json.read(folders[1])).end() == DIFFERS
    said = capsys.readouterr().err
    assert 'unknown: whether the data of train differ: a fingerprint is missing' in said
    assert 'data train' not in said
    assert 'differs' not in run_json.read(folders[1])['verdict']


def failing(monkeypatch, module, function, times):
    """Let a function raise an error of the disk at its next `times` calls."""
    left, real = [times], getattr(module, function)

    def call(*arguments):
        left[0] -= 1
        if left[0] >= 0:
            raise OSError(5, 'Input/output error')
        return real(*arguments)

    monkeypatch.setattr(module, function, call)


@pytest.mark.parametrize('function', ['open_file', 'read_bytes'])
@pytest.mark.parametrize('times', [1, 2, 3])
def test_a_read_that_fails_for_a_moment_is_no_difference(tmp_path, monkeypatch, function, times):
    run(tmp_path, 0)
    folder = run(tmp_path, 1, LINES[:1], rerun_of='t1/0', exact=True)
    watch = Watch(tmp_path, folder, run_json.read(folder))
    watch.look()
    extend(folder, LINES[1])
    with monkeypatch.context() as moment:
        failing(moment, safe_read, function, times)
        watch.look()
    extend(folder, *LINES[2:])
    watch.look()
    is_finished = rerun_verdict._is_finished
    monkeypatch.setattr(rerun_verdict, '_is_finished', lambda _: True)
    failing(monkeypatch, safe_read, function, times)
    code = watch.end()
    monkeypatch.setattr(rerun_verdict, '_is_finished', is_finished)
    # it is the same, or nothing is said of it
    assert code in (0, 1)
    assert run_json.read(folder).get('verdict', {}).get('same', code == 1) is True


def test_a_file_that_cannot_be_read_is_named_and_there_is_no_verdict(tmp_path, monkeypatch, capsys):
    run(tmp_path, 0)
    folder = run(tmp_path, 1, rerun_of='t1/0', exact=True)
    watch = Watch(tmp_path, folder, run_json.read(folder))
    watch.look()
    real = safe_read.read_bytes

    def broken(path):
        if str(path).endswith('1/history.csv'):
            raise OSError(5, 'Input/output error')
        return real(path)

    monkeypatch.setattr(safe_read, 'read_bytes', broken)
    assert watch.end() == 1
    said = capsys.readouterr().err
    assert 't1/1/history.csv cannot be read (Input/output error)' in said
    assert 'not the same' not in said and 'verdict' not in run_json.read(folder)


@pytest.mark.parametrize('which', [0, 1])
@pytest.mark.parametrize('name', [trace.NAME, history.NAME, statistic.NAME])
@pytest.mark.parametrize('content', [None, b'', b'\x00{'])
def test_what_a_lost_file_had_is_unknown_and_neither_the_same_nor_different(
    tmp_path, name, which, content, capsys
):
    folders = [run(tmp_path, 0), run(tmp_path, 1, rerun_of='t1/0', exact=True)]
    lost = folders[which] / name
    lost.unlink()
    if content is not None:
        lost.write_bytes(content)
    code = Watch(tmp_path, folders[1], run_json.read(folders[1])).end()
    said = capsys.readouterr().err
    assert 'verdict' not in run_json.read(folders[1])
    assert 'not the same' not in said and 'bit for bit' not in said
    # a rerun without a status did not finish
    if (which, name) != (1, statistic.NAME):
        assert code == rerun_verdict.FAILED
        assert f'unknown: {name}' in said.replace('the digest of the weights in ', '')
        assert f'{name} of t1/{which} cannot be read' in said
    difference, unknown = first_divergence.compared(*folders)
    assert difference is None and len(unknown) == 1


def test_a_difference_in_what_both_have_is_one_whatever_is_lost(tmp_path):
    run(tmp_path, 0)
    folder = run(tmp_path, 1, weights='other', rerun_of='t1/0', exact=True)
    (folder / history.NAME).unlink()
    assert Watch(tmp_path, folder, run_json.read(folder)).end() == DIFFERS
