"""A run that is expected to fail, with what is printed of it.

run_fails(project, 'a data worker was killed')
"""

import json


def run_fails(project, *texts, name='t1/0', command=('run', '-f', 't1')):
    """Run to the failure that is expected, and check what is printed of it; return that."""
    output = project.tagrun(*command, code=1).stderr
    for text in texts:
        assert text in output, output
    folder = project.folder(name)
    if not folder.exists():  # it trained nothing, and was taken back
        folder = taken_back(project, name)
    assert json.loads((folder / 'statistic.json').read_text())['status'] == 'failed'
    assert len(output.split('failed: ')[1].splitlines()[0]) < 500
    return output


def taken_back(project, name='t1/0'):
    """Return the newest folder of a run that failed before its first step and was taken back."""
    paths = (project.root / '__result__' / '.failed').glob(f'{name.replace("/", "-")}-*-*')
    return max(paths, key=lambda path: path.lstat().st_mtime_ns)
