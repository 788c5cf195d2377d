"""extra/sweep/journal.py: a journal that lost its last bytes goes on, and no trial is lost."""

import pytest

from tagrun.core.cli.messages import UserError
from tagrun.extra.sweep import doctor_journal, journal, space
from tagrun.extra.sweep.study import Question, Study

pytest.importorskip('optuna')

QUESTION = Question('tpe', 'val/acc', 'max', None, 1, {'lr': ['0.1']}, [''])
SPACE = space.parse(['lr=log(1e-4,1e-1)'], 'lr=0.1')


def opened(root):
    return Study(root, 't', QUESTION, seed=1, longest=10)


def suggested(study):
    return study.suggest(SPACE, [''], parallel=False)


@pytest.fixture(scope='module')
def content(tmp_path_factory):
    """The bytes of a journal with two trials that are told, and one that is open."""
    root = tmp_path_factory.mktemp('whole')
    study = opened(root)
    for value in (0.5, 0.7):
        study.tell(suggested(study).number, 'finished', value)
    suggested(study)
    return journal.path(root, 't').read_bytes()


def cut(root, content, size):
    """Make a journal of the first bytes."""
    file = journal.path(root, 't')
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content[:size])
    return file


def test_a_journal_that_lost_any_of_its_last_bytes_goes_on(tmp_path, content, capsys):
    whole_lines = [end for end in range(1, len(content) + 1) if content[end - 1 : end] == b'\n']
    for size in range(len(content) - 1, whole_lines[-4], -7):
        cut(tmp_path, content, size)
        study = opened(tmp_path)
        for suggestion in study.suggestions():
            study.tell(suggestion.number, 'finished', 0.9)
        assert len(opened(tmp_path).suggestions()) in (2, 3)
        is_whole = size in whole_lines
        assert ('its last line was half-written' in capsys.readouterr().err) != is_whole


@pytest.mark.parametrize('text', [b'', b'{"a": 1}\n', b'{"a": 1}\n{"b": 2}\n'])
def test_a_whole_journal_is_left_as_it_is(text, tmp_path):
    file = cut(tmp_path, text, None)
    assert journal.cut_torn_line(file) == 0 and file.read_bytes() == text
    assert list(doctor_journal.find(tmp_path)) == []


def test_a_line_longer_than_what_is_read_at_once_is_cut(tmp_path):
    file = cut(tmp_path, b'{}\n' + b'x' * (3 * journal.CHUNK), None)
    assert journal.cut_torn_line(file) == 3 * journal.CHUNK and file.read_bytes() == b'{}\n'
    file.write_bytes(b'no newline at all')
    assert journal.cut_torn_line(file) == 17 and file.read_bytes() == b''


def test_doctor_names_a_torn_line_and_cuts_it(stubbed):
    file = cut(stubbed.root, b'{}\n{"to', None)
    said = stubbed.tagrun('doctor', code=1).stdout
    assert said.startswith('__statistic__/search/t.log: its last line was half-written (4 bytes)')
    assert 'Fixed' in stubbed.tagrun('doctor', '--fix').stdout and file.read_bytes() == b'{}\n'


def test_a_journal_that_is_a_link_is_not_followed(tmp_path):
    file = cut(tmp_path, b'', None)
    file.unlink()
    other = tmp_path / 'other'
    other.write_bytes(b'torn')
    file.symlink_to(other)
    with pytest.raises(UserError, match='is a link to another place'):
        journal.path(tmp_path, 't')
    assert journal.cut_torn_line(file) == 0 and list(doctor_journal.find(tmp_path)) == []


def test_a_search_goes_on_after_its_journal_was_cut(stubbed):
    words = ('sweep', 't', 'lr=log(1e-4,1e-1)', '--search', 'tpe', '--metric', 'val/acc')
    stubbed.tagrun(*words, '--trials', '2')
    file = journal.path(stubbed.root, 't')
    file.write_bytes(file.read_bytes()[:-25])
    assert 'half-written, and is cut off' in stubbed.tagrun(*words, '--trials', '3').stderr
    assert stubbed.tagrun(*words, '--trials', '4').returncode == 0
    assert [stubbed.statistic(f't/{number}')['status'] for number in range(4)] == ['finished'] * 4
