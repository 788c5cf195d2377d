"""Names as they are drawn."""

from figures import legend

from tagrun.extra.plot import plot, text
from tagrun.store import layout


def test_odd_names_are_drawn_as_they_are_and_drive_nothing(project, figure):
    assert text.shown('$x^2$\n\x1b[31m\u202e') == r'\$x^2\$\n\x1b[31m\u202e'
    tags = sorted(tag for tag in layout.tags(project.root) if tag.startswith('_'))
    drawn = figure(*tags, 'stopped')
    names = legend(drawn)
    assert len(names) == len(set(names)) == 4 and names[0].startswith('_long')
    for ending in plot.FORMATS:
        path = project.root / f'odd{ending}'
        project.tagrun('plot', *tags, 'hostile', '-o', path)
        assert path.stat().st_size > 5000 and b'<script>' not in path.read_bytes()


def test_a_long_text_loses_its_middle():
    assert text.cut('abcdefghij', 10) == 'abcdefghij'
    assert text.cut('abcdefghijk', 9) == 'abc…ghijk' and len(text.cut('x' * 500, 30)) == 30
    assert text.shown('x' * 500, 30).count('…') == 1
