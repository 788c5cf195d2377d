"""Variants of a sweep's code: patches, branches and tags."""

import pytest

from tagrun.core.cli.messages import UserError
from tagrun.core.git.repository import Repository
from tagrun.extra.sweep.variants import LARGEST, other_files, read_variant, short_name


def test_patches_and_branches_are_variants(stubbed):
    stubbed.git('checkout', '-qb', 'other')
    stubbed.edit('model.py', 'none', 'another')
    stubbed.commit()
    stubbed.git('checkout', '-q', 'main')
    stubbed.edit('model.py', 'none', 'a faster one')
    (stubbed.root / 'fast.patch').write_text(stubbed.git('diff'))
    (stubbed.root / 'bad.patch').write_text(stubbed.git('diff').replace('none', 'nothing'))
    stubbed.git('checkout', '-q', '.')
    (stubbed.root / '.git' / 'info' / 'exclude').write_text('*.patch\n')
    assert (
        'does not apply'
        in stubbed.tagrun('sweep', 't', 'lr=1', '--vary', 'bad.patch', code=1).stderr
    )
    assert not stubbed.git('tag')
    stubbed.tagrun('sweep', 't', 'lr=0.2,0.3', '--vary', '.,fast.patch,branch:other')
    stubbed.tagrun('sweep', 't', 'lr=0.2,0.3', '--vary', '.,fast.patch,branch:other')
    found = [
        (stubbed.folder(f't/{number}') / 'code' / 'model.py')
        .read_text()
        .split(': ')[1]
        .strip('.\n"')
        for number in range(6)
    ]
    assert (
        found == ['none', 'none', 'a faster one', 'a faster one', 'another', 'another']
        and not stubbed.folder('t/6').exists()
    )
    assert stubbed.git(
        'diff', '--name-only', 'refs/tagrun/code/t/0', 'refs/tagrun/code/t/2'
    ).split() == ['code/model.py']


def test_other_files_are_all_but_config_and_seed(stubbed):
    repository = Repository.at(stubbed.root)
    variant = read_variant(repository, 'HEAD')
    names = [name.decode() for _, name, _ in variant.other_files]
    expected = stubbed.git('ls-tree', '--name-only', 'HEAD:code').split()
    assert names == [name for name in expected if name not in ('config.py', 'seed')]
    assert variant.config.startswith('"""The stub') and variant.name == ''


def test_a_change_of_values_alone_leaves_the_other_files(stubbed):
    repository, before = Repository.at(stubbed.root), stubbed.git('rev-parse', 'HEAD').strip()
    stubbed.edit('config.py', 'lr = 0.1', 'lr = 0.7')
    stubbed.commit()
    values = stubbed.git('rev-parse', 'HEAD').strip()
    stubbed.edit('model.py', 'none', 'another')
    stubbed.commit()
    code = stubbed.git('rev-parse', 'HEAD').strip()
    files = other_files(repository, [before, values, code, 'f' * 40])
    assert files[before] == files[values] != files[code] and files['f' * 40] is None


def test_a_tag_is_a_variant_with_its_own_config(stubbed):
    stubbed.edit('config.py', 'lr = 0.1', 'lr = 0.7')
    stubbed.commit()
    stubbed.git('tag', 'other')
    variant = read_variant(Repository.at(stubbed.root), 'HEAD~', 'tag:other')
    assert variant.name == 'tag:other' and 'lr = 0.7' in variant.config


@pytest.mark.parametrize(
    'word, sentence',
    [('branch:', "no branch ''"), ('tag:no', "no tag 'no'"), ('no.patch', 'No such file')],
)
def test_a_word_that_names_no_code_is_refused(stubbed, word, sentence):
    with pytest.raises(UserError, match=sentence):
        read_variant(Repository.at(stubbed.root), 'HEAD', word)


@pytest.mark.parametrize('size', [0, LARGEST + 1])
def test_a_file_of_no_patchs_size_is_refused(stubbed, tmp_path, size):
    (tmp_path / 'x').write_bytes(b'x' * size)
    with pytest.raises(UserError, match='is not a patch'):
        read_variant(Repository.at(stubbed.root), 'HEAD', str(tmp_path / 'x'))


def test_a_patch_is_named_without_its_folder():
    assert short_name('a/b.patch') == 'b.patch' and short_name('branch:a/b') == 'branch:a/b'
    assert short_name('.') == ''
