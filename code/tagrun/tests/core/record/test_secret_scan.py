"""Files and tokens that must not get into git; tests/hostile has more of them."""

import pytest

from tagrun.core.cli.messages import UserError
from tagrun.core.git.status import Change
from tagrun.core.record import secret_scan

KEY = b'AKIA' + b'ABCDEFGHIJKLMNOP'


def checked(folder, name, content, what='new'):
    (folder / name).write_bytes(content)
    secret_scan.check(folder, [Change(what, name)])
    return 'taken'


@pytest.mark.parametrize('name', ['.env', 'x.PEM', 'id_rsa', 'client_secret_7.json', 'secrets.yml'])
def test_a_new_file_with_a_secrets_name_is_refused_whatever_is_in_it(tmp_path, name):
    with pytest.raises(UserError, match='looks like a secret.*gitignore'):
        checked(tmp_path, name, b'')
    checked(tmp_path, name, b'', what='modified')


@pytest.mark.parametrize('name', ['.env.example', 'id_rsa.pub', 'secrets.py', 'key.txt'])
def test_an_example_a_public_key_and_a_source_file_are_taken(tmp_path, name):
    assert checked(tmp_path, name, b'nothing to hide\n') == 'taken'


def test_a_token_is_refused_with_its_line_and_never_shown(tmp_path):
    with pytest.raises(UserError, match='a.py, line 3') as caught:
        checked(tmp_path, 'a.py', b'\n\nkey = "' + KEY + b'"\n', what='modified')
    assert KEY.decode() not in str(caught.value)


def test_a_large_new_file_is_refused_and_a_large_old_one_taken(tmp_path):
    content = bytes(secret_scan.LARGEST + 1)
    with pytest.raises(UserError, match='10 MB'):
        checked(tmp_path, 'big.bin', content)
    checked(tmp_path, 'big.bin', content, what='modified')


def test_links_and_deleted_files_are_not_read(tmp_path):
    (tmp_path / 'key').write_bytes(KEY)
    (tmp_path / 'link').symlink_to('key')
    secret_scan.check(tmp_path, [Change('new', 'link'), Change('deleted', '.env')])
    with pytest.raises(UserError, match='key'):
        secret_scan.check(tmp_path, [Change('new', 'key')])


def test_a_secret_in_a_name_a_word_or_an_argument_is_refused_and_never_shown(tmp_path):
    token = KEY.decode()
    for look in (
        lambda: secret_scan.check(tmp_path, [Change('new', f'a {token}.txt')]),
        lambda: secret_scan.check_words('-m', ['why', f'with {token}']),
        lambda: secret_scan.check_words('--set', ['lr=0.1', 'password=hunter2']),
        lambda: secret_scan.check_arguments({'lr': 0.1, 'urls': [f'x://{token}']}),
    ):
        with pytest.raises(UserError, match='looks like') as caught:
            look()
        assert token not in str(caught.value) and 'hunter2' not in str(caught.value)


@pytest.mark.parametrize('word', ['lr=0.1', 'pad_token=<pad>', "api_key=''", 'a password too'])
def test_ordinary_words_are_taken(word):
    assert secret_scan.check_words('-m', [word]) is None


def test_ordinary_arguments_are_taken():
    values = {'tokens': 4096, 'eos_token': '</s>', 'commit': '0a' * 20}
    assert secret_scan.check_arguments(values) is None
