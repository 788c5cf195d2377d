"""core/launch/early_failure.py: a run that trained nothing is taken back, and nothing else is."""

import os
import signal
import subprocess
import sys

import pytest
from project_factory import CODE

from tagrun.core.git import refs
from tagrun.core.git.process import GitError
from tagrun.core.git.repository import Repository
from tagrun.core.launch import early_failure, launch
from tagrun.core.launch.early_failure import Made
from tagrun.core.record import claim, plan
from tagrun.core.record.plan import RunRequest
from tagrun.store import atomic, layout, lock, run_json
from tagrun.store.run_ref import CODE as CODE_REFS
from tagrun.store.run_ref import TAGS

WORDS = ['run', 'wide', '-m', "it's the baseline"]


@pytest.fixture
def repository(stubbed):
    return Repository.at(stubbed.root)


def recorded(repository, tag='wide', how='early'):
    """(folder, Made) of a run that was not trained."""
    asked = RunRequest(tag, {'how': how}, fixed=True)
    planned, made = plan.make_plan(repository, asked), {}
    commit = plan.side_commit(repository, planned, planned.seed, 'a test')
    folder = claim.create_run(repository, tag, commit, planned.seed, None, 'why', made)
    return folder, Made(made, WORDS)


def names_of(repository):
    return {name for prefix in (TAGS, CODE_REFS) for (name,) in repository.refs(prefix)}


def kept(repository):
    """The names in the folder of what was taken back."""
    folder = layout.failed(repository.root)
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_tag_refs_and_id_are_free_and_the_log_is_kept(repository):
    folder, made = recorded(repository)
    (folder / 'log').write_text('no disk\n')
    assert set(made.refs) == {'refs/tags/wide', 'refs/tagrun/code/wide/0'} == names_of(repository)
    freed = early_failure.take_back(repository, folder, made)
    assert freed.tag_is_free and names_of(repository) == set()
    assert not folder.parent.exists()
    assert freed.log.read_text().startswith('no disk\ntagrun: wide/0 trained nothing')
    assert kept(repository) == [freed.log.parent.name]
    again, _ = recorded(repository)
    assert again == folder


def test_what_is_typed_again_is_quoted_for_the_shell(repository, capsys, monkeypatch):
    monkeypatch.chdir(repository.root)
    folder, made = recorded(repository)
    early_failure.report(early_failure.take_back(repository, folder, made), made)
    said = capsys.readouterr().err
    assert "nothing was trained: the name 'wide' is free again" in said
    assert "  again    run wide -m 'it'\"'\"'s the baseline'\n" in said
    assert '  log      __result__/.failed/wide-0-' in said


def test_of_a_rerun_its_own_id_alone_is_taken_back(repository):
    folder, made = recorded(repository)
    seed, commit = 7, run_json.read(folder)['commit']
    second = claim.create_run(repository, 'wide', commit, seed)
    freed = early_failure.take_back(
        repository, second, early_failure.of_run(second, ['rerun', 'wide'])
    )
    assert not freed.tag_is_free and folder.is_dir()
    assert names_of(repository) == set(made.refs)


def test_a_tag_that_another_run_uses_stays(repository):
    folder, made = recorded(repository)
    claim.create_run(repository, 'wide', run_json.read(folder)['commit'], 7)
    assert not early_failure.take_back(repository, folder, made).tag_is_free
    assert names_of(repository) == {'refs/tags/wide', 'refs/tagrun/code/wide/1'}


def test_a_run_that_begins_while_the_tag_is_deleted_gets_it_back(repository, monkeypatch):
    folder, made = recorded(repository)
    commit, delete = run_json.read(folder)['commit'], refs.delete

    def delete_late(repository, names):
        repository.create_refs({'refs/tagrun/code/wide/1': commit})
        delete(repository, names)

    monkeypatch.setattr(refs, 'delete', delete_late)
    assert not early_failure.take_back(repository, folder, made).tag_is_free
    assert repository.resolve('refs/tags/wide') == commit


def test_a_ref_that_somebody_moved_stays(repository):
    folder, made = recorded(repository)
    repository.git('tag', '-f', '-a', '-m', 'mine', 'wide', 'HEAD')
    assert not early_failure.take_back(repository, folder, made).tag_is_free
    assert names_of(repository) == {'refs/tags/wide'}


def test_refs_are_deleted_all_or_none_where_one_moves_meanwhile(repository, monkeypatch):
    folder, made = recorded(repository)
    delete, calls = refs.delete, []

    def delete_moved(repository, names):
        if not calls:
            repository.git('tag', '-f', '-a', '-m', 'mine', 'wide', 'HEAD')
        calls.append(dict(names))
        delete(repository, names)

    monkeypatch.setattr(refs, 'delete', delete_moved)
    early_failure.take_back(repository, folder, made)
    assert [set(names) for names in calls] == [
        set(made.refs),
        {'refs/tagrun/code/wide/0'},
    ]
    assert names_of(repository) == {'refs/tags/wide'}


@pytest.mark.parametrize('use', ['step', 'list', 'result', 'remote', 'lock'])
def test_a_run_that_trained_or_that_something_uses_stays_as_it_is(repository, use):
    folder, made = recorded(repository)
    commit, owned = run_json.read(folder)['commit'], None
    if use == 'step':
        (folder / 'trace.csv').write_text('epoch,step\n1,1\n')
    elif use == 'list':
        path = layout.list_file(repository.root, 'paper')
        path.parent.mkdir(parents=True)
        atomic.append_line(path, 'wide/0')
    elif use == 'lock':
        owned = subprocess.Popen(
            [sys.executable, '-c', LOCK_HOLDER, folder], stdout=subprocess.PIPE, text=True
        )
        owned.stdout.readline()
    else:
        name = {'result': 'result', 'remote': 'remote/origin/code'}[use]
        repository.create_refs({f'refs/tagrun/{name}/wide/0': commit})
    assert early_failure.take_back(repository, folder, made) is None
    assert set(made.refs) == names_of(repository) and folder.is_dir() and kept(repository) == []
    if owned:
        owned.kill()
        owned.wait()


LOCK_HOLDER = f"""
import sys, time
sys.path.append({str(CODE)!r})
from tagrun.store import lock
owned = lock.Lock(sys.argv[1])
print('held', flush=True)
time.sleep(60)
"""
# ends the process just before, or just after, the n-th of these calls
KILLED = f"""
import os, sys
from pathlib import Path
sys.path.append({str(CODE)!r})
from tagrun.core.git import refs
from tagrun.core.git.repository import Repository
from tagrun.core.launch import early_failure
from tagrun.store import jsonfile
root, folder, step, when = sys.argv[1:]
repository, folder = Repository.at(root), Path(folder)
owner, name = {{'journal': (jsonfile, 'write'), 'move': (os, 'rename'),
    'refs': (refs, 'delete'), 'unlink': (Path, 'unlink')}}[step]
real = getattr(owner, name)
def killed(*words, **options):
    if when == 'after':
        real(*words, **options)
    os._exit(9)
made = early_failure.Made(eval(os.environ['REFS']), ['run', 'wide'])
setattr(owner, name, killed)
early_failure.take_back(repository, folder, made)
"""
STEPS = ['journal', 'move', 'refs', 'unlink']
MOMENTS = [(step, when) for step in STEPS for when in ('before', 'after')]


@pytest.mark.parametrize('step, when', MOMENTS)
def test_a_kill_at_any_step_leaves_a_failed_run_or_is_gone_on_with(repository, step, when):
    folder, made = recorded(repository)
    words = [sys.executable, '-c', KILLED, repository.root, folder, step, when]
    done = subprocess.run(words, env={**os.environ, 'REFS': repr(dict(made.refs))})
    assert done.returncode == 9
    early_failure.finish_pending(repository)
    assert early_failure.pending(repository.root) == []
    if (step, when) in MOMENTS[:3]:
        assert folder.is_dir() and names_of(repository) == set(made.refs)
        assert kept(repository) == []
    else:
        assert not folder.parent.exists() and names_of(repository) == set()
        assert len(kept(repository)) == 1


def test_a_journal_is_left_alone_while_its_run_is_owned_and_for_an_id_that_is_used_anew(repository):
    folder, made = recorded(repository)
    early_failure.take_back(repository, folder, made)
    (name,) = kept(repository)
    journal = layout.failed(repository.root) / f'{name}.json'
    again, made_again = recorded(repository)
    values = {'refs/tagrun/code/wide/0': run_json.read(again)['commit']}
    journal.write_text(f'{{"run": "wide/0", "refs": {str(values).replace(chr(39), chr(34))}}}')
    owned = lock.Lock(again)
    early_failure.finish_pending(repository)
    assert journal.exists()
    owned.release()
    early_failure.finish_pending(repository)
    assert not journal.exists() and names_of(repository) == set(made_again.refs)


def test_a_journal_that_is_not_ours_is_left_to_the_doctor(repository):
    folder = layout.failed(repository.root)
    folder.mkdir(parents=True)
    (folder / 'odd.json').write_text('{"run": 3}')
    early_failure.finish_pending(repository)
    with pytest.raises(ValueError, match=r'odd\.json does not name a run'):
        early_failure.finish(repository, folder / 'odd.json')


def test_the_newest_are_kept(repository, monkeypatch):
    monkeypatch.setattr(early_failure, 'MOST', 2)
    names = []
    for _ in range(3):
        folder, made = recorded(repository)
        names.append(early_failure.take_back(repository, folder, made).log.parent.name)
        os.utime(layout.failed(repository.root) / names[-1], (len(names), len(names)))
    assert kept(repository) == sorted(names[-2:])


def test_where_git_refuses_the_name_is_free_later(repository, monkeypatch, capsys):
    folder, made = recorded(repository)

    def refuse(*_):
        raise GitError('no room')

    with monkeypatch.context() as patched:
        patched.setattr(refs, 'delete', refuse)
        assert not early_failure.take_back(repository, folder, made).tag_is_free
    assert 'git keeps the name (no room): `tagrun doctor --fix`' in capsys.readouterr().err
    early_failure.finish_pending(repository)
    assert names_of(repository) == set()


@pytest.mark.parametrize('how', ['early', 'crashed'])
def test_the_launcher_takes_back_what_it_was_given_and_nothing_else(repository, how, capsys):
    folder, made = recorded(repository, how=how)
    code = launch.train_here(repository, folder)
    assert code == (1 if how == 'early' else 128 + signal.SIGSEGV) and folder.is_dir()
    repository.git('update-ref', '-d', 'refs/tagrun/result/wide/0')
    assert launch.train_here(repository, folder, made) == 1
    assert not folder.exists() and names_of(repository) == set()
    assert 'nothing was trained' in capsys.readouterr().err
