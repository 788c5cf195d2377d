"""store/names.py: what a tag and a set may be called."""

import pytest

from tagrun.store import names


@pytest.mark.parametrize('name', ['t1', 'größe', '数据', 'a.b_c+d=e@f-g', 'x' * 100, 'HEADS', '0'])
def test_letters_and_digits_of_any_alphabet_make_a_tag(name):
    assert names.check_tag(name) == '' == names.check_set(name)


@pytest.mark.parametrize(
    'name, reason',
    [
        ('', 'a tag needs a name'),
        ('scratch', 'it is where runs by hand go'),
        ('HEAD', 'git uses that name'),
        ('FETCH_HEAD', 'git uses that name'),
        ('é' * 51, 'a tag has at most 100 bytes'),
        ('-rf', 'a tag does not start with'),
        ('.hidden', 'a tag does not start with'),
        ('@last', 'a tag does not start with'),
        ('a/b', "'/' cannot be in a tag"),
        ('a b', "' ' cannot be in a tag"),
        ('a\x1bb', "'\\x1b' cannot be in a tag"),
        ('a\u200bb', 'cannot be in a tag'),
        ('a\u3164b', 'cannot be in a tag'),
        ('a\ud800', 'cannot be in a tag'),
        ('e\u0301', 'its accents are typed as separate characters'),
        ('a..b', "git allows no tag with '..'"),
        ('a.lock', "git allows no tag with '..'"),
        ('con.txt', 'Windows cannot have a folder of that name'),
        ('LPT9', 'Windows cannot have a folder of that name'),
        ('0123456789' * 4, 'it looks like a commit'),
    ],
)
def test_a_name_that_a_folder_or_a_ref_cannot_have_is_refused(name, reason):
    assert names.check_tag(name).startswith(reason) or reason in names.check_tag(name)


def test_a_set_is_called_a_set():
    assert names.check_set('') == 'a set needs a name'
    assert names.check_set('a/b').startswith("'/' cannot be in a set")
