"""What stands behind the verbs: the values of config.py, git's door, how it speaks, TensorBoard's servers."""
import ast
import os
import subprocess
import sys
import urllib.request

import pytest
from conftest import CODE, wait_for

from tagrun.command import board, literals, say
from tagrun.command.git import Failed, Repository
from tagrun.command.say import Refusal

SOURCE = '''"""Grüße."""
import math
lr = 0.01               # learning rate: größer is faster
model = 'cnn'           # the network
deep: bool = False      # typed
steps = 6000 // 40
phases = ('train',
          'val')        # over two lines
nothing = None
_private = 1
'''


@pytest.mark.parametrize('name, text, line', [
    ('lr', '0.5', 'lr = 0.5               # learning rate: größer is faster'), ('lr', '1', 'lr = 1.0 '), ('lr', '1e-3', 'lr = 0.001 '), ('model', 'mlp', "model = 'mlp' "),
    ('model', '7', "model = '7' "), ('model', "'a b'", "model = 'a b' "), ('deep', 'true', 'deep: bool = True '), ('steps', '9', 'steps = 9'),
    ('phases', "['test']", "phases = ('test',)        # over"), ('nothing', '3', 'nothing = 3'), ('lr', '-0.5', 'lr = -0.5 ')])
def test_a_value_is_changed_and_all_else_stays(name, text, line):
    changed = literals.changed(SOURCE, {name: text})
    assert line in changed
    compile(changed, 'config.py', 'exec')
    kept = [row for row in changed.splitlines() if not row.startswith((name, " ' "))]
    assert set(kept) <= set(SOURCE.splitlines()) | {line}


def test_many_values_are_changed_at_once():
    changed = literals.changed(SOURCE, {'phases': "('a',)", 'lr': '2', 'nothing': '"x"'})
    assert literals.read(changed) == {**literals.read(SOURCE), 'phases': "('a',)", 'lr': '2.0', 'nothing': "'x'"}
    assert literals.differences(SOURCE, changed) == ['lr = 2.0 (was 0.01)', "phases = ('a',) (was ('train',\n          'val'))", "nothing = 'x' (was None)"]


@pytest.mark.parametrize('name, text, reason', [('lrr', '1', "Did you mean 'lr'"), ('lr', 'fast', 'a float there'), ('deep', '3', 'a bool there'),
                                                ('_private', '2', 'no argument'), ('math', '2', 'no argument'), ('phases', '3', 'a tuple there')])
def test_a_value_that_does_not_fit_is_refused(name, text, reason):
    with pytest.raises(Refusal, match=reason):
        literals.changed(SOURCE, {name: text})


def test_every_argument_of_the_template_is_a_literal_with_its_sentence():
    source = (CODE / 'config.py').read_text()
    for name, text in literals.read(source).items():
        ast.literal_eval(text)
        line = next(line for line in source.splitlines() if line.startswith(f'{name} = '))
        assert '  # ' in line and len(line) < 150, name


def test_refs_are_created_all_or_none(project):
    repository = Repository.at(project.root)
    head = repository.resolve('HEAD')
    repository.create_refs({'refs/tagrun/code/a/0': head})
    with pytest.raises(Failed):
        repository.create_refs({'refs/tagrun/code/b/0': head, 'refs/tagrun/code/a/0': head})
    assert repository.resolve('refs/tagrun/code/b/0') is None


def test_changes_are_named_by_kind_with_every_path_whole(project):
    (project.root / 'new "file"\n2').write_text('x')
    (project.root / 'code' / 'seed').unlink()
    project.git('mv', 'code/model.py', 'code/modell.py')
    project.edit('epoch.py', 'One phase', 'A phase')
    found = {(change.what, change.path) for change in Repository.at(project.root).changes()}
    assert found == {('new', 'new "file"\n2'), ('deleted', 'code/seed'), ('deleted', 'code/model.py'), ('new', 'code/modell.py'), ('modified', 'code/epoch.py')}


def test_where_git_cannot_work_one_sentence_says_the_cure(tmp_path, monkeypatch):
    with pytest.raises(Refusal, match='git init'):
        Repository.at(tmp_path)
    subprocess.run(['git', 'init', '-q', '--bare', tmp_path / 'bare'], check=True)
    with pytest.raises(Refusal, match='bare repository'):
        Repository.at(tmp_path / 'bare')
    monkeypatch.setenv('PATH', str(tmp_path))
    with pytest.raises(Refusal, match='git is not installed'):
        Repository.at(tmp_path)


def test_what_drives_a_terminal_is_shown_not_sent():
    assert say.printable('a\x1b]52;c;x\x07b\rc\x9b31m') == 'a\\x1b]52;c;x\\x07b\\x0dc\\x9b31m'


@pytest.mark.parametrize('seconds, text', [(0.44, '0.4 s'), (59, '59 s'), (200, '3 min 20 s'), (18_720, '5 h 12 min'), (273_600, '3 d 4 h')])
def test_a_duration_is_read_at_a_glance(seconds, text):
    assert say.duration(seconds) == text


def test_a_board_is_one_on_loopback_until_it_is_stopped(tmp_path):
    server = board.serve(tmp_path, tmp_path / 'runs')
    try:
        assert server.get('new') and board.serve(tmp_path, tmp_path / 'runs') == {'pid': server['pid'], 'port': server['port']}
        wait_for(lambda: answers(server['port']), 60, 'TensorBoard')
        addresses = subprocess.run(['ss', '-Hltn', f'sport = :{server["port"]}'], capture_output=True, text=True).stdout
        assert not addresses or all('127.0.0.1' in line for line in addresses.splitlines())
    finally:
        assert board.stop(tmp_path)
    wait_for(lambda: board.running(tmp_path) is None, 20, 'its end')
    assert not board.stop(tmp_path)


def answers(port):
    try:
        return urllib.request.urlopen(f'http://127.0.0.1:{port}/data/environment', timeout=2).status == 200
    except OSError:
        return False


def test_no_light_verb_pays_for_torch():
    code = f"import sys; sys.argv = ['x']; sys.path.insert(0, {str(CODE)!r})\nfrom tagrun.command import run, launch, choose\nprint('torch' in sys.modules, 'pandas' in sys.modules)"
    assert subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, env=os.environ).stdout == 'False False\n'
