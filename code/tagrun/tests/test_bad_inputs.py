"""What must never get in: hostile words, files, links, tokens and environments. Each is refused in a sentence or made harmless.

    pytest test_bad_inputs.py            # COUNTS says how many inputs of each class; X1 to X22 are those of RELIABILITY

After each: no exception but a Refusal, a message without a control character, the CANARY outside the project as it was, nothing called
PWNED anywhere, no file beside the project. Most inputs meet the functions and verbs in this process; `by hand` ones the real command line.
"""
import ast
import importlib
import io
import json
import os
import pickle
import shutil
import subprocess
import tarfile
import zipfile
from argparse import Namespace
from pathlib import Path

import pytest
import stub
from conftest import Project, make_project
from made import HPARAM, METRIC, listed, run

from tagrun.command import formats, latex, leaks, literals, prepare, screen, verdict
from tagrun.command.git import Change
from tagrun.command.say import Refusal, printable
from tagrun.store import checkpoints, experlist, history, layout, lock, names, run_json, statistic, table, trace
from tagrun.store.table import Column

COUNTS = {}     # {class: inputs of it}
AT_LEAST = 400
CONTROL = [chr(number) for number in (*range(9), *range(11, 32), *range(127, 160))]


def inputs(kind, argument, values):
    """A test for each of `values`; they count as inputs of the class `kind`."""
    COUNTS[kind] = COUNTS.get(kind, 0) + len(values)
    return pytest.mark.parametrize(argument, values, ids=[f'{kind.partition(" ")[0]}-{number}' for number in range(len(values))])


class Place:
    """A project with runs t1/0, t1/1, base/0 that were made by hand and real/0 that was run, a canary beside it."""

    def __init__(self, base):
        self.base, self.canary = base, base / 'outside' / 'CANARY'
        self.canary.parent.mkdir(parents=True)
        self.canary.write_text('sings\n')
        self.project = stub.make(base / "a 'b; c")
        self.root = self.project.root
        self.project.tagrun('run', 'real', '--set', 'how=interrupted', code=75)
        for name in ('t1/0', 't1/1', 'base/0'):
            run(self.root, name)
        listed(self.root, 'record', 't1/0', 'base/0')
        self.kept = base.parent / f'{base.name}-kept'
        shutil.copytree(base, self.kept, symlinks=True)

    def restore(self):
        """The project's results and lists as they were."""
        for name in ('__result__', '__statistic__'):
            shutil.rmtree(self.root / name)
            shutil.copytree(self.kept / self.root.name / name, self.root / name, symlinks=True)

    def check(self):
        """Nothing came out of the project, and nothing was run."""
        assert self.canary.read_text() == 'sings\n', 'the canary was touched'
        assert sorted(os.listdir(self.base)) == sorted(['outside', self.root.name]) and os.listdir(self.base / 'outside') == ['CANARY']
        assert not list(self.base.rglob('PWNED*')) and not Path('PWNED').exists()


@pytest.fixture(scope='module')
def shared(tmp_path_factory):
    return Place(tmp_path_factory.mktemp('bad') / 'base')


@pytest.fixture
def place(shared):
    """The shared project; what a test leaves there stays for the next, so it must be nothing."""
    yield shared
    shared.check()


@pytest.fixture
def scratched(shared):
    """The shared project, its results made again after the test."""
    yield shared
    shared.check()
    shared.restore()


@pytest.fixture
def verb(monkeypatch, capsys, shared):
    """A function that runs a verb in this process: (exit code, stdout, stderr); an exception but Refusal is a failure of the test."""
    def call(name, *words):
        module = importlib.import_module(f'tagrun.command.{name}')
        monkeypatch.setattr(module, 'ROOT', shared.root)
        monkeypatch.chdir(shared.root)
        capsys.readouterr()
        try:
            code, told = module.main([*words]) or 0, ''
        except Refusal as refusal:
            code, told = refusal.code, printable(refusal)
        except SystemExit as usage:
            code, told = usage.code, ''
        out, err = capsys.readouterr()
        assert not any(letter in out + err + told for letter in CONTROL), 'a control character reached the terminal'
        return code, out, err + told
    return call


# --- X1 to X4: words of the command line ---------------------------------------------------------------------------------

INJECTIONS = ['$(touch PWNED)', '`touch PWNED`', 'a;touch PWNED', 'a|touch PWNED', 'a||b', 'a&&touch PWNED', 'a&', 'a>PWNED', 'a<b', "a'b", 'a"b', '$IFS',
              '${IFS}', '$HOME', '%s', '%n%n', '!x', '!!', 'a b', 'a\tb', 'a\nb', 'a\rb', 'a\0b', 'a\x1b[2Jb', 'a\x1b]52;c;eA==\x07', 'a\x7fb', 'a\x9bb', '*',
              '?',
              '[a]', '{a,b}', '#a', '~', 'a\\b', '(a)', 'a:b', 'a,b', '^a', 'a\u2028b', '\ufeffa', 'a\u200bb', '\udcff', 'a\ufe0f', '\u3164', '', ' ']
OPTIONS = ['-', '--', '-rf', '--exec=touch PWNED', '--upload-pack=touch PWNED', '--output=PWNED', '-oPWNED', '--git-dir=/tmp', '--end-of-options', '-c', '-@']
PATHS = ['..', '.', '../x', '../../../tmp/PWNED', 'a/../../x', 'a/b', '/etc/passwd', '/', '//', '~root', '.git', '.hidden', 'a/', 'a//0', 'x.lock', 'a..b',
         'a.', 'CON',
         'con.txt', 'NUL', 'COM1', 'lpt9.x', 'x' * 101, 'é' * 51, 'x' * 300, 'x' * 5000, 'a/0/0', 'a/0/../1', 'file:///etc/passwd', 'C:\\x', '\\\\host\\share',
         '..%2f..%2fx', 'a\u2215b', 't1/-1', 't1/00', 't1/1e3', 't1/٣', 't1/99999999999999999999', 't1/0x0', 't1/0 ', 't1/0/../../..', 't1/7']
REFS = ['HEAD', '@', 'FETCH_HEAD', 'ORIG_HEAD', 'MERGE_HEAD', '@{u}', '@{-1}', 'HEAD~1', 'HEAD^', 'main:code', 'a' * 40, '0' * 64, 'refs/tags/a',
        'refs/heads/main',
        'e\u0301', 'a\u202eb', 'a@{0}', '@nosuchset', '@../record', '@/etc/passwd']
VERBS = {'run': [], 'continue': [], 'rerun': [], 'record': [], 'expls': [], 'itb': [], 'doctor': [], 'table': [], 'title': [], 'record --to': ['t1', '--to']}
AS_ANOTHER = ('rerun', 'expls', 'itb', 'title', 'doctor')     # choose their runs or set by the function that continue or table chooses by


@pytest.mark.parametrize('name', [pytest.param(name, marks=[pytest.mark.slow] * (name in AS_ANOTHER)) for name in VERBS])
@inputs('X1-X4 words', 'word', [*INJECTIONS, *OPTIONS, *PATHS, *REFS])
def test_a_word_that_names_nothing_is_refused_by_every_verb(place, verb, name, word):
    words = [*VERBS[name], word] if word[:1] != '-' else ['--to=' + word, 't1'] if VERBS[name] else ['--', word]
    if not word and name in ('record', 'expls', 'itb', 'doctor', 'table', 'title'):
        words = ['']
    code, _, told = verb(name.partition(' ')[0], *words)
    assert code in (1, 2) and told
    assert names.check_tag(word)


@inputs('X4 names for run alone', 'word', ['main', 'T1', 'REAL', 'scratch', '@last', '@record', 'real'])
def test_a_name_that_something_has_already_is_no_new_tag(place, verb, word):
    place.project.git('tag', '-f', 't1', 'HEAD')
    code, _, told = verb('run', word)
    assert code == 1 and told and place.project.git('tag').split() == ['real', 't1']


BY_HAND = [(name, word) for number, word in enumerate([*INJECTIONS, *OPTIONS, *PATHS, *REFS]) for name in [[*VERBS][number % 9]]
           if '\0' not in word and len(word) < 400 and word != '-c'][::4]


@pytest.mark.parametrize('name, word', BY_HAND, ids=range(len(BY_HAND)))
def test_by_hand_it_is_refused_in_a_sentence_without_a_traceback(place, name, word):
    done = subprocess.run(place.project.command(name, word), cwd=place.root, env=place.project.env, capture_output=True, text=True, errors='surrogateescape')
    assert done.returncode in (1, 2) and done.stderr and 'Traceback' not in done.stderr
    assert not any(letter in done.stderr for letter in CONTROL)


# --- X13: values of --set, --seeds, seeds, conditions ---------------------------------------------------------------------

VALUES = ["__import__('os').system('touch PWNED')", 'open("PWNED","w")', '$(touch PWNED)', '!!python/object:os.system', '${HOME}', '%(x)s', '{{7*7}}', 'f"{1}"',
          'lambda: 0', '[x for x in ()]', '1e999', '-1e999', 'nan', '1j', "b'x'", '{1}', '{[]: 1}', '{1: {2}}', '...', 'None', 'True', '-0', '0x10', '1_000',
          '9' * 400,
          '9' * 5000, '1' + '0' * 309, '-' + '9' * 400, '1e308', '[' * 500, '(' * 90 + ')' * 90, "'a" + "\\n" + "b'", "'a\nb'", '"""a', '#', '', ' ',
          "'\\x00'", '\x1b[2J', '\udcff',
          "('a',)", '()', '[1e999]', "{'a': 1j}", '0 if 1 else 2', 'config.lr', '1;2', "1\nimport os", '*()', '**{}']
NAMES = ['lr', 'model', 'steps', 'deep', 'phases', 'nothing']


@inputs('X13 --set', 'text', VALUES)
def test_a_value_of_set_becomes_a_literal_or_is_refused(place, text):
    for name in NAMES:
        try:
            changed = literals.changed(stub.CONFIG, {name: text})
        except Refusal:
            continue
        values = {node: ast.literal_eval(value) for node, value in literals.read(changed).items()}
        json.dumps(values[name], allow_nan=False)
        assert literals.differences(stub.CONFIG, changed) in ([], [f'{name} = {literals.read(changed)[name]} (was {literals.read(stub.CONFIG)[name]})'])


@inputs('X13 --set names', 'name', ['__builtins__', '_private', 'os', 'lr.x', 'lr[0]', 'lr ', '', '=', 'lr=0', '../lr', 'import os', '\x1b[2J'])
def test_a_name_of_set_that_config_lacks_is_refused(place, verb, name):
    code, _, told = verb('run', '-n', 't9', '--set', f'{name}=1')
    assert code in (1, 2) and told or name == 'lr'


@inputs('seeds', 'count', ['0', '-1', '1.5', 'x', '', ' ', 'nan', '0x10', '$(touch PWNED)', '1e3', '--', '\x1b[2J'])
def test_a_count_of_seeds_that_is_none_is_wrong_usage(place, verb, count):
    for name in ('run', 'rerun'):
        assert verb(name, 'real', f'--seeds={count}')[0] == 2


@inputs('seeds', 'content',
        [b'', b' ', b'x', b'-1', b'1.5', b'1e3', b'1 2', b'1;2', b'\x00', b'\xff\xfe1', b'9223372036854775808', b'9' * 5000, b'0x10', b'$(touch PWNED)',
                             b'\x1b[2J', None])
def test_a_seed_file_that_holds_no_seed_is_refused_with_what_belongs_there(place, content):
    with pytest.raises(Refusal, match='one integer') as refused:
        prepare.read_seed(content)
    assert len(str(refused.value)) < 300


CONDITIONS = ["__import__('os').system('touch PWNED')", '().__class__', 'acc.__class__', 'lambda: 0', '[x for x in ()]', 'f"{acc}"', '(x := 1)', '9**9**9',
              "'a' * 10**9",
              'acc >', '> 0.9', 'acc = 1', 'acc in {[]}', 'acc in 5', 'acc == {1: {}}', '(' * 300 + '1' + ')' * 300, 'not ' * 500 + '1', '-' * 500 + '1',
              'nosuch > 1', '',
              ' ', '\0', 'x' * 5000, '`$(touch PWNED)` > 1', '`', "open('PWNED', 'w')", 'acc; 1', 'acc\n> 1', 'await acc', '*acc', '...',
              'acc if acc else acc', 'acc @ acc',
              '1 < 2 < {}', 'True', '\udcff', 'print("x")', 'acc > 1e999', 'acc > ' + '9' * 5000]


@inputs('conditions', 'text', CONDITIONS)
def test_a_condition_is_walked_never_run(place, verb, text):
    code, _, told = verb('table', 'record', f'--where={text}')
    assert code in (0, 1, 2) and told


@inputs('conditions', 'words',
        [('--keep=(',), ('--drop=*',), ('--keep=' + '(' * 300,), ('--top=0',), ('--top=-1',), ('--top=x',), ('--precision=-1',), ('--precision=99',),
                                ('--precision=x',), ('--sort-by=../x',), ('--format=exe',), ('--sort-order=up',), ('--no-such',), ('a', 'b')])
def test_an_option_of_table_that_makes_no_sense_is_wrong_usage(place, verb, words):
    code, _, told = verb('table', *words)
    assert code == 2 and told


@inputs('conditions', 'output', ['/dev/null', '/dev/zero', '.', '..', 'no/such/folder/x.csv', 'x' * 300, 'fifo', ''])
def test_where_a_table_cannot_be_written_it_says_so_and_nothing_is_replaced(place, verb, output, tmp_path):
    if output == 'fifo':
        output = str(tmp_path / 'fifo')
        os.mkfifo(output)
    path = os.path.abspath(output)      # the verb may stand in another folder
    before = os.lstat(path) if os.path.exists(path) else None
    code, _, told = verb('table', 'record', f'--output={output}')
    assert told and (code == 1 or not output)
    assert before is None or os.lstat(path).st_mode == before.st_mode


# --- --from ---------------------------------------------------------------------------------------------------------------

STARTS = ['/dev/zero', '/dev/null', '/etc', '.', '', ' ', '~nosuchuser/x', '../../../../etc/passwd', '/proc/self/mem', '-1', '99', '999999999999999999999',
          '１', 'best2',
          'x' * 5000, '/' + 'x/' * 2000, '\udcff', '$(touch PWNED)', '--exec=x', 'FIFO', 'LOOP', 'PICKLE', 'CANARY', 'EMPTY', 'HTML', '\x1b[2J']


@inputs('--from', 'start', STARTS)
def test_what_is_no_checkpoint_is_refused_before_a_run_is_spent_on_it(place, verb, start, tmp_path):
    files = {'PICKLE': pickle.dumps(Evil()), 'EMPTY': b'', 'HTML': b'<html>404'}
    path = tmp_path / 'start.pth'
    if start in files:
        path.write_bytes(files[start])
    elif start == 'FIFO':
        os.mkfifo(path)
    elif start == 'LOOP':
        path.symlink_to(path)
    elif start == 'CANARY':
        path.symlink_to(place.canary)
    code, _, told = verb('continue', 'real', f'--from={path if os.path.lexists(path) else start}')
    assert code in (1, 2) if start else code in (0, 1, 75)
    assert told and not (place.root / '__result__' / 'real' / '1').exists()


class Evil:
    """What runs a command when it is unpickled."""

    def __reduce__(self):
        return os.system, ('touch PWNED',)


# --- X5, X6: lists and titles -----------------------------------------------------------------------------------------------

LINES = [*(word for word in [*INJECTIONS, *OPTIONS, *PATHS, *REFS] if '\n' not in word and word.strip() not in ('', 't1/0', '\udcff') and word[0] != '#'),
         '/abs/0', 't1/abc', 't9/0', 't1/0\0', '\0',
         '\x1b]52;c;x\x07/0', 'x' * (1 << 20), '*', '*/0', 'link/0', 'linked/0', '=1+1', '<script>/0', '{"run": 1}', 't1/*/..', 't1 t1/0', 't1/0,1']


@inputs('X5 list lines', 'line', LINES)
def test_a_line_that_names_no_run_is_told_by_its_number_and_the_others_count(scratched, line):
    os.symlink(scratched.canary.parent, layout.result(scratched.root) / 'link')
    listed(scratched.root, 'mine', line, 't1/0')
    found = experlist.read(scratched.root, 'mine')
    assert found.runs == [('t1', 0)] and [bad.number for bad in found.bad] == [1]


@inputs('X5 list files', 'content',
        [b'', b'\xff\xfe\x00', b'\xef\xbb\xbft9/0\r\n', b't1/0' * (1 << 18), b'#' * (1 << 20), b'\0' * 4096, 'FIFO', 'FOLDER', 'LOOP', 'DEVICE'])
def test_a_list_that_is_none_is_refused_or_empty_and_never_waited_for(scratched, verb, content):
    path = listed(scratched.root, 'mine')
    plant(path, content)
    for name in ('table', 'title'):
        code, _, told = verb(name, 'mine')
        assert code == 1 and told


TITLES = [b'', b'{', b'[]', b'1', b'null', b'"x"', b'{"hparam": 1}', b'{"hparam": [1]}', b'{"nosuch": []}', b'{"hparam": ["lr"]', b'{"__proto__": []}',
          b'\xff', b'\0',
          b'[' * 5000, b'{"hparam":' * 300, b'{"hparam": ["' + b'x' * 5000 + b'"]}', b'{"hparam": ["../x", "=1+1", "\\u001b[2J"]}', b'{hparam: [lr]}', b'/*',
          b'// x',
          b'{"hparam": ["a"], "hparam": ["b"]}', b'{"metric": [NaN]}', 'FIFO', 'FOLDER', 'LOOP', 'DEVICE']


@inputs('X6 titles', 'content', TITLES)
def test_a_title_that_is_none_is_refused_with_its_name_and_never_run(scratched, verb, content):
    path = layout.title_file(scratched.root, 'record')
    path.parent.mkdir(parents=True)
    plant(path, content)
    for name in ('table', 'title'):
        code, _, told = verb(name, 'record')
        assert code in (0, 1) and told and (code == 0 or 'record.json' in told)


def plant(path, content):
    """Put bytes, or what is no file, under a file's name."""
    if path.is_symlink() or path.exists():
        path.unlink()
    if content == 'FIFO':
        os.mkfifo(path)
    elif content == 'FOLDER':
        path.mkdir()
    elif content == 'LOOP':
        path.symlink_to(path.name)
    elif content == 'DEVICE':
        path.symlink_to('/dev/zero')
    else:
        path.write_bytes(content)


# --- X7, X14: files of a run ------------------------------------------------------------------------------------------------

def with_keys(**keys):
    """A statistic.json in which some keys hold something else."""
    return json.dumps({'run': 't1/0', 'status': 'finished', 'seed': 0, 'commit': 'a' * 40, 'epoch': 3, 'epochs': 3, 'watch': 'val/acc', 'mode': 'max',
                       'best_epoch': 2,
                       'metric': METRIC, 'last': {}, 'hparam': HPARAM, 'digest': {}, 'time': {'seconds': 1.0}, **keys}).encode()


NASTY = [[], {}, 'x', 5, None, True, [[]], {'a': {}}, 'nan', -1, 10 ** 400, 1e308, '\x1b[2J\x07', '$(touch PWNED)', '=1+1', '<script>', '../../x',
         'x' * 10_000, '\ud800']
FILES = [b'', b'{', b'[]', b'null', b'"x"', b'NaN', b'{"metric": 1}', b'\xff\xfe', b'\0' * 100, b'{"a":' * 100, b'[' * 100_000,
         b'{"a":' * 900 + b'1' + b'}' * 900,
         b'{"status": "finished", "status": "failed"}', b'{"__proto__": {"x": 1}}', b'{"metric": {"a": NaN, "b": Infinity}}',
         b'{"metric": {"a": ' + b'9' * 5000 + b'}}',
         with_keys(metric={'val/acc': 10 ** 400}), with_keys(metric={'val/acc': 'inf', 'a': '-inf'}),
         with_keys(metric={'../../x': 1, '/abs': 2, '': 3, 'a.b': 4, '😀': 5}),
         with_keys(metric={'x' * 10_000: 1}), with_keys(metric={'Acc': 1, 'acc': 2, 'ACC': 3}),
         with_keys(hparam={'a': '$(touch PWNED)', 'b': '!!python/object', 'c': {'d': [1]}}),
         with_keys(hparam={'deep': json.loads('[' * 90 + ']' * 90)}),
         *(with_keys(**{key: value}) for key in ('status', 'watch', 'mode', 'epoch', 'best_epoch', 'seed',
         'commit', 'message', 'hparam', 'metric', 'time') for value in NASTY[:3]), *(with_keys(watch='val/acc', metric={'val/acc': value}, hparam={'lr': value},
         message=value, status=value, commit=value, seed=value, epoch=value, epochs=value, mode=value) for value in NASTY),
         *(with_keys(time={'seconds': value, 'started': value, 'updated': value}) for value in NASTY), 'FIFO', 'FOLDER', 'LOOP', 'DEVICE']


@inputs('X7 statistic.json', 'content', FILES)
def test_a_statistic_that_is_none_costs_only_its_own_run(scratched, verb, content):
    plant(layout.run_folder(scratched.root, 't1', 0) / statistic.NAME, content)
    code, out, told = verb('table', 'record')
    assert code == 0 and 'base/0' in out, told
    for words in (('expls',), ('expls', 't1'), ('expls', '--json', 't1'), ('title', 'record'), ('record', 't1'), ('table', 'record', '--json'),
                  ('table', 'record', '--format', 'html'), ('table', 'record', '--format', 'latex'), ('table', 'record', '--sort-by', 'val/acc'),
                  ('table', 'record', '--where', 'val/acc > 0.1')):
        assert verb(*words)[0] == 0, words


@inputs('X7 groups', 'value', [1e200, -1e308, 1e308, 'inf', '-inf', 'nan', 10 ** 400, -10 ** 400, 10 ** 300])
def test_a_mean_that_no_float_holds_is_no_number_and_no_error(scratched, verb, value):
    for number, metric in enumerate((value, '-inf' if value == 'inf' else value)):
        plant(layout.run_folder(scratched.root, 't1', number) / statistic.NAME, with_keys(seed=number, metric={'val/acc': metric}))
    listed(scratched.root, 'mine', 't1')
    for form in ('csv', 'html', 'json', 'latex'):
        assert verb('table', 'mine', '--group', '--format', form)[0] == 0


def info(**keys):
    return json.dumps({'contract': 1, 'root': '/', 'tag': 'real', 'id': 0, 'commit': 'a' * 40, 'seed': 1, 'resume': None, 'inputs': {}, **keys}).encode()


INFOS = [b'', b'{', b'[]', b'\xff', b'[' * 100_000, info(tag='../../x'), info(tag=5), info(id='0'), info(id=True), info(id=-1), info(id=7), info(tag='t1'),
         info(commit='HEAD'),
         info(commit='--upload-pack=touch PWNED'), info(commit=5), info(commit=[]), info(commit='A' * 40), info(commit=''), info(commit='main'),
         info(commit='a' * 40),
         info(contract='1'), info(contract=None), info(seed='1'), info(seed=[]), info(seed=1.5), info(exact=True), info(exact=True, rerun_of='../../x'),
         info(exact=True, rerun_of=5), info(commit=None), 'FIFO', 'FOLDER', 'LOOP', 'DEVICE', None]


@inputs('X7 run.json', 'content', INFOS)
def test_a_run_json_that_is_none_is_refused_with_its_name_and_nothing_runs(scratched, verb, content):
    path = layout.run_folder(scratched.root, 'real', 0) / run_json.NAME
    plant(path, content or b'')
    if content is None:
        path.unlink()
    for words in (('continue', 'real/0'), ('rerun', 'real/0')):
        code, _, told = verb(*words)
        assert code == 1 and told, words
    assert verb('doctor', 'real', '--fix')[0] in (0, 1)
    assert layout.numbers(scratched.root, 'real') == [0]


SUMS = [b'', b'\xff\xfe', b'\0' * 100, b'x', b'a' * 64 + b'  ../../CANARY', b'a' * 64 + b'  epoch_../x.pth', b'a' * 64 + b'  /etc/passwd',
        b'a' * 63 + b'  epoch_1.pth',
        b'A' * 64 + b'  epoch_1.pth', b'a' * 64 + b' epoch_1.pth', b'a' * 64 + b'  epoch_9.pth', b'a' * 64 + b'  epoch_1.pth\0', b'\n' * 10_000, 'FIFO',
        'FOLDER', 'LOOP', 'DEVICE']


@inputs('X12 SHA256SUMS', 'content', SUMS)
def test_a_list_of_sums_counts_only_what_lies_in_its_own_folder(scratched, verb, content):
    folder = layout.run_folder(scratched.root, 'real', 0)
    plant(folder / checkpoints.FOLDER / checkpoints.SUMS, content)
    assert checkpoints.listed(folder) == {} and checkpoints.newest(folder) is None and checkpoints.best(folder) is None
    assert verb('doctor', 'real')[0] in (0, 1)


TEXTS = [b'', b'\0', b'\xff' * 100, b'"', b'"\n' * 1000, b'a,b\n' + b'x' * 200_000, b'epoch\n' * 10_000, b'=1+1,@x\n', b'\x1b[2J,\n', b'a\rb\r', 'FIFO',
         'FOLDER', 'LOOP', 'DEVICE']


@inputs('X7 history, trace, environment', 'content', TEXTS)
def test_a_verdict_over_hostile_files_is_a_verdict(scratched, content, capsys):
    one, other = (layout.run_folder(scratched.root, 't1', number) for number in (0, 1))
    for name in (history.NAME, trace.NAME, 'environment.json'):
        plant(other / name, content)
    run_json.write(one, run_json.build(scratched.root, 't1', 0, 'a' * 40, 0, rerun_of='t1/1', exact=True))
    watch = verdict.Watch(scratched.root, one, run_json.read(one))
    watch.look()
    assert watch.end() in (0, verdict.DIFFERS)
    assert not any(letter in capsys.readouterr().err for letter in CONTROL)


@inputs('X7 lock', 'content', [b'', b'[1]', b'5', b'null', b'[' * 4000, b'{"pid": "\\u001b[2J"}', b'\xff', b'{"pid":' * 500])
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


# --- X14, X15: planted links --------------------------------------------------------------------------------------------------

LINKED = ['code', 'code/tagrun', 'code/model.py', 'checkpoint', 'tensorboard', 'log', 'lock', 'trace.csv', 'statistic.json', 'history.csv', 'run.json', '.',
          '..', 'checkpoint/SHA256SUMS',
          'checkpoint/epoch_last.pth', 'checkpoint/epoch_best.pth', 'checkpoint/epoch_1.pth']


@inputs('X14 planted links', 'name', LINKED)
def test_nothing_is_written_through_a_link_that_somebody_planted(scratched, name):
    folder = layout.run_folder(scratched.root, 'real', 0)
    path = Path(os.path.normpath(folder / name))
    is_folder = path.is_dir()
    if path.exists():
        shutil.rmtree(path) if is_folder and not path.is_symlink() else path.unlink()
    path.symlink_to(scratched.canary.parent if is_folder else scratched.canary)
    done = subprocess.run(scratched.project.command('continue', 'real/0'), cwd=scratched.root, env=scratched.project.env, capture_output=True, text=True)
    assert done.returncode in (0, 1, 75) and 'Traceback' not in done.stderr, done.stderr
    assert done.returncode != 1 or 'tagrun: ' in done.stderr


@inputs('X14 planted links in lists', 'name', ['exper-list/record.txt', 'title/record.json', 'table/record.csv', 'exper-list/finished.txt'])
def test_no_list_or_table_is_written_through_a_link(scratched, verb, name):
    path = layout.statistic(scratched.root) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(scratched.canary)
    for words in (('record', 't1', 'base'), ('record', 't1', '--to', 'finished'), ('title', 'record'), ('table', 'record')):
        assert verb(*words)[0] in (0, 1)


@inputs('X15 a repository', 'what',
        ['a link for the results', 'a link for the tag', 'hooks', 'a filter', 'an alias', 'fsmonitor', 'a pager', 'an editor', 'a replaced object'])
def test_a_hostile_repository_runs_nothing_of_its_own(scratched, what, tmp_path):
    project = Project(shutil.copytree(scratched.root, tmp_path / 'copy', symlinks=True))
    evil = f'touch {tmp_path}/PWNED; false'
    if what == 'a link for the results':
        (project.root / '__result__' / 't9').symlink_to(scratched.canary.parent)
        project.tagrun('run', 't9', code=1)
    elif what == 'a link for the tag':
        shutil.rmtree(project.root / '__result__' / 'real')
        (project.root / '__result__' / 'real').symlink_to(scratched.canary.parent)
        project.tagrun('rerun', 'real', code=1)
    elif what == 'hooks':
        for hook in ('pre-commit', 'reference-transaction', 'post-index-change', 'fsmonitor-watchman', 'post-checkout'):
            path = project.root / '.git' / 'hooks' / hook
            path.parent.mkdir(exist_ok=True)
            path.write_text(f'#!/bin/sh\n{evil}\n')
            path.chmod(0o755)
        project.tagrun('run', 't9')
    elif what == 'a filter':
        (project.root / '.gitattributes').write_text('*.py filter=evil diff=evil textconv=evil\n')
        project.tagrun('run', 't9')
    elif what == 'a replaced object':
        tree = project.git('rev-parse', 'real^{tree}').strip()
        empty = project.git('hash-object', '-t', 'tree', '-w', '/dev/null').strip()
        project.git('replace', tree, empty)
        project.tagrun('rerun', 'real', code=75)
    else:
        for key in {'an alias': ['alias.status', 'alias.rev-parse'], 'fsmonitor': [], 'a pager': ['core.pager', 'pager.status'],
                    'an editor': ['core.editor']}[what]:
            project.git('config', key, f'!{evil}')
        project.tagrun('run', 't9')
    assert not (tmp_path / 'PWNED').exists()


# --- X8 to X11: what cells, names and messages do to a reader -----------------------------------------------------------------

FORMULAS = ['=1+1', '+cmd', '-2+3', '@SUM(A1)', '=HYPERLINK("http://x")', '=IMPORTXML("http://x","//a")', '\t=1', '\r=1', '\n=1', '\0=1', '＝1+1', '＋1', '－1',
            '＠x', '=cmd|\' /C calc\'!A0',
            '"=1+1"', '+-1', '-@x', '=', '@']


@inputs('X8 cells', 'text', FORMULAS)
def test_no_cell_of_a_csv_file_is_a_formula(text):
    import csv
    content = formats.csv([Column('hparam', text)], [table.Run(text, {'hparam': {text: text}, 'metric': {}, 'run': {}}, None, None)]).decode('utf-8-sig')
    for row in csv.reader(io.StringIO(content, newline='')):
        for cell in row:
            assert not cell.startswith(formats.FORMULA) and '\r' not in cell and '\0' not in cell
    assert cells_of(-0.5) == ['-0.5'] and cells_of('-0.5') == ['-0.5']


def cells_of(value):
    content = formats.csv([Column('metric', 'a')], [table.Run('t1/0', {'hparam': {}, 'metric': {'a': value}, 'run': {}}, None, None)])
    return content.decode().splitlines()[1].split(',')[1:]


MARKUP = ['<script>alert(1)</script>', '<img src=x onerror=alert(1)>', '"><svg onload=alert(1)>', '<a href="javascript:alert(1)">',
          '</table><iframe src=//x>', '{{7*7}}',
          '${7*7}', '<style>*{}', '<!--', '&lt;script&gt;', '\u2028<b>', '<base href=//x>', "' onmouseover='alert(1)", '<meta http-equiv=refresh content=0>',
          '[x](javascript:alert(1))',
          '![x](http://x)', '| a | b |', '`x`', '\\input{/etc/passwd}', '\\write18{touch PWNED}', '$x$', '%', '\\end{tabular}', '^^5cinput', '#1', '~',
          '\x1b[2J', '\x1b]52;c;eA==\x07',
          '\x9b2J', 'a\rb', 'a\bb', '\x07', '\x00', '\x1b]8;;http://x\x1b\\', '\x1bP1$r', '\ud800']


@inputs('X9-X11 markup and escapes', 'text', MARKUP)
def test_what_a_name_or_value_says_is_shown_and_never_acts(text):
    row = table.Run('t1/0', {'hparam': {text: text}, 'metric': {text: 0.5}, 'run': {'commit': text}}, text, 'max')
    columns = [Column('hparam', text), Column('metric', text)]
    page = formats.html(columns, [row, row], 4)
    inside = page.partition('<table>')[2].partition('</table>')[0]
    tags = {part.partition('>')[0].split(' ')[0].strip('/') for part in inside.split('<')[1:]}
    assert tags <= {'tr', 'th', 'td', 'b'} and '<script' not in page and 'http' not in page.replace('http-equiv', '').replace('http:', '',
                                                                                                                              page.count('http://x'))
    shown = screen.fitted(columns, [row], 4)[0] + formats.markdown(columns, [row], 4) + latex.tabular(columns, [row], 4)
    assert not any(letter in shown for letter in CONTROL)
    for macro in ('\\input', '\\write', '\\end{tabular}'):
        assert latex.tabular(columns, [row], 4).count(macro) == (macro == '\\end{tabular}')


@inputs('X10 messages', 'text',
        ['\x1b[2J', '\x1b]52;c;eA==\x07', 'a\rb', 'a\bb', '\x9b2J', '\x1b]0;title\x07', '$(touch PWNED)', '`touch PWNED`', '%s%n', '\udcff', "a'b\"c", '-m',
         'x' * 100_000])
def test_a_message_is_recorded_as_it_is_and_told_without_its_escapes(place, verb, text):
    code, _, told = verb('run', '-n', 't9', f'--message={text}')
    assert code == 0 and told
    assert not any(letter in verb('expls')[2] for letter in CONTROL)


@inputs('X10 messages', 'text', ['\x1b[2J\x07', '\udcff', '$(touch PWNED)'])
def test_by_hand_a_hostile_message_becomes_the_tags(scratched, text, tmp_path):
    project = Project(shutil.copytree(scratched.root, tmp_path / 'copy', symlinks=True))
    project.tagrun('run', 't9', '-m', text)
    assert '\x1b' not in project.tagrun('expls').stdout


# --- X12: checkpoints -----------------------------------------------------------------------------------------------------------

def damaged(good):
    """{what: bytes} of files that are no checkpoint of ours, made of one that is."""
    found = {f'cut at {part} of 16': good[:len(good) * part // 16] for part in range(16)}
    found |= {f'a bit flipped at {part} of 16': good[:at] + bytes([good[at] ^ 1]) + good[at + 1:] for part in range(16) for at in [len(good) * part // 16]}
    found |= {f'a page of zeros at {part} of 4': good[:at] + bytes(512) + good[at + 512:] for part in range(4) for at in [len(good) * part // 4]}
    return found


DAMAGES = [*damaged(bytes(4096)), 'longer', 'empty']
FOREIGN = ['a pickle', 'a pickle in a zip', 'a legacy file', 'a tar', 'text', 'a zip of nothing', 'a zip bomb', 'a zip with ../',
           'a string of an import path', 'a class of ours', 'eval by name']


@pytest.fixture(scope='module')
def good(tmp_path_factory):
    """The bytes of a checkpoint."""
    import torch
    path = tmp_path_factory.mktemp('good') / 'epoch_1.pth'
    torch.save({'state': {'model': {'w': torch.arange(1, 301.)}}, 'random': None}, path)
    return path.read_bytes()


@inputs('X12 damaged checkpoints', 'what', DAMAGES)
def test_a_damaged_checkpoint_is_named_and_never_loaded(tmp_path, good, what):
    from tagrun.training import checkpoint
    content = {**damaged(good), 'longer': good + b'\0', 'empty': b''}[what]
    put(tmp_path, content, good)
    with pytest.raises(ValueError, match='epoch_1.pth is damaged'):
        checkpoint.load(tmp_path, 'epoch_1.pth')


@inputs('X12 foreign checkpoints', 'what', FOREIGN)
def test_a_foreign_checkpoint_runs_nothing_even_where_its_sum_is_right(tmp_path, good, what, monkeypatch):
    from tagrun.training import checkpoint
    monkeypatch.chdir(tmp_path)
    content = foreign(what, good)
    put(tmp_path, content, content)
    try:
        loaded = checkpoint.load(tmp_path, 'epoch_1.pth')
    except (ValueError, RuntimeError, OSError, pickle.UnpicklingError, EOFError, KeyError):
        loaded = None
    assert not (tmp_path / 'PWNED').exists()
    assert loaded is None or what == 'a string of an import path' and loaded == {'_instantiator': 'os.system', 'x': 'touch PWNED'}


@inputs('X12 checkpoints that are no files', 'what', ['FIFO', 'FOLDER', 'LOOP', 'DEVICE'])
def test_a_checkpoint_that_is_no_file_does_not_count(tmp_path, what):
    put(tmp_path, b'', b'x')
    plant(tmp_path / 'checkpoint' / 'epoch_1.pth', what)
    assert checkpoints.listed(tmp_path) == {}


def put(folder, content, summed):
    """A run's folder with one checkpoint, and the sum of `summed`."""
    (folder / 'checkpoint').mkdir()
    (folder / 'checkpoint' / 'epoch_1.pth').write_bytes(summed)
    checkpoints.write_sums(folder, {'epoch_1.pth': checkpoints.digest(folder / 'checkpoint' / 'epoch_1.pth')})
    (folder / 'checkpoint' / 'epoch_1.pth').write_bytes(content)


def foreign(what, good):
    """The bytes of a file that torch may be given for a checkpoint."""
    import torch
    buffer = io.BytesIO()
    if what == 'a pickle':
        return pickle.dumps(Evil())
    if what == 'a pickle in a zip':
        torch.save(Evil(), buffer)
    elif what == 'a legacy file':
        torch.save({'x': Evil()}, buffer, _use_new_zipfile_serialization=False)
    elif what == 'a tar':
        with tarfile.open(fileobj=buffer, mode='w') as archive:
            for name in ('sys_info', 'pickle', 'storages', 'tensors'):
                member = tarfile.TarInfo(name)
                member.size = len(pickle.dumps(Evil()))
                archive.addfile(member, io.BytesIO(pickle.dumps(Evil())))
    elif what == 'text':
        return b'#!/bin/sh\ntouch PWNED\n'
    elif what in ('a zip of nothing', 'a zip bomb', 'a zip with ../'):
        with zipfile.ZipFile(buffer, 'w', zipfile.ZIP_DEFLATED) as archive:
            if what == 'a zip bomb':
                archive.writestr('archive/data.pkl', bytes(200 << 20))
            elif what == 'a zip with ../':
                archive.writestr('../PWNED', b'x')
    elif what == 'a string of an import path':
        torch.save({'_instantiator': 'os.system', 'x': 'touch PWNED'}, buffer)
    elif what == 'a class of ours':
        torch.save({'x': Namespace(a=1)}, buffer)
    else:
        with zipfile.ZipFile(buffer, 'w') as archive:
            archive.writestr('archive/data.pkl', b"cbuiltins\neval\n(S'__import__(\"os\").system(\"touch PWNED\")'\ntR.")
            archive.writestr('archive/version', b'3\n')
    return buffer.getvalue()


# --- X16, X17: secrets -------------------------------------------------------------------------------------------------------------

SECRET_NAMES = ['.env', '.env.local', '.ENV', 'prod.env.key', 'key.pem', 'KEY.PEM', 'x.key', 'x.p12', 'x.pfx', 'x.jks', 'x.keystore', 'x.kdbx', 'x.ovpn',
                'id_rsa', 'id_rsa.bak', 'id_dsa',
                'id_ecdsa', 'id_ed25519', '.netrc', '_netrc', '.pypirc', '.npmrc', '.pgpass', '.htpasswd', '.s3cfg', '.boto', '.dockercfg', '.git-credentials',
                'my_service_account_3.json', 'service-account.json', 'credentials', 'credentials.json', 'client_secret_1.json', 'kaggle.json', 'secrets.yaml',
                'secrets.toml', '.vault_pass']
NO_SECRETS = ['.env.example', 'id_rsa.pub', 'secrets.py', 'environment.yml', 'keys.md', 'credentials.py', 'model.keyed', 'tokens.txt']
TOKENS = ['-----BEGIN RSA ' + 'PRIVATE KEY-----', '-----BEGIN ' + 'PRIVATE KEY-----', '-----BEGIN OPENSSH ' + 'PRIVATE KEY-----', 'AKIA' + 'ABCDEFGHIJKLMNOP',
          'ghp_' + 'a1' * 18, 'gho_' + 'a1' * 18,
          'github_pat_' + 'a1' * 41, 'glpat-' + 'a1' * 10, 'hf_' + 'aB' * 17, 'sk-' + 'a1' * 24, 'sk-proj-' + 'a1' * 24, 'xoxb-' + '1234567890-' * 3,
          'AIza' + 'a1-' * 11 + 'ab', 'npm_' + 'a1' * 18,
          'pypi-' + 'a1' * 30]


@inputs('X17 secret files', 'name', SECRET_NAMES)
def test_a_new_file_with_a_secrets_name_is_refused(tmp_path, name):
    (tmp_path / name).write_text('x')
    with pytest.raises(Refusal, match='looks like a secret.*gitignore'):
        leaks.check(tmp_path, [Change('new', name)])


@inputs('X17 secrets in files', 'token', TOKENS)
@pytest.mark.parametrize('what', ['new', 'modified'])
def test_a_changed_file_that_holds_a_token_is_refused_without_telling_it(tmp_path, token, what):
    (tmp_path / 'notes.ipynb').write_text(f'{{"cells": [\n"key = \\"{token}\\""]}}\n')
    with pytest.raises(Refusal, match='notes.ipynb, line 2') as refused:
        leaks.check(tmp_path, [Change(what, 'notes.ipynb')])
    assert token not in str(refused.value)


@pytest.mark.parametrize('name', NO_SECRETS)
def test_a_file_that_only_sounds_like_a_secret_is_taken(tmp_path, name):
    (tmp_path / name).write_text('api_key = os.environ["KEY"]  # ghp_, hf_ and sk- begin one; hf_hub_download does not\n')
    assert leaks.check(tmp_path, [Change('new', name)]) is None


PLANTED = {'AWS_SECRET_ACCESS_KEY': 'planted-aws-01', 'WANDB_API_KEY': 'planted-wandb-02', 'HF_TOKEN': 'planted-hf-03',
           'PIP_INDEX_URL': 'https://u:planted-pip-04@127.0.0.1:9/',
           'HTTPS_PROXY': 'http://u:planted-proxy-05@127.0.0.1:9', 'GITHUB_TOKEN': 'planted-github-06', 'OPENAI_API_KEY': 'planted-openai-07',
           'SLURM_JOB_COMMENT': 'planted-slurm-08',
           'SSH_AUTH_SOCK': '/tmp/planted-ssh-09', 'GIT_ASKPASS': 'planted-askpass-10', 'DATABASE_URL': 'postgres://u:planted-db-11@127.0.0.1:9/x'}


@inputs('X16 planted secrets', 'planted', [[*PLANTED, 'remote']])
def test_twelve_planted_secrets_are_found_in_no_output(tmp_path, data, planted):
    project = make_project(tmp_path / 'real', data, epochs='1')
    project.git('remote', 'add', 'origin', 'https://me:planted-remote-12@example.org/x.git')
    told = []
    for words in (('run', 't1'), ('rerun', 't1', '-f'), ('record', 't1'), ('title',), ('table',), ('table', '--format', 'html', '-o', '__statistic__/t.html'),
                  ('expls', '--json'),
                  ('doctor', '--json'), ('continue', 't1')):
        done = project.tagrun(*words, env=PLANTED)
        told += [done.stdout, done.stderr]
    objects = subprocess.run(['git', 'cat-file', '--batch', '--batch-all-objects'], cwd=project.root, capture_output=True, check=True).stdout
    assert 'planted-' not in ''.join(told) and b'planted-' not in objects
    for path in [path for place in ('__result__', '__statistic__') for path in (project.root / place).rglob('*') if path.is_file()]:
        assert b'planted-' not in path.read_bytes(), path


COUNTS['X16 planted secrets'] = len(PLANTED) + 1


# --- X19: TensorBoard's flags -----------------------------------------------------------------------------------------------------

@inputs('X19 ports and hosts', 'flags',
        [['--host', '0.0.0.0'], ['--host=0.0.0.0'], ['--host', '::'], ['--host='], ['--host', 'example.org'], ['--bind_all'], ['--bind_a'], ['--ho=0.0.0.0'],
                                         ['--port', '0'], ['--port', 'x'], ['--port', ''], ['--logdir', '/'], ['--logdir=/etc'], ['--port=1e3'],
                                         ['--host', '127.0.0.1\n']])
def test_a_flag_that_would_open_tensorboard_to_others_is_refused(place, verb, flags):
    code, _, told = verb('itb', 'real', '--', *flags)
    assert code in (1, 2) and told


# --- X22: the environment ------------------------------------------------------------------------------------------------------------

def evil_path(tmp_path):
    """A folder with programs of common names, which touch PWNED."""
    for name in ('git', 'python', 'python3', 'sh', 'bash', 'ls', 'less'):
        (tmp_path / 'bin').mkdir(exist_ok=True)
        (tmp_path / 'bin' / name).write_text('#!/bin/sh\ntouch "$(dirname "$0")/../PWNED"\nexit 1\n')
        (tmp_path / 'bin' / name).chmod(0o755)
    return str(tmp_path / 'bin')


ENVIRONMENTS = [{'GIT_DIR': '/nonexistent'}, {'GIT_WORK_TREE': '/'}, {'GIT_INDEX_FILE': '/dev/null'}, {'GIT_OBJECT_DIRECTORY': '/nonexistent'},
                {'GIT_NAMESPACE': 'x'}, {'GIT_COMMON_DIR': '/'},
                {'GIT_CEILING_DIRECTORIES': '/'}, {'GIT_CONFIG_COUNT': '1', 'GIT_CONFIG_KEY_0': 'core.bare', 'GIT_CONFIG_VALUE_0': 'true'},
                {'GIT_CONFIG_PARAMETERS': "'core.bare=true'"}, {'GIT_LITERAL_PATHSPECS': '1'}, {'GIT_GLOB_PATHSPECS': '1'}, {'GIT_ICASE_PATHSPECS': '1'},
                {'GIT_EXTERNAL_DIFF': 'touch PWNED'},
                {'GIT_PAGER': 'touch PWNED'}, {'GIT_EDITOR': 'touch PWNED'}, {'GIT_SSH_COMMAND': 'touch PWNED'}, {'GIT_TRACE': '1'},
                {'GIT_OPTIONAL_LOCKS': '1'}, {'GIT_DEFAULT_HASH': 'sha256'},
                {'GIT_SHALLOW_FILE': '/dev/null'}, {'BASH_ENV': 'EVIL'}, {'ENV': 'EVIL'}, {'PROMPT_COMMAND': 'touch PWNED'},
                {'LC_ALL': 'de_DE.UTF-8', 'LANGUAGE': 'de'}, {'LC_ALL': 'C'},
                {'LANG': ''}, {'HOME': '/nonexistent'}, {'TERM': '\x1b[2J'}, {'COLUMNS': '-5'}, {'NO_COLOR': ''}, {'TAGRUN_RUN': '/etc'},
                {'PYTHONSTARTUP': 'EVIL'}, {'PYTHONWARNINGS': 'error'},
                {'PYTHONOPTIMIZE': '2'}, {'PYTHONDONTWRITEBYTECODE': ''}, {'PYTHONIOENCODING': 'ascii'}, {'TMPDIR': '/nonexistent'},
                {'GIT_AUTHOR_DATE': '2020-01-01T00:00:00Z'}]


@inputs('X22 environment', 'env', ENVIRONMENTS)
def test_whatever_the_environment_says_the_run_is_that_of_this_project(scratched, env, tmp_path):
    evil = tmp_path / 'evil.sh'
    evil.write_text(f'touch {tmp_path}/PWNED\n')
    env = {name: str(evil) if value == 'EVIL' else value for name, value in env.items()}
    before = scratched.project.git('for-each-ref')
    scratched.project.tagrun('rerun', 'real', env=env, code=75)
    after = scratched.project.git('for-each-ref')
    assert set(before.splitlines()) < set(after.splitlines()) and not (tmp_path / 'PWNED').exists()


@inputs('X22 PATH', 'entry', ['.', '', 'bin', './bin'])
def test_a_git_that_lies_in_the_project_is_not_run(scratched, entry, tmp_path):
    evil_path(scratched.root)
    try:
        scratched.project.tagrun('expls', env={'PATH': f'{os.environ["PATH"]}:{entry}'})
    finally:
        shutil.rmtree(scratched.root / 'bin')


@inputs('X22 files beside the code', 'name',
        ['git.py', 'json.py', 'queue.py', 'random.py', 'torch.py', 'tagrun.py', 'sitecustomize.py', 'code.py', 'argparse.py'])
def test_a_file_of_the_researcher_never_stands_for_a_module_of_the_tool(scratched, name):
    path = scratched.root / 'code' / name
    path.write_text('open("PWNED", "w")\n')
    try:
        for words in (('expls',), ('table', 'record'), ('run', '-n', 't9'), ('record', 't1')):
            scratched.project.tagrun(*words)
            scratched.project.tagrun(*words, cwd=scratched.root / 'code')
    finally:
        path.unlink()


def test_there_are_at_least_four_hundred_inputs():
    print('\n'.join(f'{kind:<40} {count:>5}' for kind, count in COUNTS.items()), f'\n{sum(COUNTS.values())} inputs')
    assert sum(COUNTS.values()) >= AT_LEAST
