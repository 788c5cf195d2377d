"""Planted links and hostile repositories, X14 and X15: nothing is written outside, nothing of
theirs runs.
"""

import os
import shutil
import subprocess
from pathlib import Path

from hostile_inputs import inputs
from project_factory import Project

from tagrun.store import layout

LINKED = [
    'code',
    'code/tagrun',
    'code/model.py',
    'checkpoint',
    'tensorboard',
    'log',
    'lock',
    'trace.csv',
    'statistic.json',
    'history.csv',
    'run.json',
    '.',
    '..',
    'checkpoint/SHA256SUMS',
    'checkpoint/epoch_last.pth',
    'checkpoint/epoch_best.pth',
    'checkpoint/epoch_1.pth',
]


@inputs('X14 planted links', 'name', LINKED)
def test_nothing_is_written_through_a_link_that_somebody_planted(scratched, name):
    folder = layout.run_folder(scratched.root, 'real', 0)
    path = Path(os.path.normpath(folder / name))
    is_folder = path.is_dir()
    if path.exists():
        shutil.rmtree(path) if is_folder and not path.is_symlink() else path.unlink()
    path.symlink_to(scratched.canary.parent if is_folder else scratched.canary)
    done = subprocess.run(
        scratched.project.command('continue', 'real/0'),
        cwd=scratched.root,
        env=scratched.project.env,
        capture_output=True,
        text=True,
    )
    assert done.returncode in (0, 1, 75) and 'Traceback' not in done.stderr, done.stderr
    assert done.returncode != 1 or 'tagrun: ' in done.stderr


@inputs(
    'X14 planted links in lists',
    'name',
    ['exper-list/record.txt', 'title/record.json', 'table/record.csv', 'exper-list/finished.txt'],
)
def test_no_list_or_table_is_written_through_a_link(scratched, command, name):
    path = layout.statistic(scratched.root) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(scratched.canary)
    for words in (
        ('record', 't1', 'base'),
        ('record', 't1', '--to', 'finished'),
        ('title', 'record'),
        ('table', 'record'),
    ):
        assert command(*words)[0] in (0, 1)


@inputs(
    'X15 a repository',
    'what',
    [
        'a link for the results',
        'a link for the tag',
        'hooks',
        'a filter',
        'an alias',
        'fsmonitor',
        'a pager',
        'an editor',
        'a replaced object',
    ],
)
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
        for hook in (
            'pre-commit',
            'reference-transaction',
            'post-index-change',
            'fsmonitor-watchman',
            'post-checkout',
        ):
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
        for key in {
            'an alias': ['alias.status', 'alias.rev-parse'],
            'fsmonitor': [],
            'a pager': ['core.pager', 'pager.status'],
            'an editor': ['core.editor'],
        }[what]:
            project.git('config', key, f'!{evil}')
        project.tagrun('run', 't9')
    assert not (tmp_path / 'PWNED').exists()
