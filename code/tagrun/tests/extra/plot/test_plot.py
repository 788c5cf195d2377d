"""The command: the file that it writes, and what it refuses."""

import pytest

PNG = b'\x89PNG'


def test_the_file_is_named_by_what_is_drawn_and_the_same_twice(project):
    done = project.tagrun('plot', 'five', 'ten/3', '--metric', 'acc')
    path = project.root / '__statistic__' / 'plot' / 'five+ten-3.png'
    assert '__statistic__/plot/five+ten-3.png: 6 runs, val/acc' in done.stderr and not done.stdout
    first = path.read_bytes()
    project.tagrun('plot', 'five', 'ten/3', '--metric', 'acc')
    assert first.startswith(PNG) and path.read_bytes() == first


@pytest.mark.parametrize(
    'words, code, told',
    [
        (['nothing'], 1, 'has no run here'),
        (['five', '--metric', 'val/ac'], 2, "Did you mean 'val/acc'"),
        (['five', '-o', 'a.bmp'], 2, '.png, .svg, .pdf'),
        (['five', '--smooth', '0'], 2, '1 or more'),
        (['five', '--over', 'nosuch'], 2, 'no column'),
        (['ten', '--steps'], 1, 'trace'),
        ([], 2, 'run'),
        (['five', '-o', 'none/such/x.png'], 1, 'cannot be written'),
        (['five', '-o', '/proc/x.png'], 1, 'cannot be written'),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(project, words, code, told):
    assert told in project.tagrun('plot', *words, code=code).stderr
