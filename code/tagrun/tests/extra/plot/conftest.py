"""Runs made by hand, and what `plot` draws of them."""

import math

import pytest
import run_factory
import stub_project

from tagrun.core.cli import selectors
from tagrun.extra.plot import plot
from tagrun.store import history, table


@pytest.fixture(scope='session')
def project(tmp_path_factory):
    """Runs made by hand: five seeds, ten learning rates, two that diverged, one that stopped,
    hostile names.
    """
    made_project = stub_project.make(tmp_path_factory.mktemp('plot') / "a 'b; c")
    commit = made_project.git('rev-parse', 'HEAD').strip()

    def run(name, values, lr=0.01, metric='val/acc', hparam=(), **more):
        folder = run_factory.run(
            made_project.root,
            name,
            {'lr': lr, **dict(hparam)},
            {metric: values[-1]},
            **{
                'commit': commit,
                'monitor': metric,
                'epoch': len(values),
                'epochs': len(values),
                **more,
            },
        )
        history.write(
            folder,
            [
                {
                    'epoch': epoch,
                    'train/loss': 2 / epoch,
                    'val/loss': value,
                    metric: value,
                    'lr': lr,
                    'seconds': 0.1,
                }
                for epoch, value in enumerate(values, 1)
            ],
        )
        return folder

    for seed in range(5):
        trace = run(f'five/{seed}', [0.1 * seed, 0.2 * seed, 0.3 * seed]) / 'trace.csv'
        trace.write_text(
            'epoch,step,order,batch,loss,weights\n'
            + ''.join(f'1,{step},a,b,{1 / step},\n' for step in range(1, 101))
            + '1,,,,,c\n'
        )
    for number in range(10):
        run(f'ten/{number}', [0.1, 0.2, 0.1 * number], lr=10 ** (-number / 3))
    run('diverged/0', [0.5, math.nan, 0.7, math.inf, math.inf], lr=1.0)
    run('diverged/1', [math.nan, math.nan], lr=2.0)
    run('diverged/2', [2.0, 1.0, 1e30], lr=3.0)
    run('stopped/0', [0.5, 0.6], lr=0.5, status='interrupted')
    for number in range(3):
        run(
            f'_{"long" * 20}$x_{{{number}'.replace('{', '=').replace('$', '+') + '/0',
            [0.5, 0.6],
            lr=number + 10.0,
            hparam={'$\\frac{': '\x1b[31m\u202e$\n</text><script>', '_' * 300: '\0'},
        )
    run('hostile/0', [0.5, 0.6], metric='$\\frac{_val/\x1b]0;acc\n\u202e')
    return made_project


@pytest.fixture
def figure(project):
    """What `plot` draws for the words of a command line, as matplotlib's Figure."""

    def draw(*words):
        args = plot.parse([*words])
        runs, _ = table.load(project.root, selectors.several(project.root, args.run))
        return plot.draw(project.root, runs, args)[0]

    return draw
