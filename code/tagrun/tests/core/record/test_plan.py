"""What a run would record, as a value, and the commit that is made of it."""

import pytest

from tagrun.core.cli.messages import UserError
from tagrun.core.git.repository import Repository
from tagrun.core.record import plan
from tagrun.core.record.plan import RunRequest


def test_a_plan_names_the_changed_arguments_and_the_uncommitted_files(stubbed):
    stubbed.edit('model.py', 'none', 'mine')
    repository = Repository.at(stubbed.root)
    made = plan.make_plan(repository, RunRequest('t1', {'lr': '0.5'}, 'why'))
    assert made.head == repository.resolve('HEAD') and made.seed is None
    assert made.arguments == ['lr = 0.5 (was 0.1)']
    assert [(change.what, change.path) for change in made.changes] == [
        ('modified', 'code/model.py')
    ]
    text = plan.message(made, 7)
    assert text == 'why\n\nseed 7\nlr = 0.5 (was 0.1)\nuncommitted: modified code/model.py\n'
    commit = plan.side_commit(repository, made, 7, text)
    names = stubbed.git('diff', '--name-only', 'HEAD', commit).split()
    assert names == ['code/config.py', 'code/model.py', 'code/seed']
    assert stubbed.git('log', '-1', '--format=%s', commit) == 'tagrun: why\n'


def test_where_nothing_differs_the_commit_is_head_itself(stubbed):
    repository = Repository.at(stubbed.root)
    made = plan.make_plan(repository, RunRequest('t1', fixed=True))
    assert made.seed == 4242 and made.arguments == []
    assert plan.side_commit(repository, made, made.seed, 'x') == made.head
    assert plan.message(made, 4242).startswith('run t1\n')


def test_what_was_edited_in_config_py_counts_as_changed_too(stubbed):
    stubbed.configure(lr='0.2')
    made = plan.make_plan(Repository.at(stubbed.root), RunRequest('t1'))
    assert made.arguments == ['lr = 0.2 (was 0.1)']


@pytest.mark.parametrize(
    'spoil, reason',
    [
        (lambda root: (root / 'code' / 'seed').write_text('x'), 'one integer'),
        (lambda root: (root / 'code' / 'config.py').write_bytes(b'\xff'), 'not UTF-8'),
        (lambda root: (root / 'code' / 'config.py').unlink(), 'No such file'),
    ],
)
def test_what_cannot_be_recorded_is_refused(stubbed, spoil, reason):
    spoil(stubbed.root)
    with pytest.raises(UserError, match=reason):
        plan.make_plan(Repository.at(stubbed.root), RunRequest('t1', fixed=True))


def test_many_uncommitted_files_are_named_in_part(stubbed, capsys):
    for number in range(plan.SHOWN + 2):
        (stubbed.root / f'{number:02}.txt').write_text('x')
    repository = Repository.at(stubbed.root)
    plan.report(plan.make_plan(repository, RunRequest('t1')))
    said = capsys.readouterr().err
    assert 'seed drawn afresh' in said and '19.txt' in said and '20.txt' not in said
    assert '… and 2 more uncommitted files' in said
    with pytest.raises(UserError, match='22 uncommitted changes .00.txt, 01.txt, 02.txt, ….'):
        plan.make_plan(repository, RunRequest('t1', clean=True))


def test_a_name_that_is_taken_or_alike_is_refused(stubbed):
    stubbed.git('tag', 'one')
    repository = Repository.at(stubbed.root)
    for name, reason in {
        'one': 'exists',
        'One': 'macOS',
        'main': 'branch',
        'a b': 'cannot',
    }.items():
        with pytest.raises(UserError, match=reason):
            plan.check_name(repository, name)
    plan.check_name(repository, 'two')


@pytest.mark.parametrize('ends', [b'\r\n', b'\n', 'both'])
def test_a_value_of_set_changes_its_line_alone_whatever_the_line_endings(stubbed, ends):
    path = stubbed.root / 'code' / 'config.py'
    lines = path.read_bytes().splitlines()
    if ends == 'both':
        content = b''.join(line + (b'\n', b'\r\n')[i % 2] for i, line in enumerate(lines))
    else:
        content = b''.join(line + ends for line in lines)
    if ends == b'\r\n':
        stubbed.git('config', 'core.autocrlf', 'true')
    path.write_bytes(content)
    if ends == 'both':
        stubbed.commit('both kinds of line endings')
    repository = Repository.at(stubbed.root)
    planned = plan.make_plan(repository, RunRequest('t1', {'lr': '0.5'}, fixed=True, clean=True))
    commit = plan.side_commit(repository, planned, 4242, 'x')
    changed = stubbed.git('diff', '--numstat', 'HEAD', commit).split()
    assert changed == ['1', '1', 'code/config.py']


def test_equal_content_is_the_equal_tree_with_and_without_set(stubbed):
    stubbed.git('config', 'core.autocrlf', 'true')
    path = stubbed.root / 'code' / 'config.py'
    path.chmod(0o755)
    stubbed.commit('executable')
    repository, trees = Repository.at(stubbed.root), []
    content = path.read_bytes()
    edited = content.replace(b'lr = 0.1', b'lr = 0.5').replace(b'\n', b'\r\n')
    for written, settings in ((content, {'lr': '0.5'}), (edited, {}), (edited, {'lr': '0.5'})):
        path.write_bytes(written)
        planned = plan.make_plan(repository, RunRequest('t1', settings, fixed=True))
        assert planned.arguments == ['lr = 0.5 (was 0.1)']
        commit = plan.side_commit(repository, planned, 4242, 'x')
        trees.append(stubbed.git('rev-parse', f'{commit}^{{tree}}'))
    assert len(set(trees)) == 1


def test_a_value_that_is_there_already_makes_no_new_commit(stubbed):
    repository = Repository.at(stubbed.root)
    planned = plan.make_plan(repository, RunRequest('t1', {'lr': '0.1'}, fixed=True))
    assert plan.side_commit(repository, planned, 4242, 'x') == planned.head


@pytest.mark.parametrize('has_commit', [True, False])
def test_a_repository_inside_the_project_is_refused_with_what_to_do(stubbed, has_commit):
    stubbed.git('init', '-q', "third 'party")
    (stubbed.root / "third 'party" / 'lib.py').write_text('X = 2\n')
    if has_commit:
        inner = ('-C', "third 'party")
        stubbed.git(*inner, 'add', '-A')
        stubbed.git(*inner, '-c', 'user.name=x', '-c', 'user.email=x', 'commit', '-qm', 'x')
    repository = Repository.at(stubbed.root)
    with pytest.raises(UserError, match="third 'party is a git repository of its own.*gitignore"):
        plan.make_plan(repository, RunRequest('t1'))
    plan.make_plan(repository, RunRequest('', fixed=True), for_record=False)
