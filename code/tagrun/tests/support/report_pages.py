"""What the tests of the report share: projects with runs, their pages, a headless Chromium.

    def test_…(chromium, three): project, page = three

conftest.py makes it a plugin, so its fixtures are there without being imported.
"""

import json
import re
import subprocess

import browser
import pytest
import stub_project
from run_factory import METRIC

from tagrun.store import layout, run_json

IN_CHROMIUM = pytest.mark.skipif(bool(browser.missing()), reason=browser.missing() or 'it is there')


def commits(project, authors, messages, name):
    """Make a commit and a tag for each author and message, on no branch; return their ids.

    Each has a file `name` of its own in code/. One process makes them all: it is fast.
    """
    parent = project.git('rev-parse', 'HEAD').strip().encode()
    stream = b''
    for number, (author, message) in enumerate(zip(authors, messages, strict=True)):
        stream += _commit(number, _plain(author), _encoded(message), parent, name.encode())
    subprocess.run(['git', 'fast-import', '--quiet'], cwd=project.root, input=stream, check=True)
    form = '--format=%(refname) %(objectname)'
    lines = project.git('for-each-ref', form, 'refs/made').splitlines()
    ids = dict(line.split(' ') for line in lines)
    return [ids[f'refs/made/{number}'] for number in range(len(messages))]


def _commit(number, author, message, parent, name):
    """The lines of git fast-import for one commit and its tag."""
    identity = b'%s <a@example.org> 1763000000 +0000' % author
    content = message + b'\n'
    lines = [
        b'commit refs/made/%d' % number,
        b'mark :%d' % (number + 1),
        b'committer ' + identity,
        b'data %d\n%s' % (len(message), message),
        b'from ' + parent,
        b'M 100644 inline code/' + name,
        b'data %d\n%s' % (len(content), content),
        b'tag h%d' % number,
        b'from :%d' % (number + 1),
        b'tagger ' + identity,
        b'data %d\n%s' % (len(message), message),
    ]
    return b''.join(line + b'\n' for line in lines)


def _plain(author):
    return re.sub('[<>\n\x00]', ' ', author).encode('utf-8', 'replace')


def _encoded(message):
    return message.replace('\0', '').encode('utf-8', 'replace')


def make_run(project, name, commit=None, info=(), files=(), **more):
    """Make a run's folder, without fsync: a thousand take a second. files: {name: text}."""
    tag, _, number = name.partition('/')
    folder = layout.run_folder(project.root, tag, number)
    folder.mkdir(parents=True)
    content = {
        'run': name,
        'status': 'finished',
        'seed': 7,
        'commit': commit,
        'epoch': 3,
        'epochs': 3,
        'monitor': 'val/acc',
        'monitor_mode': 'max',
        'best_epoch': 2,
        'metric': METRIC,
        'last': METRIC,
        'hparam': {'model': 'cnn', 'lr': 0.01},
        'digest': {},
        'time': {'started': '2026-11-21T09:00:00Z', 'seconds': 12.5},
        **more,
    }
    (folder / 'run.json').write_text(
        json.dumps({**run_json.build(project.root, tag, int(number), commit, 7), **dict(info)})
    )
    (folder / 'statistic.json').write_text(json.dumps(content))
    for file, text in {
        'history.csv': 'epoch,val/acc,seconds\n1,0.5,1\n2,0.75,1\n3,0.7,1\n',
        'log': 'a line\n',
        **dict(files),
    }.items():
        (folder / file).write_bytes(text.encode('utf-8', 'replace'))
    return folder


def reported(project, *words, **more):
    """Make a report; return (what it printed, the page's path)."""
    done = project.tagrun('report', *words, '-o', project.root / 'page.html', **more)
    return done.stderr, project.root / 'page.html'


@pytest.fixture(scope='module')
def chromium(tmp_path_factory):
    with browser.open_browser(tmp_path_factory.mktemp('chromium')) as chromium_of_module:
        yield chromium_of_module


@pytest.fixture(scope='module')
def three(tmp_path_factory):
    """Three runs of two tags, one of them a rerun, in a stub project; and the page of them."""
    project = stub_project.make(tmp_path_factory.mktemp('three') / "a 'b; c")
    project.tagrun('run', 'base', '-m', 'Does it learn at all?')
    project.edit('model.py', 'none.', 'none yet.')
    project.tagrun('run', 'wide', '--set', 'lr=0.3', "model='cnn'")
    project.tagrun('rerun', 'base', '-f')
    counts = {
        'epoch': 1,
        'matrices': {'val/confusion': {'classes': ['cat', 'dog'], 'counts': [[40, 2], [1, 37]]}},
    }
    (project.folder('wide/0') / 'confusion.json').write_text(json.dumps(counts))
    (project.folder('wide/0') / 'history.csv').write_text(
        'epoch,val/acc,seconds\n1,0.25,1\n2,nan,1\n3,0.75,1\n'
    )
    (project.folder('base/0') / 'environment.json').write_text(
        '{"python": "3.11.7", "packages": {"torch": "2.13.0"}}'
    )
    (project.folder('wide/0') / 'environment.json').write_text(
        '{"python": "3.12.1", "packages": {"torch": "2.13.0"}}'
    )
    return project, reported(project)[1]
