"""Texts of the page: cut, printable, without secrets, each once."""

import math

import pytest

from tagrun.extra.report import page_text
from tagrun.store import table


def test_equal_texts_have_one_place_and_empty_ones_none():
    texts = page_text.Texts()
    assert [texts.add(text) for text in ('a', 'b', 'a', '', None)] == [0, 1, 0, None, None]
    assert texts.all == ['a', 'b']


def test_a_text_is_cut_and_says_so():
    assert page_text.clean('x' * 50, 10) == 'x' * 10 + ' …'
    assert page_text.clean('x' * 10, 10) == 'x' * 10
    assert len(page_text.cell('x' * 1000)) == page_text.LONGEST_CELL + 2


def test_control_characters_are_shown_and_a_cell_has_one_line():
    assert page_text.clean('a\x1b[31m\nb') == 'a\\x1b[31m\nb'
    assert page_text.cell('a\nb\tc') == 'a b c'


def test_tokens_and_private_keys_are_hidden():
    key = '-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----'
    assert page_text.clean(f'before {key} after') == 'before (hidden) after'
    assert page_text.clean('-----BEGIN PRIVATE KEY-----\ntorn') == '(hidden)'
    assert 'a1B2' not in page_text.clean('token ghp_' + 'a1B2' * 9)


@pytest.mark.parametrize(
    'value, expected',
    [
        (0.5, 0.5),
        (3, 3),
        (math.inf, 1e308),
        (-math.inf, -1e308),
        (math.nan, None),
        (table.MISSING, None),
        ('word', 'word'),
        (True, 'True'),
    ],
)
def test_the_page_sorts_by_numbers_and_texts(value, expected):
    assert page_text.sortable(value) == expected


@pytest.mark.parametrize(
    'value, expected',
    [(0.93414, '0.9341'), (table.MISSING, None), ('nan', 'nan'), (7, '7'), ('odd\n', 'odd ')],
)
def test_a_figure_is_rounded(value, expected):
    assert page_text.figure(value) == expected
