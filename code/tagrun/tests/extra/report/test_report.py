"""The file that `report` writes: where, of which runs, and what it leaves out. test_report_page.py
looks at it in a browser.
"""

import json
import re

import pytest
import stub_project
from project_factory import make_project
from report_pages import make_run, reported
from run_factory import listed

from tagrun.store import confusion, statistic


def test_it_goes_where_git_does_not_see_it_unless_told_otherwise(three):
    project, _ = three
    (project.root / 'page.html').unlink(missing_ok=True)
    before = project.git('status', '--porcelain')
    said = project.tagrun('report', 'base').stderr
    assert (
        '__statistic__/report/base.html: 2 runs' in said
        and project.git('status', '--porcelain') == before
    )
    assert project.tagrun('report', 'base/0', '-o', '-').stdout.startswith('<!doctype html>')
    reported(project)  # as the other tests know it


def test_words_name_lists_tags_and_runs(three):
    project, _ = three
    listed(project.root, 'paper', 'wide/0', 'base/1')
    data = {}
    for words in (['paper'], ['@paper'], ['base'], ['wide', 'base/1'], ['bas']):
        said = project.tagrun('report', *words, '-o', '-').stdout
        data[' '.join(words)] = [
            run['name']
            for run in json.loads(re.search('id="data">(.*?)</script>', said, re.S)[1])['runs']
        ]
    both, listed_ones = ['base/0', 'base/1'], ['wide/0', 'base/1']
    assert data == {
        'paper': listed_ones,
        '@paper': listed_ones,
        'base': both,
        'wide base/1': listed_ones,
        'bas': both,
    }


def test_what_cannot_be_read_is_named_and_the_rest_is_reported(tmp_path):
    project = stub_project.make(tmp_path / "a 'b; c")
    secret = tmp_path / 'secret'
    secret.write_text('a file of the user, that is nobody\'s business')
    good = make_run(
        project,
        'good/0',
        files={
            'log': 'key ghp_'
            + 'a1B2' * 9
            + '\n-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----\n'
        },
    )
    for name in ('environment.json', 'confusion.json'):
        (good / name).write_text('[' * 5000)
    torn = make_run(project, 'torn/0')
    (torn / 'statistic.json').write_text('{"metric": {')
    linked = make_run(project, 'linked/0')
    (linked / 'statistic.json').rename(tmp_path / 'elsewhere.json')
    (linked / 'statistic.json').symlink_to(tmp_path / 'elsewhere.json')
    sly = make_run(project, 'sly/0')
    for name in ('log', 'history.csv'):
        (sly / name).unlink()
        (sly / name).symlink_to(secret)
    said, path = reported(project, 'good', 'torn', 'linked', 'sly')
    text = path.read_text()
    assert (
        'torn/0: statistic.json: not JSON' in said
        and 'linked/0: statistic.json is a link; left out' in said
    )
    assert (
        "nobody" not in text
        and 'ghp_' not in text
        and 'MIIEow' not in text
        and text.count('(hidden)') == 2
    )


def test_it_names_the_package_that_it_needs(three, tmp_path):
    project, _ = three
    (tmp_path / 'jinja2.py').write_text(
        "raise ModuleNotFoundError(\"No module named 'jinja2'\", name='jinja2')\n"
    )
    said = project.tagrun('report', code=1, env={'PYTHONPATH': str(tmp_path)}).stderr
    assert 'a report needs the package jinja2' in said and 'requirements-report.txt' in said


def test_numbers_that_json_has_not_and_names_of_pythons_own_do_no_harm(tmp_path):
    project = stub_project.make(tmp_path / "a 'b; c")
    make_run(
        project,
        't/0',
        metric={'val/acc': 'nan', 'val/loss': 'inf', 'x': True, 'y': None, 'z': 10**400},
        last={'val/loss': '-inf'},
        epoch=None,
        files={'history.csv': 'epoch,val/acc,seconds\n1,nan,1\n2,inf,1\n3,1e308,1\n'},
    )
    make_run(
        project,
        't/1',
        metric={'val/acc': 0.5},
        hparam={'': 1, 'a' * 5000: 2},
        time={'started': 5, 'seconds': 'nan'},
    )
    _, path = reported(project, 't')
    data = json.loads(
        re.search('id="data">(.*?)</script>', path.read_text(), re.S)[1],
        parse_constant=lambda word: pytest.fail(f'{word} is no JSON'),
    )
    assert data['runs'][0]['curves'] == [[None, None, 1e308]] and max(map(len, data['args'])) <= 302


def test_training_leaves_the_confusion_matrices_of_the_best_epoch(tmp_path, data):
    project = make_project(tmp_path / "a 'b; c", data, matrices=True, epochs='2')
    project.tagrun('run', 't1')
    content, told = (
        json.loads((project.folder('t1/0') / 'confusion.json').read_text()),
        statistic.read(project.folder('t1/0')),
    )
    counts = content['matrices']['val/confusion']['counts']
    assert content['epoch'] == told['best_epoch'] and set(content['matrices']) == {
        'val/confusion',
        'test/confusion',
    }
    right = sum(row[place] for place, row in enumerate(counts)) / sum(map(sum, counts))
    assert right == pytest.approx(told['metric']['val/acc'])


def test_what_is_no_confusion_matrix_is_neither_written_nor_read(tmp_path):
    confusion.write(
        tmp_path,
        3,
        {
            'good': (('a', 'b'), [[1, 2], [3, 4]]),
            'unnamed': (10, [[5]]),
            'oblong': (None, [[1, 2, 3]]),
            'nan': (None, [[float('nan')]]),
            'large': (None, [[0] * 101] * 101),
        },
    )
    assert confusion.read(tmp_path) == (
        3,
        {'good': (['a', 'b'], [[1, 2], [3, 4]]), 'unnamed': (['0'], [[5]])},
    )
    (tmp_path / confusion.NAME).write_text(
        json.dumps(
            {
                'epoch': 3,
                'matrices': {
                    'word': {'counts': [['x']]},
                    'flat': {'counts': [1]},
                    'none': None,
                    'huge': {'counts': [[1e308]]},
                },
            }
        )
    )
    assert confusion.read(tmp_path) == (3, {})
    (tmp_path / confusion.NAME).write_text('{"matrices": 5}')
    assert confusion.read(tmp_path) == (None, {})
