"""Colours and dashes that tell lines apart."""

from tagrun.extra.plot import looks


def test_lines_have_looks_of_their_own_and_more_than_forty_are_grey():
    of_lines = looks.looks([str(number) for number in range(50)], [''])
    assert (
        len({(look['color'], str(look['linestyle'])) for look in list(of_lines.values())[:40]})
        == 40
        == looks.DISTINCT
    )
    assert {look['color'] for look in list(of_lines.values())[40:]} == {looks.REST['color']}


def test_the_colour_is_the_names_and_the_dashes_are_the_phases():
    of_lines = looks.looks(['a', 'b'], ['train', 'val'])
    assert of_lines['a', 'train']['color'] == of_lines['a', 'val']['color']
    assert of_lines['a', 'train']['linestyle'] == of_lines['b', 'train']['linestyle']
    assert of_lines['a', 'train'] != of_lines['b', 'train']
    alone = looks.looks(['a'], ['train', 'val'])
    assert alone['a', 'train']['color'] != alone['a', 'val']['color']
