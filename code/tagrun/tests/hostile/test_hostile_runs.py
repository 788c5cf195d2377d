"""Files of a run that somebody else wrote, X7: they harm their own run alone, and never run.

Its checkpoints are in test_hostile_checkpoints.py, links that were planted there in
test_hostile_links.py.
"""

import itertools
import json
import os

from hostile_inputs import CONTROL, inputs, plant
from run_factory import HPARAM, METRIC, listed

from tagrun.core.launch import rerun_verdict
from tagrun.store import checkpoints, history, layout, lock, run_json, statistic, trace


def with_keys(**keys):
    """Return a statistic.json in which some keys hold something else."""
    return json.dumps(
        {
            'run': 't1/0',
            'status': 'finished',
            'seed': 0,
            'commit': 'a' * 40,
            'epoch': 3,
            'epochs': 3,
            'monitor': 'val/acc',
            'monitor_mode': 'max',
            'best_epoch': 2,
            'metric': METRIC,
            'last': {},
            'hparam': HPARAM,
            'digest': {},
            'time': {'seconds': 1.0},
            **keys,
        }
    ).encode()


NASTY = [
    [],
    {},
    'x',
    5,
    None,
    True,
    [[]],
    {'a': {}},
    'nan',
    -1,
    10**400,
    1e308,
    '\x1b[2J\x07',
    '$(touch PWNED)',
    '=1+1',
    '<script>',
    '../../x',
    'x' * 10_000,
    '\ud800',
]
KEYS = (
    'status',
    'monitor',
    'monitor_mode',
    'epoch',
    'best_epoch',
    'seed',
    'commit',
    'message',
    'hparam',
    'metric',
    'time',
)
FILES = [
    b'',
    b'{',
    b'[]',
    b'null',
    b'"x"',
    b'NaN',
    b'{"metric": 1}',
    b'\xff\xfe',
    b'\0' * 100,
    b'{"a":' * 100,
    b'[' * 100_000,
    b'{"a":' * 900 + b'1' + b'}' * 900,
    b'{"status": "finished", "status": "failed"}',
    b'{"__proto__": {"x": 1}}',
    b'{"metric": {"a": NaN, "b": Infinity}}',
    b'{"metric": {"a": ' + b'9' * 5000 + b'}}',
    with_keys(metric={'val/acc': 10**400}),
    with_keys(metric={'val/acc': 'inf', 'a': '-inf'}),
    with_keys(metric={'../../x': 1, '/abs': 2, '': 3, 'a.b': 4, '😀': 5}),
    with_keys(metric={'x' * 10_000: 1}),
    with_keys(metric={'Acc': 1, 'acc': 2, 'ACC': 3}),
    with_keys(hparam={'a': '$(touch PWNED)', 'b': '!!python/object', 'c': {'d': [1]}}),
    with_keys(hparam={'deep': json.loads('[' * 90 + ']' * 90)}),
    *(with_keys(**{key: value}) for key, value in itertools.product(KEYS, NASTY[:3])),
    *(
        with_keys(
            monitor='val/acc',
            metric={'val/acc': value},
            hparam={'lr': value},
            message=value,
            status=value,
            commit=value,
            seed=value,
            epoch=value,
            epochs=value,
            monitor_mode=value,
        )
        for value in NASTY
    ),
    *(with_keys(time={'seconds': value, 'started': value, 'updated': value}) for value in NASTY),
    'FIFO',
    'FOLDER',
    'LOOP',
    'DEVICE',
]


@inputs('X7 statistic.json', 'content', FILES)
def test_a_statistic_that_is_none_costs_only_its_own_run(scratched, command, content):
    plant(layout.run_folder(scratched.root, 't1', 0) / statistic.NAME, content)
    code, out, message = command('table', 'record')
    assert code == 0 and 'base/0' in out, message
    for words in (
        ('expls',),
        ('expls', 't1'),
        ('expls', '--json', 't1'),
        ('title', 'record'),
        ('record', 't1'),
        ('table', 'record', '--json'),
        ('table', 'record', '--format', 'html'),
        ('table', 'record', '--format', 'latex'),
        ('table', 'record', '--sort-by', 'val/acc'),
        ('table', 'record', '--where', 'val/acc > 0.1'),
    ):
        assert command(*words)[0] == 0, words


@inputs(
    'X7 groups', 'value', [1e200, -1e308, 1e308, 'inf', '-inf', 'nan', 10**400, -(10**400), 10**300]
)
def test_a_mean_that_no_float_holds_is_no_number_and_no_error(scratched, command, value):
    for number, metric in enumerate((value, '-inf' if value == 'inf' else value)):
        plant(
            layout.run_folder(scratched.root, 't1', number) / statistic.NAME,
            with_keys(seed=number, metric={'val/acc': metric}),
        )
    listed(scratched.root, 'mine', 't1')
    for form in ('csv', 'html', 'json', 'latex'):
        assert command('table', 'mine', '--group', '--format', form)[0] == 0


def info(**keys):
    return json.dumps(
        {
            'contract': 1,
            'root': '/',
            'tag': 'real',
            'id': 0,
            'commit': 'a' * 40,
            'seed': 1,
            'resume': None,
            'inputs': {},
            **keys,
        }
    ).encode()


INFOS = [
    b'',
    b'{',
    b'[]',
    b'\xff',
    b'[' * 100_000,
    info(tag='../../x'),
    info(tag=5),
    info(id='0'),
    info(id=True),
    info(id=-1),
    info(id=7),
    info(tag='t1'),
    info(commit='HEAD'),
    info(commit='--upload-pack=touch PWNED'),
    info(commit=5),
    info(commit=[]),
    info(commit='A' * 40),
    info(commit=''),
    info(commit='main'),
    info(commit='a' * 40),
    info(contract='1'),
    info(contract=None),
    info(seed='1'),
    info(seed=[]),
    info(seed=1.5),
    info(exact=True),
    info(exact=True, rerun_of='../../x'),
    info(exact=True, rerun_of=5),
    info(commit=None),
    'FIFO',
    'FOLDER',
    'LOOP',
    'DEVICE',
    None,
]


@inputs('X7 run.json', 'content', INFOS)
def test_a_run_json_that_is_none_is_refused_with_its_name_and_nothing_runs(
    scratched, command, content
):
    path = layout.run_folder(scratched.root, 'real', 0) / run_json.NAME
    plant(path, content or b'')
    if content is None:
        path.unlink()
    for words in (('continue', 'real/0'), ('rerun', 'real/0')):
        code, _, message = command(*words)
        assert code == 1 and message, words
    assert command('doctor', 'real', '--fix')[0] in (0, 1)
    assert layout.numbers(scratched.root, 'real') == [0]


SUMS = [
    b'',
    b'\xff\xfe',
    b'\0' * 100,
    b'x',
    b'a' * 64 + b'  ../../CANARY',
    b'a' * 64 + b'  epoch_../x.pth',
    b'a' * 64 + b'  /etc/passwd',
    b'a' * 63 + b'  epoch_1.pth',
    b'A' * 64 + b'  epoch_1.pth',
    b'a' * 64 + b' epoch_1.pth',
    b'a' * 64 + b'  epoch_9.pth',
    b'a' * 64 + b'  epoch_1.pth\0',
    b'\n' * 10_000,
    'FIFO',
    'FOLDER',
    'LOOP',
    'DEVICE',
]


@inputs('X12 SHA256SUMS', 'content', SUMS)
def test_a_list_of_sums_counts_only_what_lies_in_its_own_folder(scratched, command, content):
    folder = layout.run_folder(scratched.root, 'real', 0)
    plant(folder / checkpoints.FOLDER / checkpoints.SUMS, content)
    assert (
        checkpoints.listed(folder) == {}
        and checkpoints.newest(folder) is None
        and checkpoints.best(folder) is None
    )
    assert command('doctor', 'real')[0] in (0, 1)


TEXTS = [
    b'',
    b'\0',
    b'\xff' * 100,
    b'"',
    b'"\n' * 1000,
    b'a,b\n' + b'x' * 200_000,
    b'epoch\n' * 10_000,
    b'=1+1,@x\n',
    b'\x1b[2J,\n',
    b'a\rb\r',
    'FIFO',
    'FOLDER',
    'LOOP',
    'DEVICE',
]


@inputs('X7 history, trace, environment', 'content', TEXTS)
def test_a_verdict_over_hostile_files_is_a_verdict(scratched, content, capsys):
    one, other = (layout.run_folder(scratched.root, 't1', number) for number in (0, 1))
    for name in (history.NAME, trace.NAME, 'environment.json'):
        plant(other / name, content)
    run_json.write(
        one, run_json.build(scratched.root, 't1', 0, 'a' * 40, 0, rerun_of='t1/1', exact=True)
    )
    watch = rerun_verdict.Watch(scratched.root, one, run_json.read(one))
    watch.look()
    assert watch.end() in (0, rerun_verdict.DIFFERS, rerun_verdict.FAILED)
    assert not any(letter in capsys.readouterr().err for letter in CONTROL)


@inputs(
    'X7 lock',
    'content',
    [b'', b'[1]', b'5', b'null', b'[' * 4000, b'{"pid": "\\u001b[2J"}', b'\xff', b'{"pid":' * 500],
)
def test_what_an_owner_says_of_itself_is_only_told(tmp_path, content):
    held = lock.Lock(tmp_path)
    os.truncate(tmp_path / lock.NAME, 0)
    os.pwrite(held._descriptor, content, 0)
    assert isinstance(lock.owner(tmp_path), dict)
    held.release()


@inputs('X14 lock', 'what', ['FIFO', 'FOLDER', 'LOOP', 'DEVICE'])
def test_a_lock_that_is_none_has_no_owner_and_is_not_waited_for(tmp_path, what):
    plant(tmp_path / lock.NAME, what)
    assert lock.owner(tmp_path) is None
