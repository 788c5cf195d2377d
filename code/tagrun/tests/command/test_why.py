"""`why` and `diff`: what differs between two runs, and whether their metrics differ by more than
seeds do.
"""

import json
import re
import shutil

import pytest
import stub_project
from project_factory import Project

from tagrun.store import history, jsonfile, statistic, trace

ACC = {
    'base/0': 0.90,
    'base/1': 0.91,
    'base/2': 0.92,
    'base/3': 0.91,
    'wide/0': 0.99,
    'near/0': 0.905,
}
SURROUNDINGS = {
    'python': '3.11.7',
    'torch': '2.13.0',
    'cpu': 'EPYC',
    'threads': 1,
    'data': {'train': {'samples': 3600, 'digest': 'aaaa'}},
    'packages': {'numpy': '2.0.0', 'torch': '2.13.0'},
}


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    """base with four seeds; wide with another model, another lr and another numpy; near with
    another lr and the first's trace but for its end.
    """
    project = stub_project.make(tmp_path_factory.mktemp('why') / 'made')
    project.tagrun('run', 'base', '--seeds', '4')
    project.tagrun('run', 'near', '--set', 'lr=0.11')
    model = project.root / 'code' / 'model.py'
    model.write_text(
        '"""The network: another."""\n'
        + ''.join(f'line_{number} = {number}\n' for number in range(40))
    )
    project.tagrun('run', 'wide', '--set', 'lr=0.2')
    for name, acc in ACC.items():
        folder = project.folder(name)
        statistic.write(
            folder,
            {
                **statistic.read(folder),
                'metric': {'val/loss': 1 - acc, 'val/acc': acc},
                'digest': {'weights': name},
            },
        )
        history.write(folder, [{'epoch': 1, 'val/acc': acc, 'seconds': 1.0}])
        (folder / trace.NAME).write_text(
            trace.HEADER
            + f'1,1,0,0,0.5,\n1,2,{"0" if name in ("base/0", "near/0") else name[-4:-2]},0,{acc},\n'
        )
        jsonfile.write(folder / 'environment.json', SURROUNDINGS)
    jsonfile.write(
        project.folder('wide/0') / 'environment.json',
        {
            **SURROUNDINGS,
            'threads': 2,
            'packages': {'numpy': '2.1.0', 'torch': '2.13.0', 'new': '1'},
            'data': {'train': {'samples': 3000, 'digest': 'bbbb'}},
        },
    )
    return project.root


@pytest.fixture
def project(made, tmp_path):
    return Project(shutil.copytree(made, tmp_path / "a 'b; c", symlinks=True))


def test_one_screen_names_all_that_differs(project):
    text = project.tagrun('why', 'base/0', 'wide').stdout
    first = text.splitlines()[0]
    assert first == 'base/0 and wide/0: they differ in code, lr, seed, packages, hardware, data'
    for part in (
        'code/model.py',
        '-"""The network: none."""',
        '+"""The network: another."""',
        'lr: 0.1 -> 0.2',
        'numpy: 2.0.0 -> 2.1.0',
        'new: absent -> 1',
        'threads: 1 -> 2',
        'train: 3600 samples, aaaa -> 3000 samples, bbbb',
        'tagrun diff base/0 wide/0',
    ):
        assert part in text, part
    assert re.search(r'they part at step 2 of epoch 1: the order of the samples', text)
    assert len(text.splitlines()) <= 45 and max(map(len, text.splitlines())) <= 165
    assert 'line_39' not in text and 'code/tagrun' not in text and 'config.py' not in text


def test_metrics_are_set_against_the_noise_of_the_seed(project):
    found = json.loads(project.tagrun('why', 'base/0', 'wide/0', '--json').stdout)['metric']
    assert list(found) == ['val/acc', 'val/loss']  # the watched one first
    # std of 0.90, 0.91, 0.92, 0.91 is 0.0081650; of a difference of two runs sqrt(2) times that; t
    # at 3 degrees of freedom is 3.18
    assert found['val/acc']['noise'] == pytest.approx(0.0115470) and found['val/acc']['seeds'] == [
        4,
        1,
    ]
    assert (
        found['val/acc']['difference'] == pytest.approx(0.09)
        and found['val/acc']['more_than_seeds'] is True
    )
    assert (
        json.loads(project.tagrun('why', 'base/0', 'near/0', '--json').stdout)['metric']['val/acc'][
            'more_than_seeds'
        ]
        is False
    )
    text = project.tagrun('why', 'base', 'wide').stdout
    assert re.search(
        r'val/acc +0\.9100 +0\.9900 +\+0\.0800 +± 0\.0115 \(4\+1 seeds\): more than seeds do', text
    )
    for number in range(1, 4):
        shutil.rmtree(project.folder(f'base/{number}'))
    text = project.tagrun('why', 'base', 'wide').stdout
    assert 'the noise of the seed is not known: `rerun base/0 --seeds 4` shows it' in text


def test_where_they_part_is_the_first_step_and_stream(project):
    text = project.tagrun('why', 'base/0', 'near/0').stdout
    assert re.search(
        r'they part at step 2 of epoch 1: the loss \(0\.9 in base/0, 0\.905 in near/0\)', text
    )
    assert re.search(r'the same +code, inputs, packages, hardware, settings, data', text)


def test_runs_that_are_the_same_are_called_so_and_what_is_unknown_is_not(project):
    shutil.rmtree(project.folder('base/1'))
    shutil.copytree(project.folder('base/0'), project.folder('base/1'))
    path = project.folder('base/1') / 'run.json'
    path.write_text(path.read_text().replace('"id": 0', '"id": 1'))
    assert project.tagrun('why', 'base/0', 'base/1').stdout.startswith(
        'base/0 and base/1: the same, bit for bit\n'
    )
    for name in (trace.NAME, history.NAME, 'environment.json', statistic.NAME):
        (project.folder('base/1') / name).unlink()
    text = project.tagrun('why', 'base/0', 'base/1').stdout
    assert (
        'nothing known differs, but not all is known of both' in text and 'bit for bit' not in text
    )
    assert 'unknown   packages, hardware, settings, data' in text


def test_what_another_person_wrote_does_not_drive_the_terminal(project):
    folder = project.folder('wide/0')
    statistic.write(
        folder,
        {
            **statistic.read(folder),
            'metric': {'a\x1b]0;x\x07': 1.0},
            'hparam': {'lr\x1b[2J': '\x1b[31m'},
        },
    )
    jsonfile.write(
        folder / 'environment.json', {'packages': ['x'], 'data': 7, 'cpu': '\x1b[2J' * 100}
    )
    assert '\x1b' not in project.tagrun('why', 'base/0', 'wide/0').stdout


def test_what_is_no_run_is_refused_in_a_sentence(project):
    assert 'both are base/0' in project.tagrun('why', 'base/0', 'base/0', code=2).stderr
    assert "'bas3' has no run here" in project.tagrun('why', 'bas3', 'wide', code=1).stderr
    shutil.rmtree(project.folder('near'))
    assert 'git has the result of near/0' in project.tagrun('why', 'base', 'near/0', code=1).stderr


def test_diff_is_the_code_alone_as_git_shows_it(project):
    text = project.tagrun('diff', 'base/0', 'wide').stdout
    assert '+line_39 = 39' in text and '-lr = 0.1' in text
    assert 'code/model.py' in project.tagrun('diff', 'base/0', 'wide/0', '--stat').stdout
    (project.root / 'code' / 'model.py').write_text('"""Now."""\n')
    assert '+"""Now."""' in project.tagrun('diff', 'wide').stdout  # against the files as they are
    shutil.rmtree(project.folder('near'))
    assert '+lr = 0.11' in project.tagrun('diff', 'base/0', 'near/0').stdout  # git alone has it
    project.tagrun('diff', 'base', '--output=x', code=2)
    assert not (project.root / 'x').exists()
