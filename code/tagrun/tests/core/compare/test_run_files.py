"""core/compare/run_files.py: what a run's folder says, and {} for what it does not."""

from run_factory import run

from tagrun.core.compare import run_files
from tagrun.store import jsonfile
from tagrun.store.run_ref import RunRef


def test_a_run_has_the_contents_of_its_files(root):
    folder = run(root, 't1/3', metric={'val/acc': 0.5})
    jsonfile.write(folder / 'environment.json', {'torch': '2.13.0'})
    files = run_files.read(root, RunRef('t1', 3))
    assert files.folder == folder and files.run == ('t1', 3) and files.seed == 3
    assert files.commit == files.info['commit'] == files.statistic['commit']
    assert files.metric['val/acc'] == 0.5 and files.hparam['model'] == 'cnn'
    assert files.environment == {'torch': '2.13.0'}


def test_the_files_of_another_folder_are_read_as_those_of_the_run(root):
    folder = run(root, 't1/3') / 'evaluation' / '0'
    folder.mkdir(parents=True)
    content = {'status': 'finished', 'metric': {'test/acc': 0.25}, 'hparam': {'lr': 1.0}}
    jsonfile.write(folder / 'statistic.json', content)
    files = run_files.read_folder(RunRef('t1', 3), folder)
    assert (files.folder, files.metric, files.hparam) == (folder, {'test/acc': 0.25}, {'lr': 1.0})


def test_the_seed_of_an_imported_run_comes_from_its_result(root):
    folder = run(root, 't1/0', seed=42)
    (folder / 'run.json').unlink()
    files = run_files.read(root, RunRef('t1', 0))
    assert files.seed == 42 and files.commit is None


def test_what_is_missing_or_broken_is_empty(root):
    folder = run(root, 't1/0')
    (folder / 'statistic.json').write_text('[]')
    (folder / 'run.json').write_text('{"tag": "t2"}')
    files = run_files.read(root, RunRef('t1', 0))
    assert (files.statistic, files.info, files.environment) == ({}, {}, {})
    assert (files.hparam, files.metric, files.seed, files.commit) == ({}, {}, None, None)
