"""What the values of a sweep mean, as typed on the command line."""

import pytest

from tagrun.core.cli.messages import UserError
from tagrun.extra.sweep import space

CONFIG = """
model = 'cnn'
hidden = 100
lr = 0.01
deep = False
phases = ('train', 'val')
nothing = None
steps = 6000 // 40
"""


@pytest.mark.parametrize(
    'word, texts',
    [
        ('lr=0.1,0.01', ['0.1', '0.01']),
        ('lr=1', ['1.0']),
        ('lr=0.1,1e-1,.1', ['0.1']),
        ('lr=-1,+2', ['-1.0', '2.0']),
        ('model=mlp,cnn', ["'mlp'", "'cnn'"]),
        ("model='a,b',c", ["'a,b'", "'c'"]),
        ("model=''", ["''"]),
        ('model=1', ["'1'"]),
        ('hidden=range(1,5)', ['1', '2', '3', '4']),
        ('hidden=range(50,200,50),7', ['50', '100', '150', '7']),
        ('hidden=1e3', ['1000']),
        ('hidden=range(1,1e1,3)', ['1', '4', '7']),
        ('lr=range(0,0.5,0.1)', ['0.0', '0.1', '0.2', '0.3', '0.4']),
        ('lr=range(1,3)', ['1.0', '2.0']),
        ('lr=log(1e-4,1e-1)', ['0.0001', '0.001', '0.01', '0.1']),
        ('lr=log(1e-2,1,5)', ['0.01', '0.0316228', '0.1', '0.316228', '1.0']),
        ('hidden=log(16,64,3)', ['16', '32', '64']),
        ('deep=true,False', ['True', 'False']),
        ('nothing=None,3,x', ['None', '3', "'x'"]),
        ("phases=('train',),('train','val')", ["('train',)", "('train', 'val')"]),
        ('steps=7', ['7']),
    ],
)
def test_a_word_stands_for_the_values_it_names(word, texts):
    name = word.partition('=')[0]
    assert space.parse([word], CONFIG)[name].texts == texts


@pytest.mark.parametrize(
    'words, sentence',
    [
        (['modle=mlp'], "Did you mean 'model'?"),
        (['hidden=0.5'], 'whole number 100'),
        (['lr=fast'], 'has a float there'),
        (['deep=2'], 'has a bool there'),
        (['lr=0.1,'], 'empty value'),
        (['lr=(1,2'], 'not closed'),
        (["model='a"], 'not closed'),
        (['lr=0.1', 'lr=0.2'], 'given twice'),
        (['seed=1,2'], '--seeds'),
        (['lr=range(0.0,0.5)'], 'a grid needs steps'),
        (['lr=log(0,1)'], 'above 0'),
        (['lr=log(1,2,1)'], '2 or more'),
        (['lr=range(2,1)'], 'it goes up'),
        (['lr=range(0,1,-1)'], 'it goes up'),
        (['lr=range(a,b)'], 'takes numbers'),
        (['lr=range(1)'], 'range(first,end)'),
        (['hidden=range(1,1e9)'], 'too many'),
        (['lr=range(nan,1)'], 'takes numbers'),
        (['lr=nan'], 'has a float there'),
        (['hidden=range(0,5000)', 'lr=range(0,5000)'], 'too many'),
        (['lr=log(1e-400,1)'], 'takes numbers'),
        (['lr=range(0.0,0.5),3'], 'stands alone'),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_hint(words, sentence):
    with pytest.raises(UserError) as refused:
        space.combinations(space.parse(words, CONFIG))
    assert sentence in str(refused.value)


def test_the_last_word_changes_fastest():
    assert space.combinations(space.parse(['model=a,b', 'hidden=1,2'], CONFIG)) == [
        {'model': "'a'", 'hidden': '1'},
        {'model': "'a'", 'hidden': '2'},
        {'model': "'b'", 'hidden': '1'},
        {'model': "'b'", 'hidden': '2'},
    ]


def test_a_range_has_both_its_steps_and_its_ends():
    assert space.parse(['lr=range(0,0.5,0.1)'], CONFIG)['lr'].span == (0.0, 0.4, 0.1, False, False)
    assert space.parse(['hidden=log(16,64,3)'], CONFIG)['hidden'].span == (16, 64, None, True, True)
    assert space.parse(['lr=0.1,0.2'], CONFIG)['lr'].span is None


@pytest.mark.parametrize(
    'word, value, text',
    [
        ('lr=range(0,0.5,0.1)', 0.1 + 0.2, '0.3'),
        ('lr=log(1e-4,1)', 0.012345, '0.012345'),
        ('hidden=range(1,9)', 3, '3'),
        ('model=mlp,cnn', "'cnn'", "'cnn'"),
    ],
)
def test_a_chosen_value_is_written_as_a_grid_writes_it(word, value, text):
    (parameter,) = space.parse([word], CONFIG).values()
    assert parameter.text(value) == text


def test_a_grid_without_steps_names_some():
    with pytest.raises(UserError, match=r'lr: a grid needs steps, e.g. range\(0,0.5,0.1\)'):
        space.combinations(space.parse(['lr=range(0.0,0.5)'], CONFIG))
