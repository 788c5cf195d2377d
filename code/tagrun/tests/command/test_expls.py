"""What `expls` shows of runs in every state, and that it stays light."""

import fcntl
import json
import subprocess
import sys
import time

import pexpect
import pytest
import run_factory

from tagrun.store import lock, run_json, statistic


@pytest.fixture
def project(stubbed):
    return stubbed


def at(seconds_ago):
    return time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(time.time() - seconds_ago))


def since(seconds_ago, **more):
    return {'time': {'started': at(seconds_ago), 'updated': at(0), 'seconds': 30.0}, **more}


def rows(project, *words):
    return [line.split('  ') for line in project.tagrun('expls', *words).stdout.splitlines()[1:]]


def tag(project, name, why):
    project.git('tag', '-a', name, '-m', why)


def test_tags_come_with_their_number_of_runs_best_metric_age_and_why_the_newest_last(project):
    run_factory.run(project.root, 'new/0', metric={'val/acc': 0.9}, **since(60))
    run_factory.run(project.root, 'old/0', metric={'val/acc': 0.8}, **since(7200))
    run_factory.run(project.root, 'old/1', metric={'val/acc': 0.7}, **since(3600))
    tag(project, 'new', 'wider is better\n\nseed 3')
    tag(project, 'old', 'run old\n\nseed 3')  # what `run` writes without -m
    head, old, new = project.tagrun('expls').stdout.splitlines()
    assert head.split() == ['tag', 'runs', 'status', 'val/acc', 'age', 'why']
    assert old.split() == ['old', '2', 'finished', '0.8000', '1', 'h'] and new.split()[3:] == [
        '0.9000',
        '1',
        'min',
        'wider',
        'is',
        'better',
    ]


def test_the_best_of_a_loss_is_the_smallest_and_nan_is_never_the_best(project):
    for number, value in enumerate((0.5, 0.2, 'nan', 0.4)):
        run_factory.run(
            project.root,
            f't/{number}',
            metric={'val/loss': value},
            monitor='val/loss',
            monitor_mode='min',
        )
    assert (
        json.loads(project.tagrun('expls', '--json').stdout)[0]['best']
        | {'run': 't/1', 'best': 0.2}
        == json.loads(project.tagrun('expls', '--json').stdout)[0]['best']
    )


def test_runs_tell_every_state_there_is(project):
    for number, state in enumerate(('finished', 'failed', 'interrupted', 'running')):
        run_factory.run(project.root, f't/{number}', status=state, **since(60 - number))
    run_factory.run(project.root, 't/4', status='running', epoch=1, epochs=4, **since(10))
    created = project.folder('t/5')
    created.mkdir()
    run_json.write(created, run_json.build(project.root, 't', 5, None, 3))
    run_factory.run(project.root, 't/6', **since(0))
    (project.folder('t/6') / statistic.NAME).write_text('{"half of a fi')
    (project.folder('t/4') / lock.NAME).write_text('{"pid": 1}')
    with open(project.folder('t/4') / lock.NAME) as file:  # what a training process holds
        fcntl.flock(file, fcntl.LOCK_EX)
        done = project.tagrun('expls', 't')
    found = {line.split()[0]: line.split('  ')[1].strip() for line in done.stdout.splitlines()[1:]}
    assert found['t/4'].startswith('running, ') and found['t/4'].endswith(' left')
    assert {name: found[name] for name in found if name != 't/4'} == {
        't/0': 'finished',
        't/1': 'failed',
        't/2': 'interrupted',
        't/3': 'killed',
        't/5': 'created',
        't/6': 'unreadable',
    }
    assert 't/6: statistic.json: not JSON' in done.stderr


def test_a_run_names_what_differs_from_its_tags_first_and_why_it_ended(project):
    run_factory.run(project.root, 't/0')
    run_factory.run(
        project.root,
        't/1',
        {'lr': 0.1, 'new': True},
        status='failed',
        message='ValueError: no\nsuch \x1b[31mthing',
    )
    line = project.tagrun('expls', 't/1').stdout.splitlines()[-1]
    assert line.endswith('lr=0.1 new=True ValueError: no such \\x1b[31mthing')
    assert json.loads(project.tagrun('expls', 't/1', '--json').stdout)[0]['differs'] == {
        'lr': 0.1,
        'new': True,
    }


def test_r_lists_all_runs_and_words_choose_some(project):
    for name in ('a/0', 'b/0', 'b/1', 'scratch/0'):
        run_factory.run(project.root, name)
    run_factory.listed(project.root, 'paper', 'b', 'no line', 'a/0')
    assert sorted(row[0] for row in rows(project, '-r')) == ['a/0', 'b/0', 'b/1', 'scratch/0']
    assert sorted(row[0] for row in rows(project, 'b', 'a/0')) == ['a/0', 'b/0', 'b/1']
    assert sorted(row[0] for row in rows(project, '@paper')) == ['a/0', 'b/0', 'b/1']
    assert 'by hand, not recorded' in project.tagrun('expls').stdout
    assert "Did you mean 'b'?" in project.tagrun('expls', 'bb', code=1).stderr


def test_an_empty_project_is_no_error(project):
    done = project.tagrun('expls')
    assert (
        done.stdout == ''
        and '`run first` makes one' in done.stderr
        and project.tagrun('expls', '--json').stdout == '[]\n'
    )


def test_without_git_the_runs_are_listed_all_the_same(project):
    run_factory.run(project.root, 't/0')
    (project.root / '.git').rename(project.root / 'no git')
    assert rows(project)[0][0] == 't'


def test_json_has_all_digits(project):
    run_factory.run(project.root, 't/0', metric={'val/acc': 1 / 3})
    assert json.loads(project.tagrun('expls', '-r', '--json').stdout)[0]['best'] == 1 / 3


def test_lines_fit_the_terminal_and_go_whole_into_a_pipe(project):
    run_factory.run(project.root, 't/0')
    tag(project, 't', 'a long reason ' * 20 + 'end')
    assert project.tagrun('expls').stdout.rstrip().endswith('end')
    shown = pexpect.run(
        f'"{sys.executable}" "{project.root}/code/tagrun" expls',
        dimensions=(24, 60),
        encoding='utf-8',
        env={key: value for key, value in project.env.items() if key != 'COLUMNS'},
    )
    assert (
        max(map(len, shown.splitlines())) == 60
        and shown.splitlines()[-1].endswith('…')
        and '\x1b' not in shown
    )


def test_odd_values_of_others_make_no_traceback(project):
    run_factory.run(
        project.root,
        't/0',
        monitor=['x'],
        monitor_mode=3,
        epoch='one',
        epochs=None,
        seed={},
        message=7,
        metric={'val/acc': 'high'},
    )
    run_factory.run(
        project.root,
        't/1',
        time={'started': 5, 'updated': None, 'seconds': 'many'},
        status={'a': 1},
        hparam={'lr': [1, {'b': None}]},
    )
    for words in ((), ('-r',), ('--json',), ('-r', '--json')):
        project.tagrun('expls', *words)


def test_it_loads_neither_torch_nor_pandas(project):
    run_factory.run(project.root, 't/0')
    script = (
        'import runpy, sys; sys.argv = ["tagrun", "expls"]\n'
        'try: runpy.run_path("code/tagrun", run_name="__main__")\n'
        'except SystemExit: print(sorted({"torch", "pandas", "numpy", "tensorboard"} & '
        'set(sys.modules)))'
    )
    done = subprocess.run(
        [sys.executable, '-c', script],
        cwd=project.root,
        env=project.env,
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines()[-1] == '[]', done.stderr


BASELINE = '''
import glob, json, pandas
rows = []
for path in sorted(glob.glob('__result__/*/*/statistic.json')):
    content = json.load(open(path))
    rows.append({'name': content['run'], **content['hparam'], **content['metric']})
pandas.DataFrame(rows).to_csv('table.csv', index=False)
'''


@pytest.mark.parametrize('runs', [3_000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_thousands_of_runs_take_little_more_than_a_script_by_hand(stubbed, runs):
    filling = {f'argument_{number}': 'a value of some length' for number in range(30)}
    for number in range(runs):
        folder = stubbed.folder(f'e{number // 4}/{number % 4}')
        folder.mkdir(parents=True)
        content = {
            'run': f'e{number // 4}/{number % 4}',
            'status': 'finished',
            'seed': number,
            'epoch': 3,
            'epochs': 3,
            'monitor': 'val/acc',
            'monitor_mode': 'max',
            'metric': run_factory.METRIC,
            'hparam': {**run_factory.HPARAM, **filling},
            'time': {'started': at(number)},
        }
        (folder / statistic.NAME).write_text(json.dumps(content, indent=2))
    by_hand = min(seconds(stubbed, [sys.executable, '-c', BASELINE]) for _ in range(3))
    for words in ((), ('-r',)):
        ours = min(seconds(stubbed, stubbed.command('expls', *words)) for _ in range(3))
        print(
            f'\nexpls {" ".join(words)} of {runs:,} runs: {ours:.2f} s, json + pandas by '
            f'hand {by_hand:.2f} s: {ours / by_hand:.2f}'
        )
        assert ours < 2 * by_hand  # loosely, for a busy machine: the bench has the ratio


def seconds(project, command):
    begin = time.monotonic()
    subprocess.run(
        command, cwd=project.root, env=project.env, check=True, stdout=subprocess.DEVNULL
    )
    return time.monotonic() - begin
