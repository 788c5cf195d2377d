"""What a sweep's command line asks for, as values."""

import pytest

from tagrun.core.cli.messages import UserError
from tagrun.extra.sweep.request import SweepRequest

CONFIG = 'lr = 0.1\nmodel = "mlp"\n'


def test_the_command_can_be_typed_again():
    request = SweepRequest(
        't', ("model=mlp,'a b'", 'lr=0.1'), seeds=3, vary='.,fast.patch', jobs=4, retry_failed=True
    )
    command = "sweep t 'model=mlp,'\"'\"'a b'\"'\"'' lr=0.1 --seeds 3 --vary .,fast.patch"
    assert request.command() == command


def test_a_search_is_part_of_the_command():
    request = SweepRequest(
        't', ('lr=log(1,9)',), search='tpe', trials=5, metric='m', prune='median'
    )
    words = 'sweep t lr=log(1,9) --search tpe --trials 5 --metric m --prune median'
    assert request.command().replace("'", '') == words


def test_without_vary_there_is_one_variant():
    assert SweepRequest('t').variants == [''] and SweepRequest('t', vary='.,x').variants == [
        '.',
        'x',
    ]


def test_the_run_request_has_what_is_recorded_and_no_settings():
    recorded = SweepRequest('t', ('lr=1',), message='why', fixed=True, clean=True).run_request()
    assert recorded[0] == 't' and not recorded.settings
    assert (recorded.message, recorded.fixed, recorded.clean) == ('why', True, True)


@pytest.mark.parametrize(
    'request_, sentence',
    [
        (SweepRequest('t'), 'values are needed'),
        (SweepRequest('t', vary='x', search='tpe', trials=1), 'a search needs arguments'),
        (SweepRequest('t', ('lr=range(0.0,1.0)',)), 'needs steps'),
        (SweepRequest('t', ('rl=1',)), "no argument 'rl'"),
    ],
)
def test_values_that_cannot_be_trained_are_refused(request_, sentence):
    with pytest.raises(UserError, match=sentence):
        request_.space(CONFIG)


def test_a_search_needs_no_steps_and_variants_no_values():
    assert not SweepRequest('t', vary='x').space(CONFIG)
    assert list(SweepRequest('t', ('lr=range(0.0,1.0)',), search='tpe').space(CONFIG)) == ['lr']
