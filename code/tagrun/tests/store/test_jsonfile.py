"""store/jsonfile.py: strict JSON, numbers that are not finite, and files of somebody else's."""

import json
import math

import pytest

from tagrun.store import jsonfile


def test_json_is_strict_and_numbers_that_are_none_come_back(tmp_path):
    jsonfile.write(
        tmp_path / 'a.json', {'x': float('nan'), 'y': [float('inf'), (1, 2)], 'z': 0.1 + 0.2}
    )
    text = (tmp_path / 'a.json').read_text()
    json.loads(text, parse_constant=lambda name: pytest.fail(f'{name} is no JSON'))
    read = jsonfile.read(tmp_path / 'a.json')
    assert (
        math.isnan(jsonfile.number(read['x']))
        and jsonfile.number(read['y'][0]) == math.inf
        and read['z'] == 0.1 + 0.2
    )
    assert jsonfile.number(True) is None and jsonfile.number('1') is None


def test_no_bool_and_no_integer_beyond_a_float_is_a_number():
    assert jsonfile.is_number(3) and jsonfile.is_number(0.5) and jsonfile.is_number(math.nan)
    assert not jsonfile.is_number(True) and not jsonfile.is_number(10**400)
    assert jsonfile.number('-inf') == -math.inf and jsonfile.number(None) is None


def test_what_cannot_be_read_is_none(tmp_path):
    path = tmp_path / 'a.json'
    assert jsonfile.read_or_none(path) is None
    path.write_text('[1]')
    assert jsonfile.read_or_none(path) is None
    path.write_text('{"a": 1}')
    assert jsonfile.read_or_none(path) == {'a': 1} == jsonfile.read(path)


def test_what_is_nested_too_deep_is_refused_and_brackets_in_strings_are_not():
    deep = b'{"a": ' + b'[' * 200 + b']' * 200 + b'}'
    with pytest.raises(ValueError, match='nested deeper than 100'):
        jsonfile.parse(deep)
    assert jsonfile.parse(b'{"a": "' + b'[' * 200 + b'"}') == {'a': '[' * 200}


def test_half_of_a_surrogate_pair_is_written_and_read(tmp_path):
    jsonfile.write(tmp_path / 'a.json', {'x': '\ud800 é'})
    assert '\\ud800 é' in (tmp_path / 'a.json').read_text()
    assert jsonfile.read(tmp_path / 'a.json') == {'x': '\ud800 é'}
