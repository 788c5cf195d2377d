"""Links, FIFOs and folders in the place of each file that a command reads or writes.

Outside lies a whole run whose numbers and words say CANARY: no command shows them, lists them,
gives them to git, waits, or changes a byte of them. `__result__` and `__statistic__` may be links.
"""

import json
import os
import shutil
import signal

import pytest
from breakage import age
from foreign_runs import mlruns
from hostile_inputs import inputs

from tagrun import __main__ as main
from tagrun.core.cli.messages import UserError
from tagrun.core.git.repository import Repository
from tagrun.core.launch import jobs, launch, tensorboard
from tagrun.extra.queue import entries
from tagrun.extra.sweep import journal
from tagrun.store import (
    atomic,
    checkpoints,
    evaluations,
    experlist,
    history,
    layout,
    lock,
    needed,
    pruning,
    run_json,
    statistic,
)
from tagrun.store.run_ref import RunRef

CANARY = 'CANARY'
NUMBER = 0.7654321
RUN = RunRef('t1', 0)
# files that some command reads of a run
FILES = [
    'statistic.json',
    'history.csv',
    'run.json',
    'environment.json',
    'confusion.json',
    'trace.csv',
    'log',
    'lock',
    'job.json',
    'prune',
    'curves.png',
    'checkpoint',
    'checkpoint/SHA256SUMS',
    'checkpoint/NEEDED',
    'evaluation',
    'evaluation/0',
    'evaluation/0/statistic.json',
    '.',
    '..',
]
KINDS = ['a file', 'nothing', 'a FIFO']
LISTS = ['exper-list', 'title', 'table', 'evaluation', 'plot', 'report', 'search']
# words of commands that read runs or write lists, tables and pictures
COMMANDS = [
    ('expls', 't1/0'),
    ('table', 'record'),
    ('table', 'record', '--format', 'json'),
    ('why', 't1/0', 't1/1'),
    ('why', 't1/0'),
    ('report', 't1', 'base'),
    ('queue', 'logs', 't1/0'),
    ('queue',),
    ('record', 't1', '--to', 'other'),
    ('title', 'record'),
    ('doctor',),
    ('diff', 't1/0', 't1/1'),
]
PLOTS = [('plot', 't1/0', 't1/1', 'val/acc')]


@pytest.fixture(scope='module')
def outside(tmp_path_factory):
    """A whole run, lists and a queue that are none of ours."""
    folder = tmp_path_factory.mktemp('outside')
    run = folder / 't1' / '0'
    (run / 'checkpoint').mkdir(parents=True)
    (run / 'evaluation' / '0').mkdir(parents=True)
    content = {
        'run': 't1/0',
        'status': 'finished',
        'message': CANARY,
        'seed': 1,
        'commit': 'a' * 40,
        'epoch': 1,
        'epochs': 1,
        'monitor': 'val/acc',
        'monitor_mode': 'max',
        'best_epoch': 1,
        'metric': {'val/acc': NUMBER, CANARY: NUMBER},
        'last': {'val/acc': NUMBER},
        'hparam': {'model': CANARY},
        'digest': {'weights': '0' * 64},
        'evaluation': 0,
        'checkpoint': 'epoch_1.pth',
        'phases': ['test'],
        'set': {},
        'time': {
            'started': '2026-11-21T09:00:00Z',
            'updated': '2026-11-21T09:00:00Z',
            'seconds': 1,
        },
    }
    for name in ('', 'evaluation/0'):
        (run / name / 'statistic.json').write_text(json.dumps(content))
        (run / name / 'run.json').write_text(
            json.dumps(
                {'contract': 1, 'root': '/', 'tag': 't1', 'id': 0, 'commit': 'a' * 40, 'seed': 1}
                | {'resume': None, 'inputs': {}, 'fetched_from': CANARY}
            )
        )
    (run / 'history.csv').write_text(f'epoch,val/acc,{CANARY}\n1,{NUMBER},{NUMBER}\n')
    (run / 'environment.json').write_text(json.dumps({'torch': CANARY, 'python': CANARY}))
    (run / 'confusion.json').write_text(
        json.dumps({'epoch': 1, 'matrices': {'val/x': {'classes': [CANARY], 'counts': [[1]]}}})
    )
    (run / 'trace.csv').write_text('epoch,step,order,batch,loss,weights\n1,1,0,0,0.5,\n')
    for name in ('log', 'prune', 'curves.png', 'checkpoint/epoch_1.pth'):
        (run / name).write_text(f'{CANARY}\n')
    (run / 'lock').write_text(json.dumps({'pid': 1, 'host': CANARY, 'since': CANARY}))
    (run / 'job.json').write_text(json.dumps({'engine': CANARY, 'id': CANARY}))
    (run / 'checkpoint' / 'SHA256SUMS').write_text(f'{"0" * 64}  epoch_1.pth\n')
    (run / 'checkpoint' / 'NEEDED').write_text(f'{"0" * 64}  epoch_1.pth  fine/0\n')
    for name in ('record', 'finished', CANARY):
        (folder / f'{name}.txt').write_text(f'{CANARY}/0\n')
        (folder / f'{name}.json').write_text(json.dumps({'columns': [CANARY]}))
        (folder / f'{name}.csv').write_text(f'{CANARY}\n')
    (folder / 'server.json').write_text('{"pid": 1, "port": 6006}')
    for name in ('', 't1/0', 't1/0/checkpoint'):
        (folder / name / '.old.tmp').write_text(CANARY)
        age(folder / name / '.old.tmp')
    return folder


@pytest.fixture
def untouched(outside, scratched):
    """The shared project; afterwards nothing outside may have changed."""
    before = everything(outside)
    signal.signal(signal.SIGALRM, _waited)
    signal.alarm(120)
    yield scratched
    signal.alarm(0)
    assert everything(outside) == before


def _waited(*_):
    raise TimeoutError('it waits')


def everything(folder):
    """Return {path: what it is and holds} of all that lies below a folder."""
    return {
        path: (path.lstat().st_mode, path.read_bytes() if path.is_file() else None)
        for path in sorted(folder.rglob('*'))
    }


@pytest.fixture
def shown(command):
    """A function that runs a command; all that it printed. A link may end it in a sentence."""

    def call(name, *words):
        try:
            code, out, err = command(name, *words)
        except OSError as error:
            assert error.errno in main.STORAGE, repr(error)
            code, out, err = 1, '', f'{error}'
        assert code in (0, 1, 2, 3), (name, words, err)
        return out + err

    return call


def plant(path, kind, target):
    """Put a link or a FIFO in the place of a file or folder."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == 'a FIFO':
        os.mkfifo(path)
    else:
        path.symlink_to(target if kind == 'a file' else target.with_name('nothing'))


def tells(text):
    return CANARY in text or str(NUMBER)[:6] in text


def written(root):
    """Return what the project's lists, tables and results hold, links not followed."""
    texts = []
    for top in (layout.statistic(root), layout.result(root)):
        for path in top.rglob('*'):
            if path.is_file() and not path.is_symlink():
                texts.append(path.read_bytes().decode('utf-8', 'replace'))
    return ''.join(texts)


def linked(name):
    """Return the path in the project, and that outside, of a file of the run."""
    return os.path.normpath(f't1/0/{name}')


def read_all(sandbox, shown, commands):
    """Run the commands, and make the result commit; return what they told."""
    told = {words: shown(*words) for words in commands}
    repository, folder = Repository.at(sandbox.root), RUN.folder(sandbox.root)
    commit = repository.resolve('HEAD')
    info = run_json.build(sandbox.root, 't1', 0, commit, 1)
    launch.record_result(repository, folder, info)
    if repository.resolve(RUN.result_ref):
        told['the result commit'] = repository.git('archive', RUN.result_ref)
        repository.git('update-ref', '-d', RUN.result_ref)
    return {words: text for words, text in told.items() if tells(text)}


@inputs('X24 linked files', 'name', FILES)
def test_a_link_to_a_file_of_elsewhere_is_not_read(untouched, outside, shown, name):
    plant(layout.result(untouched.root) / linked(name), 'a file', outside / linked(name))
    assert read_all(untouched, shown, COMMANDS) == {}
    assert not tells(written(untouched.root))


@pytest.mark.slow
@inputs('X24 linked files', 'name', FILES)
@pytest.mark.parametrize('kind', KINDS)
def test_neither_a_link_nor_a_fifo_is_read_by_any_command(untouched, outside, shown, name, kind):
    plant(layout.result(untouched.root) / linked(name), kind, outside / linked(name))
    assert read_all(untouched, shown, COMMANDS + PLOTS) == {}
    assert not tells(written(untouched.root))


@inputs('X24 linked lists', 'name', [*LISTS, *(f'{name}/record' for name in LISTS)])
@pytest.mark.parametrize('kind', ['a file', pytest.param('a FIFO', marks=pytest.mark.slow)])
def test_no_list_table_or_report_goes_through_a_link(untouched, outside, shown, name, kind):
    ending = {
        'exper-list': 'txt',
        'title': 'json',
        'report': 'html',
        'plot': 'png',
        'search': 'log',
    }
    folder, _, file = name.partition('/')
    target = outside
    if file:
        file = f'record.{ending.get(folder, "csv")}'
        target = outside / file
    plant(layout.statistic(untouched.root) / folder / file, kind, target)
    told = {
        words: shown(*words)
        for words in COMMANDS + [('report', 'record'), ('record', 't1', 'base')]
    }
    assert not [words for words, text in told.items() if tells(text)]


def _evaluation(folder):
    evaluations.claim(folder)


WRITERS = {
    'statistic.json': lambda folder: statistic.write(folder, {}),
    'history.csv': lambda folder: history.write(folder, [{'a': 1.0}]),
    'run.json': lambda folder: run_json.write(folder, {}),
    'prune': lambda folder: pruning.request(folder, 'x'),
    'job.json': lambda folder: jobs.write(folder, 'slurm', '1'),
    'lock': lambda folder: lock.Lock(folder).release(),
    'log': lambda folder: os.close(atomic.open_to_append(folder / 'log')),
    'checkpoint/SHA256SUMS': lambda folder: checkpoints.write_sums(folder, {}),
    'checkpoint/epoch_last.pth': lambda folder: atomic.link(
        folder / 'checkpoint' / 'epoch_last.pth', 'epoch_1.pth'
    ),
    'checkpoint/NEEDED': lambda folder: needed.add(folder / 'checkpoint', 'a', '0' * 64, 'b/0'),
    'evaluation/0': _evaluation,
}


@inputs('X24 linked files that are written', 'name', [*WRITERS])
@pytest.mark.parametrize('level', ['the tag', 'the run', 'its folder', 'the file'])
def test_nothing_of_a_run_is_written_through_a_link(untouched, outside, name, level):
    result = layout.result(untouched.root)
    whole = f't1/0/{name}'
    place = {
        'the tag': 't1',
        'the run': 't1/0',
        'its folder': os.path.dirname(whole),
        'the file': whole,
    }[level]
    plant(result / place, 'a file', outside / place)
    # a file is replaced, a folder is not
    try:
        WRITERS[name](result / 't1' / '0')
    except OSError as error:
        assert error.strerror


OWN = {
    '.queue': lambda root: entries.add(root, RUN, 0),
    '.queue/t1,0.json': lambda root: entries.add(root, RUN, 0),
    '.tensorboard': lambda root: tensorboard.add(Repository.at(root), RUN.folder(root)),
    '.tensorboard/runs': lambda root: tensorboard.add(Repository.at(root), RUN.folder(root)),
    '.tensorboard/runs/t1': lambda root: tensorboard.add(Repository.at(root), RUN.folder(root)),
    '.tensorboard/server.json': lambda root: tensorboard.stop(tensorboard.place(root)),
    't1': lambda root: layout.claim(root, 't1'),
}


@inputs('X24 linked folders of Tagrun', 'name', [*OWN])
def test_no_folder_of_tagruns_own_is_written_through_a_link(untouched, outside, name):
    path = layout.result(untouched.root) / name
    plant(path, 'a file', outside if not path.suffix else outside / 'record.json')
    try:
        OWN[name](untouched.root)
    except (OSError, UserError) as refused:
        assert str(refused)


@inputs('X24 linked lists that grow', 'place', ['exper-list', 'exper-list/finished.txt', 'search'])
def test_no_list_grows_elsewhere(untouched, outside, place):
    path = layout.statistic(untouched.root) / place
    plant(path, 'a file', outside / 'finished.txt' if path.suffix else outside)
    for write in (
        lambda: experlist.add(untouched.root, 'finished', [RUN]),
        lambda: journal.Flock(journal.path(untouched.root, 't1')).acquire(),
    ):
        try:
            write()
        except (OSError, UserError, ValueError) as refused:
            assert str(refused)


@inputs(
    'X24 linked folders that doctor mends',
    'name',
    [
        '__result__/t1/0/checkpoint',
        '__result__/.failed',
        '__result__/.tensorboard',
        '__result__/.tensorboard/server.json',
        '__statistic__/table',
    ],
)
def test_doctor_removes_nothing_outside(untouched, outside, shown, name):
    path = untouched.root / name
    target = outside / 't1' / '0' / 'checkpoint' if name.endswith('checkpoint') else outside
    plant(path, 'a file', target / 'server.json' if path.suffix else target)
    assert not tells(shown('doctor', '--fix'))


@inputs('X24 linked imports', 'what', ['params', 'metrics', 'tags', 'params/lr', 'meta.yaml'])
def test_an_import_follows_no_link_below_what_it_was_given(
    untouched, outside, shown, tmp_path, what
):
    mlruns(tmp_path / 'mlruns', metrics={'acc': [(0, 0.5)]}, params={'lr': '0.1'})
    (folder,) = (tmp_path / 'mlruns').glob('*/' + 'a' * 32)
    target = outside / 't1' / '0' / ('log' if '/' in what or what == 'meta.yaml' else '')
    plant(folder / what, 'a file', target)
    told = shown('import', str(tmp_path / 'mlruns'), '--tag', 'old')
    assert not tells(told) and not tells(written(untouched.root))


@pytest.mark.parametrize('name', ['__result__', '__statistic__'])
def test_the_folders_of_records_themselves_may_be_links(untouched, tmp_path, shown, name):
    path = untouched.root / name
    shutil.move(path, tmp_path / 'disk')
    path.symlink_to(tmp_path / 'disk')
    assert '0.75' in shown('table', 'record')
    assert 'base' in shown('record', 'base', '--to', 'more')
    experlist.add(untouched.root, 'finished', [RUN])
    statistic.write(RUN.folder(untouched.root), statistic.read(RUN.folder(untouched.root)))
    path.unlink()
    shutil.move(tmp_path / 'disk', path)
