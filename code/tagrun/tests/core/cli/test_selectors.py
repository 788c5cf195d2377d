"""core/cli/selectors.py: which runs the words of a command line name."""

import pytest
from run_factory import listed, run

from tagrun.core.cli import selectors
from tagrun.core.cli.messages import UserError
from tagrun.store import checkpoints, evaluations, run_json
from tagrun.store.evaluations import EvaluationRef
from tagrun.store.run_ref import RunRef


@pytest.fixture
def filled(root):
    for name in ('five/0', 'five/1', 'wide/0', 'wider/0'):
        run(root, name)
    return root


@pytest.mark.parametrize(
    'word, expected',
    [('five', 'five/1'), ('five/0', 'five/0'), ('fi', 'five/1'), ('fi/0', 'five/0')],
)
def test_a_word_names_a_run_and_a_bare_tag_its_latest(filled, word, expected):
    ref = selectors.run(filled, word)
    assert isinstance(ref, RunRef) and str(ref) == expected


@pytest.mark.parametrize(
    'word, message, code',
    [
        ('five/7', "run 'five/7' does not exist: five has 2 runs, 0 to 1", 1),
        ('wi', "'wi' could be wide, wider", 1),
        ('fvie', "'fvie' has no run here. Did you mean 'five'?", 1),
        ('finished', "'finished' is a set and not a tag: @finished names its runs", 1),
        ('@x', "'@x' is not a run. Use <tag> or <tag>/<id>, e.g. t1/0", 2),
        ('a/b/c', "'a/b/c' is not a run", 2),
    ],
)
def test_any_other_word_is_refused_with_what_to_type(filled, word, message, code):
    with pytest.raises(UserError) as refusal:
        selectors.run(filled, word)
    assert str(refusal.value).startswith(message) and refusal.value.code == code


def test_a_whole_tag_goes_before_a_prefix(filled):
    assert selectors.parts(filled, 'wide') == ('wide', None)
    assert selectors.parts(filled, 'wide/3') == ('wide', 3)


def test_several_words_name_each_run_once(filled):
    listed(filled, 'paper', 'wide/0', 'nonsense line', 'five/1')
    refs = selectors.several(filled, ['five', '@paper', 'five/0'])
    assert list(map(str, refs)) == ['five/0', 'five/1', 'wide/0']
    assert selectors.several(filled, []) == []


def test_bad_lines_of_a_set_are_named_and_an_empty_set_is_refused(filled, capsys):
    listed(filled, 'paper', 'nonsense line')
    with pytest.raises(UserError, match="the set 'paper' is empty: `record <tag> --to paper`"):
        selectors.several(filled, ['@paper'])
    assert 'paper.txt, line 1: nonsense line' in capsys.readouterr().err
    with pytest.raises(UserError, match="there is no set 'papr'"):
        selectors.several(filled, ['@papr'])


def made(root, name, text, **more):
    """Say in run.json when a run was made."""
    folder = RunRef.parse(name).folder(root)
    run_json.write(folder, {**run_json.read(folder), 'created': text, **more})


def test_the_last_run_is_the_one_that_was_made_last_whatever_changed_since(root, filled):
    made(root, 'wide/0', '2026-11-21T09:19:27.000004Z')
    made(root, 'five/1', '2026-11-21T09:19:27.000005Z')
    made(root, 'wider/0', '2026-11-21T09:19:27.000003Z')
    made(root, 'five/0', '2026-11-20T23:00:00.000000Z')
    (RunRef('wider', 0).folder(root) / 'evaluation').mkdir()
    assert selectors.last(filled) == ('five', 1)
    assert selectors.several(filled, ['@last']) == [('five', 1)]


def test_a_run_that_does_not_say_when_it_was_made_says_when_it_started(root):
    for name, second in (('b/0', 1), ('c/0', 3), ('a/0', 2)):
        times = {'started': f'2026-11-21T09:00:0{second}Z', 'seconds': 1}
        run(root, name, time=times)
    assert selectors.last(root) == ('c', 0)
    made(root, 'b/0', '2026-11-21T09:00:04.5Z')
    assert selectors.last(root) == ('b', 0)


def test_a_run_from_elsewhere_is_not_the_last_one_while_there_is_another(root):
    run(root, 'here/0')
    for name, more in (('there/0', {'fetched_from': 'origin'}), ('old/0', {'imported': {'x': 1}})):
        run(root, name)
        made(root, name, '2030-01-01T00:00:00.0Z', **more)
    assert selectors.last(root) == ('here', 0)


def test_a_run_that_is_being_made_is_the_last_one(root, filled):
    RunRef('new', 0).folder(root).mkdir(parents=True)
    assert selectors.last(filled) == ('new', 0)


def test_without_a_run_there_is_no_last_one(root):
    with pytest.raises(UserError, match='no run exists yet: `run first` makes one'):
        selectors.last(root)
    (root / '__result__' / 'empty').mkdir(parents=True)
    with pytest.raises(UserError, match='no run exists yet'):
        selectors.run(root, '@last')


@pytest.mark.parametrize('form', ['{}', '{}/', '{}/.', '{}/../0'])
def test_the_path_of_a_folder_names_its_run(filled, form, monkeypatch):
    folder = filled / '__result__' / 'five' / '0'
    assert selectors.run(filled, form.format(folder)) == RunRef('five', 0)
    monkeypatch.chdir(filled)
    assert selectors.run(filled, form.format('__result__/five/0')) == RunRef('five', 0)
    monkeypatch.chdir(folder.parent)
    assert selectors.run(filled, form.format('./0')) == RunRef('five', 0)


def test_the_path_may_go_through_a_link(filled, tmp_path, monkeypatch):
    link = tmp_path / 'a link'
    link.symlink_to(filled)
    assert selectors.run(filled, f'{link}/__result__/five/0') == RunRef('five', 0)
    monkeypatch.chdir(link)
    assert selectors.run(link, f'{filled}/__result__/five/0/') == RunRef('five', 0)


def test_a_trailing_slash_and_the_folder_of_a_tag_are_as_the_tag(filled, monkeypatch):
    monkeypatch.chdir(filled / '__result__')
    assert selectors.parts(filled, 'five/') == ('five', None)
    assert selectors.run(filled, 'five/1/') == RunRef('five', 1)
    assert len(selectors.several(filled, [str(filled / '__result__' / 'five')])) == 2


@pytest.mark.parametrize('word', ['/', './', '../five/0', '/tmp/five/0', '/five/0'])
def test_another_path_is_not_a_run(filled, word, monkeypatch):
    monkeypatch.chdir(filled)
    with pytest.raises(UserError, match='is not a run'):
        selectors.run(filled, word)


@pytest.fixture
def saved(filled):
    """The run five/1, with four checkpoints, of which epoch_2.pth is the best."""
    folder = filled / '__result__' / 'five' / '1'
    names = ('epoch_1.pth', 'epoch_2.pth', 'epoch_3_train_7.pth', 'epoch_3.pth')
    (folder / 'checkpoint').mkdir()
    for name in names:
        (folder / 'checkpoint' / name).write_bytes(b'')
    checkpoints.write_sums(folder, dict.fromkeys(names, 64 * '0'))
    (folder / 'checkpoint' / 'epoch_best.pth').symlink_to('epoch_2.pth')
    return filled


@pytest.mark.parametrize(
    'word, file',
    [
        ('five', 'epoch_3.pth'),
        ('five/1:last', 'epoch_3.pth'),
        ('fi:best', 'epoch_2.pth'),
        ('five:epoch_best.pth', 'epoch_2.pth'),
        ('five:1', 'epoch_1.pth'),
        ('five/1:epoch_1', 'epoch_1.pth'),
        ('five/1:epoch_3_train_7.pth', 'epoch_3_train_7.pth'),
    ],
)
def test_a_colon_names_a_checkpoint(saved, word, file):
    assert selectors.checkpoint(saved, word) == (RunRef('five', 1), file)


@pytest.mark.parametrize('word', ['five:', 'five:9', 'five:/etc/passwd', 'five:../1', 'five:beste'])
def test_a_checkpoint_that_is_missing_is_refused_with_those_there_are(saved, word):
    expected = 'it has epoch_1, epoch_2, epoch_3_train_7, epoch_3'
    with pytest.raises(UserError, match=f'five/1 has no checkpoint .*: {expected}'):
        selectors.checkpoint(saved, word)
    with pytest.raises(UserError, match='five/0 has no checkpoint .*: it has no checkpoint here'):
        selectors.checkpoint(saved, word.replace('five', 'five/0'))


@pytest.fixture
def evaluated(filled):
    for _ in range(2):
        evaluations.claim(RunRef('five', 0).folder(filled))
    return filled


def test_an_evaluation_is_named_by_its_run_or_its_path(evaluated, monkeypatch):
    expected = EvaluationRef(RunRef('five', 0), 1)
    folder = expected.folder(evaluated)
    words = ['five/0/evaluation/1', 'fi/0/evaluation/1/', str(folder), f'{folder}/']
    assert [selectors.evaluation(evaluated, word) for word in words] == [expected] * 4
    monkeypatch.chdir(folder.parent)
    assert selectors.evaluation(evaluated, './1') == expected
    for word in ('five', 'five/0', '@paper', str(folder.parents[1]), 'five/evaluation/0'):
        assert selectors.evaluation(evaluated, word) is None


def test_an_evaluation_that_is_not_there_is_refused_with_those_that_are(evaluated):
    with pytest.raises(UserError, match='five/0 has no evaluation 7: it has 0, 1'):
        selectors.evaluation(evaluated, 'five/0/evaluation/7')
    with pytest.raises(UserError, match='`tagrun evaluate wide/0` makes one'):
        selectors.evaluation(evaluated, 'wide/0/evaluation/0')
    with pytest.raises(UserError, match='has no run here|does not exist'):
        selectors.evaluation(evaluated, 'five/9/evaluation/0')


@pytest.mark.parametrize(
    'word, expected',
    [
        ('t1/0:best', ('t1/0', 'best')),
        ('@paper:3', ('@paper', '3')),
        ('t1', ('t1', '')),
        ('/data/a:b/__result__/t1/0', ('/data/a:b/__result__/t1/0', '')),
        ('/data/a:b/__result__/t1/0:last', ('/data/a:b/__result__/t1/0', 'last')),
    ],
)
def test_the_checkpoint_stands_behind_the_last_colon(word, expected):
    assert selectors.with_checkpoint(word) == expected
