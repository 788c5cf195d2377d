"""`python code/main.py`: what it refuses, and that it ends with what came out, and where."""

import shlex
import subprocess
import sys
import types

import pytest

from tagrun.training import by_hand


@pytest.fixture
def config(tmp_path, monkeypatch):
    (tmp_path / 'main.py').write_text('"""A loop."""\n')
    main = types.SimpleNamespace(__file__=str(tmp_path / 'main.py'))
    monkeypatch.setitem(sys.modules, '__main__', main)
    file = str(tmp_path / 'config.py')
    return types.SimpleNamespace(__file__=file, lr=0.1, batch_size=100, model='cnn')


@pytest.mark.parametrize(
    'words, settings',
    [
        (['--lr', '3'], 'lr=3'),
        (['--lr=3', '-v'], 'lr=3'),
        (['lr=3', 'model=a b'], "lr=3 'model=a b'"),
        (['--batch-size', '5', '--lr', '-3'], 'batch_size=5 lr=-3'),
        (['--resume'], 'lr=0.1'),
        (['first'], 'lr=0.1'),
    ],
)
def test_arguments_are_refused_with_how_to_give_them(config, words, settings, capsys):
    with pytest.raises(SystemExit) as ended:
        by_hand.refuse_words(config, ['code/main.py', *words])
    told = capsys.readouterr().err
    assert ended.value.code == 2 and 'takes no arguments' in told
    assert f'run <tag> --set {settings}\n' in told and f'--fast --set {settings} ' in told


def test_a_main_that_reads_them_itself_gets_them_and_so_does_a_notebook(config, tmp_path, capsys):
    by_hand.refuse_words(config, ['code/main.py'])
    (tmp_path / 'main.py').write_text('import argparse\nargs = parser.parse_known_args()\n')
    by_hand.refuse_words(config, ['code/main.py', '--lr', '3'])
    del sys.modules['__main__'].__file__
    by_hand.refuse_words(config, ['ipykernel_launcher.py', '-f', 'kernel.json'])
    assert capsys.readouterr().err == ''


def test_what_nobody_launched_is_by_hand():
    assert by_hand.is_by_hand({'commit': None})
    for launched in ({'commit': 'a' * 40}, {'fast': 3}, {'selftest': {'batches': 1}}):
        assert not by_hand.is_by_hand({'commit': None, **launched})


def test_a_training_by_hand_ends_with_what_came_out_and_where(project):
    project.configure(epochs='1', model="'linear'")
    words = [sys.executable, 'main.py']
    code = project.root / 'code'
    done = subprocess.run(words, cwd=code, env=project.env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    folder = project.folder('scratch/0')
    assert 'scratch/0 finished after' in done.stderr and 'the best by val/acc is' in done.stderr
    assert f'files    {shlex.quote(str(folder))}' in done.stderr
    assert 'source.sh run <tag>' in done.stderr and '  val      loss ' in done.stderr
    words = [sys.executable, 'code/main.py', '--lr', '3']
    done = subprocess.run(words, cwd=project.root, env=project.env, capture_output=True, text=True)
    assert done.returncode == 2 and '--set lr=3' in done.stderr
    assert not project.folder('scratch/1').exists()
