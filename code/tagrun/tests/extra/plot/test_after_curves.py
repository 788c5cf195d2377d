"""curves.png of each run at its end, and what other after_ files do."""

import time

import stub_project
from project_factory import wait_for

from tagrun.extra.plot import after_curves
from tagrun.store import history

PNG = b'\x89PNG'


def test_each_run_gets_its_curves_at_its_end_and_waits_for_none(tmp_path):
    project = stub_project.make(tmp_path / "a 'b; c")
    project.edit(
        'main.py',
        "[{'val/acc': 0.5, 'seconds': 1.0}]",
        "[{'epoch': 1, 'val/acc': 0.5}, {'epoch': 2, 'val/acc': 0.6}]",
    )
    project.commit()
    project.git('config', '--unset', 'tagrun.curves')  # off in the other tests
    project.tagrun('run', 't1')
    path = project.folder('t1/0') / 'curves.png'
    assert not path.exists()  # the prompt came first
    wait_for(path.exists, what='curves.png')
    assert path.read_bytes().startswith(PNG)
    project.git('config', 'tagrun.curves', 'false')
    project.tagrun('run', 't2', '--set', "how='failed'", code=1)
    time.sleep(2)
    assert not (project.folder('t2/0') / 'curves.png').exists()
    project.tagrun('plot', 't2', '--own')
    assert (project.folder('t2/0') / 'curves.png').read_bytes().startswith(PNG)


def test_what_an_after_file_raises_is_a_line_and_no_more(tmp_path):
    project = stub_project.make(tmp_path / "a 'b; c")
    (project.root / 'code' / 'tagrun' / 'extra' / 'odd').mkdir()
    (project.root / 'code' / 'tagrun' / 'extra' / 'odd' / 'after_worse.py').write_text(
        '"""Fails."""\n\n\ndef after(repository, folder, info):\n    raise '
        'OSError("out\\nof luck")\n'
    )
    (project.root / 'code' / 'tagrun' / 'extra' / 'odd' / 'after_zoo.py').write_text(
        '"""Tells."""\n\n\ndef after(repository, folder, info):\n    (folder / '
        '"told").write_text(f"{info[\'tag\']} {repository.root == folder.parents[2]}")\n'
    )
    done = project.tagrun('run', 't1')
    assert 'tagrun: extra/after_worse.py: OSError: out\n' in done.stderr
    assert (project.folder('t1/0') / 'told').read_text() == 't1 True' and project.statistic('t1/0')[
        'status'
    ] == 'finished'


def test_curves_are_drawn_of_two_epochs_or_more_and_where_they_are_wanted(tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr(
        after_curves.subprocess, 'Popen', lambda words, **more: started.append(words) or Process()
    )
    monkeypatch.setattr(after_curves.os, 'setpriority', lambda *words: None)
    info = {'tag': 't1', 'id': 0}
    for wanted, rows in ((True, 1), (False, 2), (True, 2)):
        history.write(tmp_path, [{'epoch': epoch + 1} for epoch in range(rows)])
        after_curves.after(Repository(wanted), tmp_path, info)
    assert [words[2:] for words in started] == [['plot', '--own', 't1/0']]


class Process:
    pid = 1


class Repository:
    root = '/'

    def __init__(self, wanted):
        self.flag = lambda name, default: wanted
