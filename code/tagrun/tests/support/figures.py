"""What can be read from a matplotlib Figure: its legend, its panels, its lines."""


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def panels(figure):
    return {axes.get_title(loc='left'): axes for axes in figure.axes if axes.get_title(loc='left')}


def widths(axes):
    """(line width, points) of the lines with dashes."""
    return sorted(
        (line.get_linewidth(), len(line.get_xdata()))
        for line in axes.get_lines()
        if line.get_linestyle() != 'None'
    )
