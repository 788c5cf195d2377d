"""What `run` refuses before a tag is spent: names, values, files and code."""

import subprocess

import pytest

ONE = ('--set', 'steps=1')  # a value of the stub's; its runs end at once anyway


def test_values_are_set_before_or_after_the_tag_and_what_is_none_is_refused(stubbed):
    for words in (
        ('--set', 'lr=0.5', 't1'),
        ('t1', '--set', 'lr=0.5'),
        ('--set', 'lr=0.5', '-n', 't1'),
    ):
        assert 't1: recorded' in stubbed.tagrun('run', '-n', *words).stderr
    assert "not 't2'" in stubbed.tagrun('run', '-n', 't1', '--set', 'lr=0.5', 't2', code=2).stderr
    assert (
        "Did you mean 'lr'?" in stubbed.tagrun('run', '-n', 't1', '--set', 'lrr=0.5', code=1).stderr
    )
    assert 'a float there' in stubbed.tagrun('run', '-n', 't1', '--set', 'lr=fast', code=1).stderr


@pytest.mark.parametrize(
    'tag, reason',
    [
        ('', 'a tag is missing'),
        ('a b', "' ' cannot be in a tag"),
        ('../x', 'does not start with'),
        ('a/b', "'/' cannot be"),
        ('-x', 'is not an option'),
        ('.hidden', 'does not start'),
        ('x.lock', '.lock'),
        ('a..b', '..'),
        ('HEAD', 'git uses'),
        ('scratch', 'runs by hand'),
        ('main', 'is a branch'),
        ('a' * 40, 'looks like a commit'),
        ('x' * 101, '100 bytes'),
        ('$(touch PWNED)', 'cannot be'),
        ('`x`', 'cannot be'),
        ('a;b', 'cannot be'),
        ('CON', 'Windows'),
        ('e\u0301', 'separate characters'),
        ('a\u202eb', 'cannot be'),
        ('a\x1bb', 'cannot be'),
        ('a\nb', 'cannot be'),
        ('%s', 'cannot be'),
    ],
)
def test_a_name_that_cannot_be_a_tag_is_refused_with_the_reason(stubbed, tag, reason):
    done = subprocess.run(
        stubbed.command('run', tag),
        cwd=stubbed.root,
        env=stubbed.env,
        capture_output=True,
        text=True,
    )
    assert (
        done.returncode in (1, 2)
        and reason in done.stderr
        and 'Traceback' not in done.stderr
        and '\x1b' not in done.stderr
    )
    assert (
        stubbed.git('tag') == ''
        and not list((stubbed.root / '__result__').glob('*/*'))
        and not (stubbed.root / 'PWNED').exists()
    )


@pytest.mark.parametrize('tag', ['t1', 'größe', '実験-1', 'a+b=c@d_e.f', '7'])
def test_a_name_of_any_alphabet_is_a_tag(stubbed, tag):
    assert 'nothing was done' in stubbed.tagrun('run', '-n', tag).stderr


@pytest.mark.parametrize(
    'name, size, reason',
    [
        ('.env', 9, 'secret'),
        ('key.pem', 9, 'secret'),
        ('id_rsa', 9, 'secret'),
        ('my_service_account_3.json', 9, 'secret'),
        ('big.bin', 11 << 20, '12 MB'),
    ],
)
def test_a_new_file_that_git_should_not_keep_is_refused_with_the_cure(stubbed, name, size, reason):
    (stubbed.root / name).write_bytes(b'x' * size)
    told = stubbed.tagrun('run', 't1', code=1).stderr
    assert reason in told and '.gitignore' in told and stubbed.git('tag') == ''


def test_a_clean_tree_can_be_asked_for(stubbed):
    stubbed.edit('model.py', 'The network', 'My network')
    assert (
        '1 uncommitted change (code/model.py)'
        in stubbed.tagrun('run', '--clean', 't1', code=1).stderr
    )
    stubbed.git('config', 'tagrun.requireClean', 'true')
    assert 'commit first' in stubbed.tagrun('run', 't1', code=1).stderr
    stubbed.git('checkout', '-q', '.')
    stubbed.tagrun('run', 't1', *ONE)


@pytest.mark.parametrize(
    'contract, reason',
    [
        ('2\n', 'needs contract 2'),
        (None, 'no code/tagrun/CONTRACT'),
        ('x\n', 'no code/tagrun/CONTRACT'),
    ],
)
def test_code_of_another_contract_is_refused_in_one_sentence(stubbed, contract, reason):
    path = stubbed.root / 'code' / 'tagrun' / 'CONTRACT'
    path.unlink() if contract is None else path.write_text(contract)
    assert reason in stubbed.tagrun('run', 't1', code=1).stderr
    assert stubbed.git('tag') == ''
