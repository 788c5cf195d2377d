"""Run folders made by hand, as training leaves them, for tests of what reads them."""

import hashlib

from tagrun.store import layout, run_json, statistic

HPARAM = {
    'model': 'cnn',
    'lr': 0.01,
    'hidden': 100,
    'phases': ['train', 'val', 'test'],
    'grad_clip': None,
    'torch_compile': False,
}
METRIC = {'train/loss': 0.5, 'train/acc': 0.8, 'val/loss': 0.61, 'val/acc': 0.75, 'test/acc': 0.74}


def run(root, name, hparam=(), metric=(), **more):
    """Make the run `name` ('t1/0'), finished, and list it in finished.txt; its folder. more: other
    keys of statistic.json.
    """
    tag, _, number = name.partition('/')
    folder = layout.run_folder(root, tag, number)
    folder.mkdir(parents=True)
    content = {
        'run': name,
        'status': 'finished',
        'seed': int(number),
        'commit': hashlib.sha1(name.encode()).hexdigest(),
        'epoch': 3,
        'epochs': 3,
        'monitor': 'val/acc',
        'monitor_mode': 'max',
        'best_epoch': 2,
        'metric': {**METRIC, **dict(metric)},
        'last': {},
        'hparam': {**HPARAM, **dict(hparam)},
        'digest': {},
        'time': {
            'started': '2026-11-21T09:00:00Z',
            'updated': '2026-11-21T09:01:00Z',
            'seconds': 12.5,
        },
        **more,
    }
    run_json.write(
        folder, run_json.build(root, tag, int(number), content['commit'], content['seed'])
    )
    statistic.write(folder, content)
    listed(root, 'finished', name)
    return folder


def listed(root, name, *lines):
    """Add lines to a list by hand."""
    path = layout.list_file(root, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, 'a', encoding='utf-8', newline='') as file:
        file.write(''.join(line + '\n' for line in lines))
    return path
