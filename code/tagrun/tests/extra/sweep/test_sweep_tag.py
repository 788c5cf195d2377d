"""The tag of a sweep: made once, and found again by the same command."""

import pytest

from tagrun.core.cli.messages import UserError
from tagrun.core.git.repository import Repository
from tagrun.extra.sweep import sweep_tag
from tagrun.extra.sweep.request import SweepRequest

REQUEST = SweepRequest('nets', ('lr=1,2',), fixed=True)


@pytest.fixture
def repository(stubbed):
    return Repository.at(stubbed.root)


def test_a_tag_that_was_made_is_found(repository, stubbed):
    assert sweep_tag.find(repository, REQUEST) is None
    commit = sweep_tag.make(repository, REQUEST)
    assert sweep_tag.find(repository, REQUEST) == commit == stubbed.git('rev-parse', 'HEAD').strip()
    message = stubbed.git('tag', '-l', '--format=%(contents)', 'nets').split('\n')
    assert message[0] == message[3] == 'sweep nets lr=1,2' and message[2] == 'seed 4242'


def test_the_reason_is_the_first_line_and_the_command_the_last(repository, stubbed):
    stubbed.edit('model.py', 'none', 'another')
    sweep_tag.make(repository, REQUEST._replace(message='which rate?'))
    lines = stubbed.git('tag', '-l', '--format=%(contents)', 'nets').rstrip().split('\n')
    assert lines[0] == 'which rate?' and lines[-1] == 'sweep nets lr=1,2'
    assert 'uncommitted: changed code/model.py' in lines or any('model.py' in x for x in lines)


def test_the_tag_of_a_run_is_refused(repository, stubbed):
    stubbed.git('tag', '-am', 'run nets\n\nseed 1', 'nets')
    with pytest.raises(UserError, match="'nets' exists"):
        sweep_tag.find(repository, REQUEST)


def test_without_values_the_command_is_shown(repository):
    sweep_tag.make(repository, REQUEST)
    with pytest.raises(UserError, match='begun with:  tagrun sweep nets lr=1,2'):
        sweep_tag.find(repository, SweepRequest('nets'))


def test_other_code_in_head_is_named_and_other_values_are_not(repository, stubbed, capsys):
    sweep_tag.make(repository, REQUEST)
    stubbed.edit('config.py', 'lr = 0.1', 'lr = 0.7')
    stubbed.commit()
    capsys.readouterr()
    sweep_tag.find(repository, REQUEST)
    assert not capsys.readouterr().err
    stubbed.edit('model.py', 'none', 'another')
    stubbed.commit()
    sweep_tag.find(repository, REQUEST)
    assert 'no longer that of nets' in capsys.readouterr().err


@pytest.mark.parametrize(
    'request_',
    [
        REQUEST._replace(values=('rl=1',)),
        REQUEST._replace(vary='.,branch:no'),
        REQUEST._replace(tag='a b'),
        REQUEST._replace(search='tpe', trials=3),  # the stub's config.py monitors nothing
    ],
)
def test_what_cannot_be_swept_makes_no_tag(repository, stubbed, request_):
    with pytest.raises(UserError):
        sweep_tag.find(repository, request_)
        sweep_tag.make(repository, request_)
    assert not stubbed.git('tag')
