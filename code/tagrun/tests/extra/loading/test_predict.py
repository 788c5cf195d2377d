"""`tagrun predict`: the file or stdout, an interrupt, memory that does not grow."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from project_factory import wait_for

# prints the largest memory, in KB, of what it runs
PEAK = 'import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); '
PEAK += 'print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)'


@pytest.fixture
def signals(tmp_path):
    np.save(tmp_path / 'a.npy', np.random.default_rng(0).normal(size=(3, 40)))
    return tmp_path


def test_rows_go_to_stdout_or_a_file_as_csv_or_json(trained, signals):
    # a file of the folder with the name of a module of Python's own
    (signals / 'csv.py').write_text('raise RuntimeError\n')
    done = trained.tagrun('predict', 'first:last', 'a.npy', cwd=signals)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row['row'] for row in rows] == ['0', '1', '2'] and rows[0]['file'] == 'a.npy'
    assert '3 rows' in done.stderr
    path = signals / 'out.jsonl'
    words = 'predict', 'first/0:2', 'a.npy', 'missing.npy', '-o', 'out.jsonl'
    done = trained.tagrun(*words, cwd=signals, code=1)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [str(line['p3']) for line in lines] == [row['p3'] for row in rows]
    assert done.stdout == '' and 'missing.npy: No such file' in done.stderr
    assert 'out.jsonl: 3 rows' in done.stderr


def test_what_the_code_prints_is_not_among_the_rows(trained, tmp_path):
    done = trained.tagrun('predict', 'second', 'x', cwd=tmp_path)
    assert done.stdout == 'file,hidden,training,x\nx,8,False,-3\n' and 'reading x' in done.stderr


@pytest.mark.parametrize(
    'words, code, sentence',
    [
        (['first'], 2, 'path is missing'),
        (['frist', 'a.npy'], 1, "Did you mean 'first'"),
        (['first:9', 'a.npy'], 1, "first/0 has no checkpoint '9'"),
        (['first', 'a.npy', '-o', './a.npy'], 1, './a.npy is one of the files to read'),
        (['first', 'a.npy', '-o', '.'], 1, '. is not a file'),
        (['first', 'a.npy', '-o', 'none/out.csv'], 1, 'there is no folder'),
    ],
)
def test_what_it_cannot_do_is_one_sentence(trained, signals, words, code, sentence):
    assert sentence in trained.tagrun('predict', *words, cwd=signals, code=code).stderr


def child_of(process):
    return int(Path(f'/proc/{process.pid}/task/{process.pid}/children').read_text())


@pytest.fixture
def start(trained, tmp_path):
    """A function that starts to predict; it waits in its first file."""

    def started(path, *words):
        process = subprocess.Popen(
            trained.command('predict', 'second/0', path, *words),
            cwd=tmp_path,
            env=trained.env,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert process.stderr.readline() == f'reading {path}\n'
        return process

    return started


@pytest.mark.parametrize(
    'number, send, code',
    [
        (signal.SIGINT, os.killpg, 130),
        (signal.SIGTERM, os.kill, 128 + signal.SIGTERM),
    ],
)
def test_a_signal_ends_it_and_leaves_the_old_file(start, tmp_path, number, send, code):
    path = tmp_path / 'out.csv'
    path.write_text('old')
    process = start('sleep', '-o', 'out.csv')
    assert len(list(tmp_path.iterdir())) == 2
    worker = child_of(process)
    send(process.pid, number)
    error = process.communicate(timeout=30)[1]
    assert process.returncode == code and 'Traceback' not in error
    assert list(tmp_path.iterdir()) == [path] and path.read_text() == 'old'
    wait_for(lambda: not os.path.exists(f'/proc/{worker}'), what='the end of its process')


def test_its_process_does_not_outlive_a_killed_command(start):
    process = start('sleep')
    worker = child_of(process)
    process.kill()
    process.communicate()
    assert wait_for(lambda: not os.path.exists(f'/proc/{worker}'), what='the end of its process')


def test_a_process_that_is_killed_is_said_and_its_rows_do_not_count(start, tmp_path):
    process = start('kill', '-o', 'out.csv')
    error = process.communicate(timeout=30)[1]
    assert process.returncode == 1 and 'the process was killed by SIGKILL' in error
    assert not list(tmp_path.iterdir())


def test_a_reader_that_goes_away_and_a_full_disk_are_no_traceback(trained, tmp_path):
    np.save(tmp_path / 'a.npy', np.zeros((5000, 40)))
    command = trained.command('predict', 'first', 'a.npy')
    options = {'cwd': tmp_path, 'env': trained.env, 'stderr': subprocess.PIPE, 'text': True}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, **options)
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == '' and process.wait(30) == 0
    with open('/dev/full', 'w') as full:
        done = subprocess.run(command, stdout=full, **options)
    assert done.returncode == 1
    assert done.stderr == 'tagrun: the rows cannot be written: No space left on device\n'


def peak_mb(trained, folder, suffix, count):
    """The largest memory of predicting so many rows, in MB."""
    path = folder / f'{count}{suffix}'
    if suffix == '.npy':
        np.save(path, np.zeros((count, 40), dtype='float32'))
    else:
        path.write_text(','.join(['0.25'] * 40) + '\n')
        line = path.read_text()
        with open(path, 'w') as file:
            file.writelines(line for _ in range(count))
    command = trained.command('predict', 'first', path, '-o', folder / 'out.csv')
    words = [sys.executable, '-c', PEAK, *command]
    done = subprocess.run(words, env=trained.env, capture_output=True, text=True, check=True)
    with open(folder / 'out.csv') as file:
        assert sum(1 for _ in file) == count + 1
    return int(done.stdout) / 1024


def test_memory_does_not_grow_with_the_number_of_rows(trained, tmp_path):
    few, many = (peak_mb(trained, tmp_path, '.npy', count) for count in (2_000, 80_000))
    # the file has 13 MB, and its rows as dicts would have 100
    assert many - few < 10


@pytest.mark.slow
@pytest.mark.parametrize('suffix', ['.npy', '.csv'])
def test_memory_is_flat_over_a_million_rows(trained, tmp_path, suffix):
    few, many = (peak_mb(trained, tmp_path, suffix, count) for count in (2_000, 1_000_000))
    assert many - few < 25
