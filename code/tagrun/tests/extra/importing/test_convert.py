"""What a run of another tool becomes: names, rows, its best."""

import time

import pytest

from tagrun.core.cli.messages import UserError
from tagrun.extra.importing import convert
from tagrun.extra.importing.foreign import ForeignRun
from tagrun.store import names


def test_names_can_be_kept_or_given_and_never_collide(tmp_path):
    points = {'train_loss': [(1, 1.0)], 'train/loss': [(1, 2.0)], 'validation.accuracy': [(1, 0.5)]}
    options = convert.Options(rename={'val/accuracy': 'val/acc'})
    assert list(convert.renamed(points, options)) == ['train_loss', 'train/loss', 'val/acc']
    assert list(convert.renamed(points, convert.Options(keep_names=True))) == list(points)


@pytest.mark.parametrize(
    'text, tag',
    [
        ('../../etc/passwd', 'etc-passwd'),
        ('--upload-pack=x', 'upload-pack=x'),
        ('a b\n\x1b[31m', 'a-b-31m'),
        ('', 'imported'),
        ('🙂', 'imported'),
        ('HEAD', 'imported-HEAD'),
        ('scratch', 'imported-scratch'),
        ('名前', '名前'),
        ('x' * 500, 'x' * 60),
        ('con', 'imported-con'),
        ('a.lock', 'imported-a.lock'),
        ('a..b', 'a.b'),
    ],
)
def test_a_tag_is_made_of_any_text(text, tag):
    found = convert.tag_of(text)
    assert not names.check_tag(found) and (found == tag or tag == 'imported-a.lock')


def test_a_long_metric_is_thinned_and_a_rare_one_is_not():
    points = {
        'loss': [(step, 1.0 / (step + 1)) for step in range(1_000_000)],
        'val/acc': [(step, step / 1e6) for step in range(0, 1_000_000, 99_991)],
    }
    started = time.monotonic()
    rows = convert.history_rows(points)
    assert (
        len(rows) < 10_100
        and sum('val/acc' in row for row in rows) == len(points['val/acc'])
        and rows[-1]['loss'] == 1e-6
    )
    assert time.monotonic() - started < 20


def foreign_run(points, **more):
    facts = {'kind': 'CSV', 'id': '1', 'group': 'g', 'name': 'n', 'hparam': {'lr': 0.1}}
    facts |= {'points': points, 'x': 'epoch', 'status': 'finished', **more}
    return ForeignRun(**facts)


def content_of(points, options=None, **more):
    return convert.statistic_content(foreign_run(points, **more), options or convert.Options())


@pytest.mark.parametrize(
    'names, monitor, mode',
    [
        (['train_loss', 'val_loss', 'val_acc'], 'val/acc', 'max'),
        (['train_loss', 'val_loss', 'val_f1'], 'val/f1', 'max'),
        (['train_acc', 'val_loss'], 'val/loss', 'min'),
        (['x', 'accuracy', 'loss'], 'accuracy', 'max'),
        (['x', 'loss'], 'loss', 'min'),
        (['reward'], 'reward', 'max'),
    ],
)
def test_what_is_monitored_follows_from_the_names(names, monitor, mode):
    content = content_of({name: [(1, 1.0)] for name in names})
    assert (content['monitor'], content['monitor_mode']) == (monitor, mode)


def test_the_best_is_the_first_best_finite_value():
    points = {'val/acc': [(1, 0.5), (2, 0.75), (3, 0.75), (4, float('inf'))], 'lr': [(1, 9.0)]}
    content = content_of(points)
    assert (content['best_epoch'], content['epoch'], content['epochs']) == (2, 4, 4)
    assert content['metric'] == {'val/acc': 0.75, 'lr': 9.0}
    assert content['last'] == {'val/acc': float('inf'), 'lr': 9.0}
    assert content_of(points, convert.Options(mode='min'))['best_epoch'] == 1


def test_without_a_finite_value_there_is_no_best():
    content = content_of({'loss': [(1, float('nan'))]})
    assert 'best_epoch' not in content and set(content['metric']) == {'loss'}


def test_a_metric_that_a_run_lacks_cannot_be_monitored():
    with pytest.raises(UserError, match='--monitor acc: CSV run n has loss'):
        content_of({'loss': [(1, 1.0)]}, convert.Options(monitor='acc'))


@pytest.mark.parametrize(
    'started, seconds, time',
    [
        (None, None, {}),
        (0, 5, {'seconds': 5.0}),
        (60.0, None, {'started': '1970-01-01T00:01:00Z', 'updated': '1970-01-01T00:01:00Z'}),
        (1e30, float('inf'), {}),
    ],
)
def test_times_are_those_that_are_known(started, seconds, time):
    assert content_of({'a': [(1, 1.0)]}, started=started, seconds=seconds)['time'] == time


def test_a_row_has_what_was_measured_then():
    rows = convert.history_rows({'a': [(0.5, 1.0), (2, 2.0)], 'b': [(2.0, 3.0)]})
    assert rows == [
        {'epoch': 0.5, 'a': 1.0, 'seconds': ''},
        {'epoch': 2, 'a': 2.0, 'b': 3.0, 'seconds': ''},
    ]
