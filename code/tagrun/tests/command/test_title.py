"""The command title: it collects the columns and keeps every edit."""

import json
import subprocess
import sys

from run_factory import run

from tagrun.store import layout, title


def test_the_command_collects_keeps_edits_and_names_what_is_gone(project):
    run(project.root, 't1/0')
    run(project.root, 't1/1', hparam={'lr': 0.1})
    path = layout.title_file(project.root, 'finished')
    assert 'finished.json: 11 columns of 2 runs' in project.tagrun('title').stderr
    path.write_text(
        path.read_text().replace('    "hidden"', '    // "hidden"').replace('"grad_clip"', '"clip"')
    )
    before = path.read_text()
    run(project.root, 't2/0', hparam={'dropout': 0.5})
    told = project.tagrun('title', 'finished').stderr
    assert 'new: grad_clip, dropout' in told and 'no run has any more: clip' in told
    added = [line for line in path.read_text().splitlines() if line not in before.splitlines()]
    assert [line.strip() for line in added] == ['"grad_clip",', '"dropout",']


def test_changed_leaves_out_what_is_the_same_in_all_runs(project):
    run(project.root, 't1/0')
    run(project.root, 't1/1', hparam={'lr': 0.1})
    project.tagrun('title', '--changed')
    assert [
        column.name
        for column in title.read(project.root, 'finished')[0]
        if column.group == 'hparam'
    ] == ['lr']
    layout.title_file(project.root, 'finished').unlink()
    project.tagrun('title')
    project.tagrun('title', '--changed')
    assert [
        column.name
        for column in title.read(project.root, 'finished')[0]
        if column.group == 'hparam'
    ] == ['lr']


def test_a_broken_title_is_refused_by_its_line_and_left_alone(project):
    run(project.root, 't1/0')
    path = layout.title_file(project.root, 'finished')
    path.parent.mkdir(parents=True)
    path.write_text('{\n"hparam": [\n"lr" "model"]}')
    for command in ('title', 'table'):
        assert 'title/finished.json: line 3' in project.tagrun(command, code=1).stderr
    assert path.read_text() == '{\n"hparam": [\n"lr" "model"]}'


def test_the_reading_commands_load_no_torch_and_no_pandas(project):
    run(project.root, 't1/0')
    for words in (['record', 't1'], ['title'], ['table']):
        script = (
            'import sys; sys.path.insert(0, "code/tagrun"); import runpy; sys.argv = ["tagrun"]\n'
            f'try: runpy.run_path("code/tagrun/__main__.py")["main"]({words!r})\nfinally: '
            f'print(sorted(set(sys.modules) & {{"torch", "pandas", "numpy", "git"}}))'
        )
        done = subprocess.run(
            [sys.executable, '-c', script],
            cwd=project.root,
            capture_output=True,
            text=True,
            check=True,
        )
        assert json.loads(done.stdout.splitlines()[-1].replace("'", '"')) == [], words
