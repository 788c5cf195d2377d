"""W&B's file of an offline run."""

import json
import math
import os

import pytest
from foreign_runs import read_history, wandb_file

from tagrun.extra.importing import foreign_wandb
from tagrun.store import layout


def test_wandbs_offline_run(project, bring, tmp_path):
    pb = pytest.importorskip(
        'wandb.proto.wandb_internal_pb2', reason='pip install -r code/requirements-import.txt'
    )

    def record(**items):
        found = pb.Record()
        for name, value in items.items():
            item = found.history.item.add()
            item.nested_key.extend(name.split('__'))
            item.value_json = json.dumps(value)
        return found

    run, end = pb.Record(), pb.Record()
    run.run.run_id, run.run.project, run.run.display_name = 'abc', 'my project', 'first try'
    run.run.start_time.seconds = 1795264623
    for key, value in (
        ('lr', 0.1),
        ('net', {'depth': 2}),
        ('_wandb', {'v': 1}),
        ('long', 'x' * 70_000),
    ):
        item = run.run.config.update.add()
        item.key, item.value_json = key, json.dumps(value)
    end.exit.exit_code = 1
    path = tmp_path / 'offline-run-1' / 'run-abc.wandb'
    wandb_file(
        path,
        [
            run,
            record(epoch=1, val__acc=0.5, bad=math.nan, image='x'),
            record(epoch=2, val__acc=0.75, bad=1.0),
            end,
        ],
    )
    os.symlink(path.parent, tmp_path / 'latest-run')
    bring(tmp_path)
    content = project.statistic('my-project/0')
    assert (
        content['status'] == 'failed'
        and content['hparam']['net.depth'] == 2
        and '_wandb.v' not in content['hparam']
    )
    assert content['metric'] == {'val/acc': 0.75, 'bad': 1.0} and content['best_epoch'] == 2
    assert [row['bad'] for row in read_history(project, 'my-project/0')] == [
        'nan',
        '1.0',
    ] and layout.numbers(project.root, 'my-project') == [0]
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) - 60])  # killed while it wrote
    assert foreign_wandb.read_run(str(path)).status == 'killed'
    path.write_bytes(whole.replace(b'abc', b'\xff\xff\xff'))
    with pytest.raises(ValueError):
        foreign_wandb.read_run(str(path))


@pytest.mark.parametrize('content', [b'', b'hello', b':W&C\0\0\0'])
def test_what_is_not_a_file_of_wandb_is_said(tmp_path, content):
    pytest.importorskip('wandb')
    (tmp_path / 'x.wandb').write_bytes(content)
    assert list(foreign_wandb.find_runs(tmp_path)) == [str(tmp_path / 'x.wandb')]
    with pytest.raises(ValueError, match='not a file of W&B'):
        foreign_wandb.read_run(str(tmp_path / 'x.wandb'))


def test_a_file_without_a_run_is_said(tmp_path):
    pytest.importorskip('wandb')
    wandb_file(tmp_path / 'x.wandb', [])
    with pytest.raises(ValueError, match='it holds no run'):
        foreign_wandb.read_run(str(tmp_path / 'x.wandb'))
