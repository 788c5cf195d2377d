"""Where a run is trained: the options, and who reads and checks them."""

import argparse
from pathlib import Path
from types import SimpleNamespace

import pytest

from tagrun.core import finder
from tagrun.core.cli.messages import UserError
from tagrun.core.launch import engines
from tagrun.core.launch.engines import LaunchOptions


class Cluster:
    """An engine for tests."""

    checked = None

    @staticmethod
    def add_options(group):
        group.add_argument('--nodes', type=int, default=1)

    @staticmethod
    def read_options(args):
        return SimpleNamespace(nodes=args.nodes)

    @classmethod
    def check(cls, repository, options):
        cls.checked = options


@pytest.fixture
def cluster(monkeypatch):
    monkeypatch.setattr(finder, 'modules', lambda pattern: [Path('on_cluster.py')])
    monkeypatch.setattr(finder, 'load', lambda path: Cluster)
    monkeypatch.setattr(Cluster, 'checked', None)


def read(*words):
    parser = argparse.ArgumentParser()
    engines.add_options(parser)
    return engines.read_options(parser.parse_args(words))


def test_engines_are_found_by_their_file_names():
    assert {'queue', 'ray', 'slurm'} <= set(engines.names())
    assert all(hasattr(engines.load(name), 'submit') for name in engines.names())


def test_without_options_a_run_is_trained_here(cluster):
    assert read() == LaunchOptions()
    assert read('-d', '--nproc', '2') == LaunchOptions(detach=True, process_count=2)


def test_an_engine_gets_its_own_values(cluster):
    options = read('--on', 'cluster', '--nodes', '3')
    assert options.engine == 'cluster' and options.engine_options.nodes == 3
    engines.check(None, options)
    assert Cluster.checked == options


def test_an_engine_that_was_not_chosen_is_not_asked(cluster):
    options = read('--nodes', '3')
    assert options.engine_options is None
    engines.check(None, options)
    assert Cluster.checked is None


@pytest.mark.parametrize('count', [0, -1, 10**6])
def test_a_number_of_processes_out_of_range_is_refused(count):
    with pytest.raises(UserError, match='--nproc takes a number from 1 to'):
        engines.check(None, LaunchOptions(process_count=count))


def test_without_engines_there_are_the_common_options_alone(monkeypatch):
    monkeypatch.setattr(finder, 'modules', lambda pattern: [])
    assert read('--nproc', '2').process_count == 2
    with pytest.raises(SystemExit):
        read('--on', 'slurm')


RUN = Path('/p/__result__/t1/0')
EVALUATION = RUN / 'evaluation' / '2'


def test_what_an_engine_starts_is_the_command_for_the_folder():
    assert engines.command(RUN) == ['continue', 't1/0']
    assert engines.command(EVALUATION) == ['evaluate', 't1/0/evaluation/2']


def test_what_was_submitted_is_described_shown_and_cancelled_by_its_name():
    runs, evaluations = [RUN, RUN.with_name('1')], [EVALUATION, EVALUATION.with_name('3')]
    assert engines.describe(runs) == 't1/0 to t1/1, 2 runs'
    assert engines.describe(evaluations[:1]) == 't1/0/evaluation/2'
    assert engines.describe(evaluations).endswith('/evaluation/3, 2 evaluations')
    assert engines.words_to_show(RUN) == 'expls t1'
    assert engines.words_to_show(EVALUATION) == 'tagrun expls --evaluations t1/0'
    assert engines.words_to_cancel(runs) == 'tagrun stop t1'
    cancelled = 'tagrun stop t1/0/evaluation/2 t1/0/evaluation/3'
    assert engines.words_to_cancel(evaluations) == cancelled


def test_an_evaluation_has_one_process(cluster):
    parser = argparse.ArgumentParser()
    engines.add_options(parser, training=False)
    options = engines.read_options(parser.parse_args(['-d']))
    assert options == LaunchOptions(detach=True)
    with pytest.raises(SystemExit):
        parser.parse_args(['--nproc', '2'])
