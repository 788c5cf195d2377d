"""docker/: the pins of a run's environment, and what build.sh asks of Docker."""

import json
import os
import subprocess
import sys

import pytest
from project_factory import CODE
from run_factory import run

from tagrun.docker import pins

DOCKER = CODE / 'tagrun' / 'docker'
ENVIRONMENT = {
    'python': '3.11.7',
    'torch': '2.13.0+cpu',
    'packages': {'torch': '2.13.0+cpu', 'numpy': '2.4.6', 'pip': '24.0', 'A-b': '1.0rc1'},
}
LINES = ['# Python 3.11.7', 'A-b==1.0rc1', 'numpy==2.4.6', 'torch==2.13.0']
# stands for docker: it prints its words, and the files that it would send
STAND_IN = '#!/bin/sh\nprintf "%s\\n" "$@"\nfor last; do :; done\ncd "$last" && head *\n'


def test_every_package_is_pinned_but_those_of_any_environment():
    assert pins.lines(ENVIRONMENT) == LINES


@pytest.mark.parametrize(
    'text', ['', '[]', '{}', '{"python": "3.11", "torch": "2", "packages": 3}']
)
def test_a_file_without_packages_is_one_sentence(text, tmp_path):
    path = tmp_path / 'environment.json'
    path.write_text(text)
    with pytest.raises(SystemExit, match='does not list packages'):
        pins.main(str(path))


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "a 'b; c"
    folder.mkdir()
    return folder


@pytest.fixture
def build(root, tmp_path):
    """A function that calls build.sh with a program in Docker's place."""
    docker = tmp_path / 'docker'
    docker.write_text(STAND_IN)
    docker.chmod(0o755)

    def call(*words):
        environ = {**os.environ, 'DOCKER': str(docker)}
        environ['PATH'] = f'{os.path.dirname(sys.executable)}:{environ["PATH"]}'
        command = ['bash', str(DOCKER / 'build.sh'), *map(str, words)]
        return subprocess.run(command, cwd=root, env=environ, capture_output=True, text=True)

    return call


def test_docker_gets_the_version_of_python_the_pins_and_further_words(root, build):
    folder = run(root, 'Größe+2@x/3')
    (folder / 'environment.json').write_text(json.dumps(ENVIRONMENT))
    done = build('__result__/Größe+2@x/3/', '--build-arg', 'BASE=a b')
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert said[:3] == ['build', '--build-arg', 'PYTHON=3.11.7'] and said[3] == '--tag'
    assert said[4].startswith('tagrun-gr') and said[4].endswith('e-2-x-3') and said[4].isascii()
    assert said[5:7] == ['--build-arg', 'BASE=a b'] and not os.path.exists(said[7])
    assert set(LINES) <= {*said} and 'ARG PYTHON=3.11' in said


@pytest.mark.parametrize('words', [[], ['__result__/none/0']])
def test_a_folder_without_an_environment_is_refused(words, build):
    done = build(*words)
    assert done.returncode == 2 and 'name the folder of a run' in done.stderr and not done.stdout
