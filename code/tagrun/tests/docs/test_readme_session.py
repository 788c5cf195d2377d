"""The commands of README.md's blocks, typed one after the other in a fresh copy of the template."""

import re
import shlex

import pytest
from pages import OWN_README, README
from project_factory import wait_for


def typed_lines():
    """Return the words of each line after a prompt."""
    lines = re.findall(r'^\$ (.*)$', README.read_text(encoding='utf-8'), flags=re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]


def run_and_kill(project, words):
    """Run it, kill its training after the first save, and return the command's exit code."""
    launcher = project.start(*words)
    sums = project.folder(f'{words[1]}/0') / 'checkpoint' / 'SHA256SUMS'
    wait_for(sums.exists, what='the first save')
    project.kill_training(f'{words[1]}/0')
    launcher.communicate(timeout=180)
    return launcher.returncode


@pytest.mark.slow
@pytest.mark.skipif(not OWN_README, reason='README.md is not that of Tagrun')
def test_the_commands_of_the_readme_do_what_it_shows(project):
    project.configure(epochs='5')
    project.commit()
    shown = {}
    for words in typed_lines():
        if words[:2] == ['run', 'killed']:
            assert run_and_kill(project, words) == 137
        elif words[0] != '.':
            done = project.tagrun(*words, timeout=600)
            shown[' '.join(words[:2])] = done.stdout + done.stderr
    assert 'the same as first/0, bit for bit' in shown['rerun first']
    assert 'resumed after epoch ' in shown['continue killed']
    assert 'the same as killed/0, bit for bit' in shown['rerun killed']
    for model in ('linear', 'mlp', 'cnn', 'gru'):
        assert re.search(
            rf'^{model}/0-2 +{model}( +\S+ ± \S+ \(3\))+$', shown['table --group'], re.M
        )
