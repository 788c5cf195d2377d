"""Words of the command line that name nothing, or what they must not: no command acts on them.

Values and conditions are in test_hostile_values.py, names that are found in files in
test_hostile_lists.py.
"""

import subprocess

import pytest
from hostile_inputs import CONTROL, INJECTIONS, OPTIONS, PATHS, REFS, inputs

from tagrun.store import names

VERBS = {
    'run': [],
    'continue': [],
    'rerun': [],
    'record': [],
    'expls': [],
    'itb': [],
    'doctor': [],
    'table': [],
    'title': [],
    'record --to': ['t1', '--to'],
}
# choose their runs or set by the function that continue or table chooses by
AS_ANOTHER = ('rerun', 'expls', 'itb', 'title', 'doctor')


@pytest.mark.parametrize(
    'name', [pytest.param(name, marks=[pytest.mark.slow] * (name in AS_ANOTHER)) for name in VERBS]
)
@inputs('X1-X4 words', 'word', [*INJECTIONS, *OPTIONS, *PATHS, *REFS])
def test_a_word_that_names_nothing_is_refused_by_every_verb(sandbox, command, name, word):
    words = (
        [*VERBS[name], word]
        if word[:1] != '-'
        else ['--to=' + word, 't1']
        if VERBS[name]
        else ['--', word]
    )
    if not word and name in ('record', 'expls', 'itb', 'doctor', 'table', 'title'):
        words = ['']
    code, _, message = command(name.partition(' ')[0], *words)
    assert code in (1, 2) and message
    assert names.check_tag(word)


@inputs(
    'X4 names for run alone', 'word', ['main', 'T1', 'REAL', 'scratch', '@last', '@record', 'real']
)
def test_a_name_that_something_has_already_is_no_new_tag(sandbox, command, word):
    sandbox.project.git('tag', '-f', 't1', 'HEAD')
    code, _, message = command('run', word)
    assert code == 1 and message and sandbox.project.git('tag').split() == ['real', 't1']


WORDS = [*INJECTIONS, *OPTIONS, *PATHS, *REFS]
BY_HAND = [
    ([*VERBS][number % 9], word)
    for number, word in enumerate(WORDS)
    if '\0' not in word and len(word) < 400 and word != '-c'
][::4]


@pytest.mark.parametrize('name, word', BY_HAND, ids=range(len(BY_HAND)))
def test_by_hand_it_is_refused_in_a_sentence_without_a_traceback(sandbox, name, word):
    done = subprocess.run(
        sandbox.project.command(name, word),
        cwd=sandbox.root,
        env=sandbox.project.env,
        capture_output=True,
        text=True,
        errors='surrogateescape',
    )
    assert done.returncode in (1, 2) and done.stderr and 'Traceback' not in done.stderr
    assert not any(letter in done.stderr for letter in CONTROL)
