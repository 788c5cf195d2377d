"""Which line of config.py set an argument last, whatever way it took."""

import inspect

from tagrun.core.record import config_probe, config_program
from tagrun.core.record.snapshot import File
from tagrun.store import arguments

SOURCE = '"""Arguments."""\nsteps = 3\n'
# each sets lr or steps after its own line; SOURCE has two lines
OVERRIDES = {
    'an if': 'if True:\n    steps = 9',
    'an assignment to several names': 'deeper = steps = 9',
    'a pair': '(steps, other) = 9, 1',
    'an operator': 'steps += 6',
    'a value made of itself': 'if steps:\n    steps = steps * 3',
    'a loop': 'for steps in range(10):\n    pass',
    'a JSON file': 'import json\n_file = open(__file__[:-9] + "more.json")\n'
    'for _k, _v in json.load(_file).items():\n'
    '    globals()[_k] = _v',
    'globals': 'globals().update(steps=9)',
    'vars': "vars()['steps'] = 9",
    'exec': 'exec("steps = 9")',
    'the environment': "import os\nif 'STEPS' not in os.environ:\n    steps = 9",
    'a star import': 'from more_settings import *',
    'a function': 'def _set():\n    global steps\n    steps = 9\n\n\n_set()',
    'another module': 'import meddling',
    'a walrus': 'if (steps := 9):\n    pass',
    'try': "try:\n    steps = int('x')\nexcept ValueError:\n    steps = 9",
    'del': 'del steps',
    'with': 'import contextlib\nwith contextlib.nullcontext(9) as steps:\n    pass',
    'match': 'match 9:\n    case steps:\n        pass',
    'a comprehension': '[globals().update(steps=n) for n in (5, 9)]',
}
FILES = {
    'main.py': '',
    'more.json': '{"steps": 9}',
    'more_settings.py': 'steps = 9\n',
    'meddling.py': 'import config\n\nconfig.steps = 9\n',
}


def evaluate(root, texts):
    files = [File(name, '100644', text.encode()) for name, text in FILES.items()]
    sources = [f'{SOURCE}{text}\n' for text in texts]
    return list(zip(sources, config_probe.evaluate(root, files, 0, sources), strict=True))


def test_the_line_that_set_an_argument_is_named_in_every_way_to_do_so(tmp_path):
    for source, evaluation in evaluate(tmp_path, OVERRIDES.values()):
        assert evaluation.values.get('steps') in (9, None), source
        text = source.splitlines()[evaluation.lines['steps'] - 1]
        is_setting = any(word in text for word in ('steps', 'globals', 'import', '_set()'))
        assert is_setting and evaluation.lines['steps'] > 2, (source, text)


def test_of_several_lines_it_is_the_last_that_changed_the_value(tmp_path):
    text = 'if steps < 5:\n    steps = 7\nif steps > 5:\n    steps = 9\nsteps + 1\nlast = 1'
    ((_, evaluation),) = evaluate(tmp_path, [text])
    assert evaluation.lines == {'steps': 6}


def test_a_list_that_is_changed_in_place_counts_as_set(tmp_path):
    ((_, evaluation),) = evaluate(tmp_path, ["phases = ['a']\nif phases:\n    phases.append('b')"])
    assert evaluation.values['phases'] == ['a', 'b'] and evaluation.lines == {'phases': 5}


def test_each_text_is_run_as_if_it_were_the_first(tmp_path):
    evaluations = evaluate(tmp_path, ['import meddling', 'import meddling', 'other = 1'])
    assert [evaluation.values['steps'] for _, evaluation in evaluations] == [9, 9, 3]


def test_it_needs_nothing_of_ours_but_a_file_that_it_loads_by_its_path():
    assert config_program.ARGUMENTS.samefile(arguments.__file__)
    for module in (config_program, arguments):
        assert 'from tagrun' not in inspect.getsource(module)
