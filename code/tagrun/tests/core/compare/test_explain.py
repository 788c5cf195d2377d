"""core/compare/explain.py: what differs between two runs, as plain values."""

import pytest
from run_factory import run

from tagrun.core.cli.messages import UserError
from tagrun.core.compare import explain, run_files
from tagrun.core.git.process import GitError
from tagrun.store import history, jsonfile, safe_read, trace
from tagrun.store.run_ref import RunRef

ENVIRONMENT = {
    'python': '3.11.7',
    'cpu': 'EPYC',
    'packages': {'numpy': '2.0.0'},
    'data': {'train': {'samples': 10, 'digest': 'aa'}},
}
DIFF = '''diff --git a/sub/code/model.py b/sub/code/model.py
index 1..2 100644
--- a/sub/code/model.py
+++ b/sub/code/model.py
@@ -12,3 +14,5 @@ def forward(x):
 same
-old
+new
diff --git a/sub/code/tagrun/store/lock.py b/sub/code/tagrun/store/lock.py
new file mode 100644
diff --git "a/sub/code/a \\"b.bin" "b/sub/code/a \\"b.bin"
Binary files differ
'''


class Git:
    """A repository whose diff is known."""

    prefix = 'sub/'

    def __init__(self, diff=DIFF):
        self._diff = diff

    def diff(self, old, new, *paths):
        if self._diff is None:
            raise GitError('object 25d2 is missing')
        assert '!code/config.py' in paths
        return self._diff

    def blobs(self, ids, missing):
        raise GitError('no such commit')


@pytest.fixture
def compare(root):
    def compare(git=None, one='a/0', other='b/0'):
        files = [run_files.read(root, RunRef.parse(name)) for name in (one, other)]
        return explain.compare(git or Git(), root, *files)

    return compare


def test_the_hunks_of_a_diff_are_by_path_and_without_its_heads():
    files = explain.hunks(DIFF, 'sub/')
    assert files == {
        'code/model.py': ['@@ line 14', ' same', '-old', '+new'],
        'code/tagrun/store/lock.py': ['new file mode 100644'],
        'code/a \\"b.bin': ['Binary files differ'],
    }
    assert explain.hunks('', '') == {}


def test_everything_that_differs_is_named_with_both_values(root, compare):
    for name, numpy, lr in (('a/0', '2.0.0', 0.1), ('b/0', '2.1.0', 0.2)):
        folder = run(root, name, hparam={'lr': lr}, seed=7)
        jsonfile.write(
            folder / 'environment.json',
            {**ENVIRONMENT, 'cpu': name, 'packages': {'numpy': numpy, name[0]: '1'}},
        )
    comparison = compare()
    assert comparison['runs'] == ['a/0', 'b/0']
    assert comparison['config'] == {'lr': [0.1, 0.2]}
    assert comparison['packages'] == {
        'numpy': ['2.0.0', '2.1.0'],
        'a': ['1', None],
        'b': [None, '1'],
    }
    assert comparison['hardware'] == {'cpu': ['a/0', 'b/0']} and comparison['data'] == {}
    assert comparison['surroundings_known'] is True and comparison['seed'] is None
    assert list(comparison['code']['files']) == ['code/model.py', 'code/a \\"b.bin']
    assert comparison['code']['tool'] == ['code/tagrun/store/lock.py']
    assert list(comparison['metric'])[0] == 'val/acc'


def test_seeds_are_compared_and_what_both_have_is_named(root, compare):
    for name in ('a/0', 'b/1'):
        folder = run(root, name, digest={'weights': 'w'})
        history.write(folder, [{'epoch': 1, 'val/acc': 0.5}])
    (folder / trace.NAME).write_text(trace.HEADER + '1,1,a,b,0.5,\n')
    comparison = compare(other='b/1')
    assert comparison['seed'] == [0, 1]
    assert comparison['compared'] == ['the metrics of each epoch', 'the last weights']
    assert comparison['first_difference'] is None
    assert comparison['lost'] == ['trace.csv of a/0']
    assert comparison['surroundings_known'] is False and comparison['hardware'] == {}


def test_code_that_no_commit_has_is_unknown(root, compare):
    run(root, 'a/0')
    run(root, 'b/0')
    assert compare(Git(None))['code']['unknown'] == 'object 25d2 is missing'
    (root / '__result__' / 'b' / '0' / 'run.json').unlink()
    code = compare()['code']
    assert code == {'files': {}, 'tool': [], 'unknown': 'no commit has the code of b/0'}


def test_a_run_that_is_not_finished_is_compared_as_far_as_it_goes(root, compare):
    for name, status, epochs in (('a/0', 'finished', 2), ('b/0', 'interrupted', 1)):
        folder = run(root, name, status=status, digest={'weights': name})
        history.write(folder, [{'epoch': epoch, 'val/acc': 0.5} for epoch in range(epochs)])
        lines = ''.join(f'{epoch},{epoch},a,b,0.5,\n' for epoch in range(epochs))
        (folder / trace.NAME).write_text(trace.HEADER + lines)
    comparison = compare()
    assert comparison['unfinished'] == ['b/0'] and comparison['first_difference'] is None
    (folder / trace.NAME).write_text(trace.HEADER + '0,0,a,b,0.6,\n')
    assert compare()['first_difference']['stream'] == 'loss'


def test_a_file_that_cannot_be_read_is_named_and_is_no_difference(root, compare, monkeypatch):
    for name in ('a/0', 'b/0'):
        history.write(run(root, name), [{'val/acc': 0.5}])
    left, real = [1], safe_read.open_file

    def open_file(path):
        if str(path).endswith('b/0/history.csv'):
            left[0] -= 1
            if left[0] >= 0:
                raise OSError(5, 'Input/output error')
        return real(path)

    monkeypatch.setattr(safe_read, 'open_file', open_file)
    assert compare()['first_difference'] is None
    left[0] = 99
    with pytest.raises(UserError, match='b/0/history.csv cannot be read .Input/output error.'):
        compare()
