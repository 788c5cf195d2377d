"""The usual cause of a difference, from the check, the stream and the suspects."""

import pytest

from tagrun.core.check import diagnosis, nondeterminism_lint
from tagrun.core.check.nondeterminism_lint import Suspect


def suspects(*kinds):
    return [Suspect('epoch.py', line, 'x', kind) for line, kind in enumerate(kinds, 1)]


def test_each_cause_has_a_sentence_a_remedy_and_known_kinds_of_suspects():
    for cause in diagnosis.CAUSES.values():
        assert (
            cause.what
            and cause.remedy
            and all(f'    {kind} ' in nondeterminism_lint.__doc__ for kind in cause.kinds)
        )


@pytest.mark.parametrize(
    'check, stream, kinds, hparam, cause',
    [
        ('rerun', 'loss', (), {}, 'operator'),
        ('rerun', 'order', (), {}, 'unseeded'),
        ('rerun', 'loss', ('hash', 'clock'), {}, 'clock'),
        ('resume', 'loss', ('draw',), {}, 'state'),
        ('resume', 'batch', ('persistent', 'draw'), {}, 'persistent'),
        ('resume', 'batch', (), {'persistent_workers': True, 'num_workers': 2}, 'persistent'),
        ('resume', 'batch', ('draw',), {'num_workers': 2}, 'draws'),
        ('resume', 'batch', ('draw',), {'workers': 0}, 'dataset'),
        ('workers', 'batch', (), {}, 'draws'),
        ('workers', 'batch', ('draw', 'iterable'), {}, 'iterable'),
    ],
)
def test_a_cause_follows_from_check_stream_and_suspects(check, stream, kinds, hparam, cause):
    differences = {check: {'stream': stream}}
    assert diagnosis.diagnose(check, differences, hparam, suspects(*kinds)) == cause


LOST = {'name': 'state.f1', 'what': 'state.f1 is not saved', 'remedy': 'Write self.f1.persistent'}


@pytest.mark.parametrize(
    'check, stream, kinds, evidence, cause',
    [
        ('rerun', 'loss', ('clock',), {'arguments': {'lr': [0.1, 0.3]}}, 'argument'),
        ('resume', 'loss', ('module',), {'arguments': {'lr': [0.1, 0.3]}}, 'argument'),
        ('rerun', 'loss', ('file', 'clock'), {'files': ['a/x.pt']}, 'file'),
        ('rerun', 'loss', ('file', 'clock'), {'files': ['a/other.pt']}, 'clock'),
        ('rerun', 'batch', ('file',), {'files': ['other.pt']}, 'file'),
        ('rerun', 'loss', ('file', 'written'), {}, 'file'),
        ('rerun', 'loss', ('file', 'environment'), {}, 'file'),
        ('rerun', 'loss', ('environment',), {}, 'environment'),
        ('rerun', 'loss', (), {'files': ['log.txt']}, 'operator'),
        ('resume', 'loss', ('module',), {'unsaved': [LOST]}, 'unsaved'),
        ('resume', 'loss', ('file', 'written'), {}, 'file'),
        ('resume', 'loss', ('file', 'written'), {'changing': ['state.model.x']}, 'state'),
    ],
)
def test_what_the_trainings_noted_counts_before_a_guess(check, stream, kinds, evidence, cause):
    lines = [Suspect('epoch.py', line, 'open("x.pt")', kind) for line, kind in enumerate(kinds)]
    differences = {check: {'stream': stream}}
    key = diagnosis.diagnose(check, differences, {}, lines, diagnosis.Evidence(**evidence))
    assert key == cause


def test_a_cause_has_the_names_that_the_trainings_noted():
    evidence = diagnosis.Evidence({'lr': [0.1, 0.3]}, [LOST], ['state.model.x'], ['x.pt'])
    texts = {key: ' / '.join(diagnosis.describe(key, evidence)) for key in diagnosis.CAUSES}
    assert texts['unsaved'] == 'state.f1 is not saved / Write self.f1.persistent'
    assert 'lr (0.1 and 0.3)' in texts['argument'] and 'x.pt' in texts['file']
    assert 'state.model.x' in texts['state'] and 'load_state_dict' in texts['state']
    assert texts['clock'] == ' / '.join(diagnosis.describe('clock'))


def test_other_workers_share_the_cause_of_a_resume_that_differs_in_its_data():
    differences = {'workers': {'stream': 'batch'}, 'resume': {'stream': 'batch'}}
    assert diagnosis.diagnose('workers', differences, {}, []) == 'dataset'


def test_the_strongest_suspect_comes_first_and_a_seeded_generator_only_alone():
    lines = suspects('generator', 'object', 'clock', 'module')
    assert [one.kind for one in diagnosis.relevant('state', lines)] == ['module', 'object']
    assert [one.kind for one in diagnosis.relevant('state', lines[:1])] == ['generator']
