"""CSV files with a header."""

import pytest

from tagrun.extra.importing import convert, foreign_csv


@pytest.mark.parametrize(
    'text, x, metric',
    [
        (
            'epoch,train_loss,val_acc\n1,2.0,0.5\n2,1.0,0.25\n',
            'epoch',
            {'train/loss': 2.0, 'val/acc': 0.5},
        ),
        ('epoch;val_loss;opt\n1;2,5;adam\n2;1,5;adam\n', 'epoch', {'val/loss': 1.5}),
        ('\ufeffval/acc\tnote\n0.5\thello\n0.75\tyou\n', 'epoch', {'val/acc': 0.75}),
        # Lightning's
        (
            'epoch,step,train_loss,val_loss\n0,9,2.0,\n0,9,,1.5\n1,19,1.0,\n1,19,,1.2\n',
            'epoch',
            {'train/loss': 1.0, 'val/loss': 1.2},
        ),
        ('epoch,global_step,loss\n0,1,2.0\n0,2,1.5\n1,3,1.2\n', 'step', {'loss': 1.2}),
        ('epoch,loss\n0.1,2.0\n0.2,1.5\n', 'epoch', {'loss': 1.5}),
    ],
)
def test_csv_is_by_epoch_or_by_step_as_it_says(tmp_path, text, x, metric):
    path = tmp_path / 'log.csv'
    path.write_text(text)
    run = foreign_csv.read_run(str(path))
    content = convert.statistic_content(run, convert.Options())
    rows = convert.history_rows(convert.renamed(run.points, convert.Options()))
    assert (
        run.x == x
        and content['metric'] == metric
        and run.hparam == ({'opt': 'adam'} if 'adam' in text else {})
    )
    assert [row['epoch'] for row in rows] == sorted({row['epoch'] for row in rows}) and all(
        type(row['epoch']) is int for row in rows
    )


@pytest.mark.parametrize(
    'path, group, name',
    [
        ('runs/a/metrics.csv', 'a', 'metrics'),
        ('runs/a/wide.csv', 'wide', ''),
        ('b/b.tsv', 'b', 'b'),
    ],
)
def test_a_file_with_a_usual_name_is_called_as_its_folder(tmp_path, path, group, name):
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_text('loss\n1\n')
    assert list(foreign_csv.find_runs(tmp_path)) == [str(tmp_path / path)]
    run = foreign_csv.read_run(str(tmp_path / path))
    assert (run.group, run.name, run.status) == (group, name, 'finished')


def test_only_what_never_changes_is_an_argument(tmp_path):
    (tmp_path / 'x.csv').write_text('loss,opt,note,empty,more\n1,adam,a,,3\n2,adam,b,,3,5,6\n')
    run = foreign_csv.read_run(str(tmp_path / 'x.csv'))
    assert run.hparam == {'opt': 'adam'} and set(run.points) == {'loss', 'more'}


def test_the_same_content_is_the_same_run(tmp_path):
    ids = set()
    for name, text in (('x', 'a\n1\n'), ('y', 'a\n1\n'), ('z', 'a\n2\n')):
        (tmp_path / f'{name}.csv').write_text(text)
        ids.add(foreign_csv.read_run(str(tmp_path / f'{name}.csv')).id)
    assert len(ids) == 2
