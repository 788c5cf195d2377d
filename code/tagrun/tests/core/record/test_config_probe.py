"""config.py runs in a process of its own, beside the files of a run: what it gives, and why not."""

import os

import pytest

from tagrun.core.cli.messages import UserError
from tagrun.core.record import config_probe
from tagrun.core.record.snapshot import File

SOURCE = '"""Arguments."""\nsteps, lr = 3, 0.1\n'
FILES = {
    'main.py': '',
    'failing.py': '"""Fails."""\n{}["a"]\n',
    'unreadable.py': 'def (\n',
    'more.json': '{"steps": 9}',
}
BROKEN = {
    'lr = undefined_name': "config.py, line 3: NameError: name 'undefined_name' is not defined",
    'x = 1 / 0': 'config.py, line 3: ZeroDivisionError',
    'raise SystemExit(3)': 'config.py, line 3: SystemExit: 3',
    'import no_such_module': "config.py, line 3: ModuleNotFoundError: No module named 'no_such",
    'def _f():\n    return [][1]\n\n\n_f()': 'config.py, line 4: IndexError',
    'open("nowhere.yaml")': 'config.py, line 3: FileNotFoundError',
    'import failing': r'failing.py, line 2: KeyError',
    'import unreadable': r'unreadable.py, line 1: SyntaxError',
    'name = input()': 'config.py, line 3: EOFError',
    'import os; os._exit(3)': r'ended the Python that ran it \(exit code 3\)',
    'seed = 42': 'seed is not an argument: write it into the file code/seed',
    'seed: int = 42': '`run -f` trains with it',
    'import random\nstart = random.Random(3)': 'start is a Random; numbers, strings',
    'import pathlib\ndata = pathlib.Path("x")': 'data is a PosixPath.*e.g. _data',
}


def evaluate(root, *texts):
    """What config.py gives with these lines after SOURCE."""
    files = [File(name, '100644', text.encode()) for name, text in FILES.items()]
    return config_probe.evaluate(root, files, 0, [f'{SOURCE}{text}\n' for text in texts])


@pytest.mark.parametrize('text', BROKEN)
def test_a_config_that_fails_is_refused_with_the_researchers_own_line(tmp_path, text):
    with pytest.raises(UserError, match=f'^code/.*{BROKEN[text]}') as refused:
        evaluate(tmp_path, text)
    assert 'Traceback' not in str(refused.value)


PLAIN = [
    'from math import ceil, pi',
    'from pathlib import Path',
    'from typing import Literal, Optional\nKind = Literal["a", "b"]',
    'from os import environ, path',
    'from collections import *',
    'from fractions import Fraction as F\nfrom decimal import ROUND_UP, getcontext',
    'from enum import Enum\n\n\nclass Kind(Enum):\n    A = 1',
    'import json\nwith open(__file__[:-9] + "more.json") as file:\n    more = json.load(file)',
    'from re import DOTALL, compile as pattern',
    'Number = int | float\nNames = list[str]',
    'import random\nchoice = random.choice',
    "SEED = 3\n_seed = 4",
]


def test_plain_python_in_config_py_is_no_refusal(tmp_path):
    for evaluation in evaluate(tmp_path, *PLAIN):
        assert evaluation.values['lr'] == 0.1 and 'Path' not in evaluation.values


def test_it_runs_as_training_does(tmp_path, monkeypatch):
    monkeypatch.setenv('RANK', '1')
    monkeypatch.setenv('MINE', 'yes')
    text = (
        'import os\nimport sys\nfrom pathlib import Path\nhere = os.getcwd()\n'
        'words = sys.argv\nrank = os.environ.get("RANK")\nmine = os.environ["MINE"]\n'
        'hashes = os.environ["PYTHONHASHSEED"]\nname = __name__\n'
        'run = os.environ["TAGRUN_RUN"]\n'
        'beside = sorted(path.name for path in Path(__file__).parent.iterdir())'
    )
    (evaluation,) = evaluate(tmp_path, text)
    values = evaluation.values
    assert values['here'] == os.path.realpath(tmp_path) and values['name'] == 'config'
    assert (values['rank'], values['mine'], values['hashes']) == (None, 'yes', '0')
    assert values['beside'] == sorted([*FILES, 'tagrun']) and values['words'][0].endswith(
        '/code/main.py'
    )
    assert values['words'][0].startswith(values['run']) and len(values['words']) == 1
    assert list(tmp_path.iterdir()) == []


def test_what_it_prints_is_not_shown(tmp_path, capfd):
    (evaluation,) = evaluate(tmp_path, 'print("hello")\nimport sys\nprint("x", file=sys.stderr)')
    assert evaluation.lines == {} and capfd.readouterr() == ('', '')
