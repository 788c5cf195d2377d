"""The examples in each command's help: a shell takes them, the parser takes them, and they run.

What trains, asks the network or opens a program is parsed and not run.
"""

import os
import re
import shutil
import subprocess

import pytest
import stub_project
from project_factory import CODE
from run_factory import listed, run

from tagrun import __main__ as entry
from tagrun.core import finder
from tagrun.core.cli.messages import UserError
from tagrun.store import history, run_json, statistic

# short names that source.sh gives, for an example that has no `tagrun` before it
SHORT = ('run', 'continue', 'rerun', 'record', 'title', 'table', 'expls', 'itb')
# commands whose examples run, here and in little time
RUN = ('diff', 'doctor', 'expls', 'import', 'plot', 'queue', 'recipe', 'record', 'report')
RUN += ('table', 'title', 'why')
# … but for these: they need workers, files of other tools or the whole template
PARSED = ('recipe gan', 'import mlruns', 'import runs/', 'import wandb/')
PARSED += ('queue start', 'queue stop', 'queue priority', 'queue remove', 'queue logs')
SHELL = """
tagrun() { printf '%s\\0' "$@"; printf '\\n\\0'; }
jq() { cat; }
for name in NAMES; do eval "$name() { tagrun $name \\"\\$@\\"; }"; done
"""
TAGS = {'first': 4, 'wide': 3, 'five': 5, 'base': 1}
LISTS = ('record', 'paper', 'ablation', 'folds', 'more')


def examples():
    """Return [(command, what the help shows)]."""
    return [
        (name, left)
        for name in finder.command_files()
        for left, _ in finder.command(name).build_parser().text.examples
    ]


EXAMPLES = examples()


def words_of(lines):
    """Return the words of each line that a shell would give to `tagrun`."""
    script = SHELL.replace('NAMES', ' '.join(SHORT)) + '\n'.join(lines)
    done = subprocess.run(['bash', '-c', script], capture_output=True, text=True, cwd=os.sep)
    assert (done.returncode, done.stderr) == (0, '')
    return [block.split('\0')[:-1] for block in done.stdout.split('\n\0')[:-1]]


@pytest.fixture(scope='module')
def words():
    """{example: its words}."""
    lines = [line for _, line in EXAMPLES]
    return dict(zip(lines, words_of(lines), strict=True))


@pytest.fixture(scope='module')
def lived_in(tmp_path_factory):
    """A project with the runs and lists that examples name, made by hand."""
    project = stub_project.make(tmp_path_factory.mktemp('examples') / "a 'b; c")
    root, commit = project.root, project.git('rev-parse', 'HEAD').strip()
    project.git('update-ref', 'refs/tagrun/code/first/0', commit)
    for tag, count in TAGS.items():
        for number in range(count):
            metric = {'val/acc': 0.91 + number / 100}
            hparam = {'fold': number, 'model': ('cnn', 'mlp')[number % 2]}
            trained(run(root, f'{tag}/{number}', hparam, metric, commit=commit))
    for name in LISTS:
        listed(root, name, 'first/0', 'first/1', 'wide/2')
    evaluated(root / '__result__' / 'first' / '0')
    (root / 'log.csv').write_text('epoch,accuracy,val/acc\n1,0.5,0.5\n2,0.6,0.6\n')
    return project


def trained(folder):
    """Write the curves of a run."""
    rows = [{'train/loss': 1 / epoch, 'val/loss': 1 / epoch} for epoch in (1, 2, 3)]
    history.write(folder, [{**row, 'val/acc': 0.9, 'seconds': 1.0} for row in rows])
    steps = [f'{step // 9 + 1},{step},0,0,{1 / (step + 1)},\n' for step in range(27)]
    (folder / 'trace.csv').write_text('epoch,step,order,batch,loss,weights\n' + ''.join(steps))


def evaluated(folder):
    """Write an evaluation of a run, finished."""
    target = folder / 'evaluation' / '0'
    target.mkdir(parents=True)
    content = statistic.read(folder)
    asked = {'evaluation': 0, 'checkpoint': 'epoch_1', 'phases': ['val'], 'set': {}}
    statistic.write(target, {**content, **asked})
    run_json.write(target, {**run_json.read(folder), 'evaluate': {'id': 0, **asked}})


@pytest.fixture
def place(lived_in, tmp_path, monkeypatch, request):
    """That project, or a copy for what repairs, as the current folder."""
    root = lived_in.root
    if '--fix' in request.node.name:
        root = shutil.copytree(root, tmp_path / "a 'b; c", symlinks=True)
    monkeypatch.chdir(root)
    monkeypatch.setenv('GIT_PAGER', 'cat')
    return root


def test_every_command_has_examples():
    assert {name for name, _ in EXAMPLES} == set(finder.command_files())


@pytest.mark.parametrize('name, line', EXAMPLES, ids=lambda part: part)
def test_the_parser_takes_an_example_that_a_shell_has_read(name, line, words):
    command, *rest = words[line]
    assert entry.ALIASES.get(command, command) == name
    if name == 'test':
        # pytest reads them
        return
    end = rest.index('--') if name == 'itb' and '--' in rest else len(rest)
    finder.command(name).build_parser().parse_args(rest[:end])


def is_run(name, line):
    return name in RUN and not line.removeprefix('tagrun ').startswith(PARSED)


@pytest.mark.parametrize(
    'name, line', [example for example in EXAMPLES if is_run(*example)], ids=lambda part: part
)
def test_an_example_runs(name, line, words, place, monkeypatch, capfd):
    if name == 'report':
        pytest.importorskip('jinja2')
    module = finder.command(name)
    if hasattr(module, 'ROOT'):
        monkeypatch.setattr(module, 'ROOT', place)
    try:
        code = module.main(words[line][1:]) or 0
    except UserError as refusal:
        pytest.fail(f'{line}: {refusal}')
    # 1: doctor has found something, of runs that were made by hand
    assert code in ((0, 1) if name == 'doctor' else (0,)), capfd.readouterr().err


def test_the_short_names_are_those_of_source_sh():
    text = (CODE / 'source.sh').read_text()
    bound = re.search(r"_tagrun_bind\(\).*?for name in ([a-z ]+);", text, re.S)[1].split()
    assert set(bound) - {*entry.ALIASES} == {*SHORT}


@pytest.mark.parametrize('line', ["run t1 --set lr=(1,2)", "tagrun sweep a 'lr=1"])
def test_what_a_shell_cannot_read_is_found(line):
    with pytest.raises(AssertionError):
        words_of([line])
