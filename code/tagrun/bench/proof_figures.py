"""The figures of the scoreboard, and how each is measured.

    for number, outcome in proof_figures.kill(folder, options).items(): print(number, outcome.text)

Each measurement breaks runs in one way, with the functions of tests/support/campaign.py, and
returns {number of the figure: Outcome}; {} where none of its figures is asked for.
"""

import math
import re
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import core_coverage

CODE = Path(__file__).resolve().parents[2]
TESTS = CODE / 'tagrun' / 'tests'
PRODUCT = ('store', 'core', 'command', 'training', 'extra')


class Options(NamedTuple):
    """What is measured (figures by number), how often, and with which seed."""

    only: tuple[int, ...]
    is_full: bool
    seed: int
    kills: int
    stride: int
    cuts: int
    damages: int
    reruns: int
    signals: int
    rounds: int


class Outcome(NamedTuple):
    """What came of a figure; is_good: whether it meets its target, None where nobody measured."""

    text: str
    is_good: bool | None


class Figure(NamedTuple):
    """A line of the scoreboard.

    others: what is known of other tools, from what they publish or what was tried with them. tests:
    the files that pytest gets, for a figure that test files measure.
    """

    name: str
    target: str
    others: str
    tests: str = ''


FIGURES = {
    1: Figure(
        'Random kills: reported epochs lost, files corrupt',
        '0, 0',
        'torchft: 2,000 simulated failures; arXiv 2511.18323: 430 crash trials',
    ),
    2: Figure(
        'Runs bit-identical to the untouched one after kills',
        'all',
        'Composer: 6 resume points, no kills; Hugging Face #17032, #11323 open',
    ),
    3: Figure(
        'Killed at each file-system call of a run: not recovered',
        '0',
        'SQLite does so; of the peers none is known to',
    ),
    4: Figure(
        'Power cuts of a model disk: reported epochs lost',
        '0',
        'a plain write and rename lost 50 of 50 here',
    ),
    5: Figure('Damaged checkpoints loaded; false alarms', '0, 0', 'torch.load alone: beside'),
    6: Figure(
        'Reruns, and resumes from each place: not identical',
        '0',
        'torchtitan: 40 + 8 batches; StatefulDataLoader: 3 places',
    ),
    7: Figure(
        'Trained again after a kill: at most',
        '1 epoch, and what one write lasts',
        'CheckFreq: seconds; Check-N-Run: 30 minutes',
    ),
    8: Figure(
        'Saving each epoch, with digest and fsync: time added',
        '≤ 3.5 %',
        'CheckFreq ≤ 3.5 %; torch.save: beside',
    ),
    9: Figure(
        'Signals: not stopped cleanly and resumably; 99th percentile',
        '0, < 25 s',
        'Slurm kills after 30 s',
    ),
    10: Figure(
        'Races of eight processes: duplicates, deadlocks, stale locks',
        '0, 0, 0',
        'DVC #8621, Optuna #5921',
        'test_races.py',
    ),
    11: Figure(
        "Repository states: user's files, index or branch changed",
        '0',
        'a killed `git commit` left 3 locks',
        'test_repository_states.py',
    ),
    12: Figure(
        'Bad inputs: tracebacks shown, canaries touched',
        '0, 0',
        'MLflow: 10 traversal CVEs and more; GitPython: 26 advisories',
        'test_hostile_*.py',
    ),
    13: Figure(
        'Planted secrets found in any output',
        '0',
        'wandb #817, inspect_ai #4302, Comet #474',
        'test_hostile_secrets.py test_hostile_tokens.py',
    ),
    14: Figure(
        'Hostile report in Chromium: scripts run, requests made',
        '0, 0',
        'MLflow XSS 2024 and 2026',
        'test_report_hostile.py',
    ),
    15: Figure(
        'Lines of tests to lines of the product; branches of the saving core covered',
        'said; ≥ 95 %',
        'SQLite 640 : 1, 100 %',
    ),
    16: Figure(
        'Starts with a rival in the window: trained twice, lost, said but not done',
        '0, 0, 0',
        'none is known to try it',
        'test_ownership_windows.py',
    ),
    17: Figure(
        'Fetches and imports killed at each file-system call: another end than unkilled',
        '0',
        'none is known to try it',
        'test_fetch_import_kills.py',
    ),
    18: Figure(
        'Bombs from elsewhere: over the memory or time, other runs lost',
        '0, 0',
        'PyYAML, SQLite and git bound none of it',
        'test_hostile_bombs.py',
    ),
    19: Figure(
        'Names in a fetched tree, planted code: written outside the run, run',
        '0, 0',
        'git itself: CVE-2014-9390, CVE-2019-1353',
        'test_tree_paths.py test_frozen_copy.py',
    ),
    20: Figure(
        "Planted pids: another's process signalled",
        '0',
        'a pid file is believed by most daemons',
        'test_hostile_pids.py',
    ),
    21: Figure(
        'Links among the records: read or written through',
        '0',
        'MLflow: traversal CVEs',
        'test_linked_records.py test_beneath.py',
    ),
    22: Figure(
        'Names that Tab inserts in bash and zsh: run by the shell, or another word',
        '0, 0',
        'none is known to try it',
        'test_completion_quoting.py',
    ),
}


def kill(folder: Path, options: Options) -> dict[int, Outcome]:
    """Kill at random instants; the kills are divided among five kinds of model and loader."""
    if not {1, 2, 7} & set(options.only):
        return {}
    import campaign

    count = math.ceil(options.kills / len(campaign.KINDS))
    struck, finished, epoch = 0, 0, 0
    lost: list[int] = []
    bad: list[str] = []
    for kind, settings in campaign.KINDS.items():
        with _runs(folder / kind, {**campaign.BUSY, **settings}) as runs:
            tally = campaign.kills(runs, count, options.seed)
            epoch = runs.steps_of_an_epoch()
        struck += tally.tried
        finished += tally.more[0]
        lost += tally.more[1]
        bad += tally.bad
    gone = [line for line in bad if 'another' not in line]
    other = [line for line in bad if 'another' in line]
    steps = f'{max(lost)} steps, median {sorted(lost)[len(lost) // 2]}'
    return {
        1: Outcome(f'{struck:,} kills: {_count(gone)}', not gone),
        2: Outcome(f'{finished - len(other)}/{finished}{_examples(other)}', not other),
        7: Outcome(
            f'{steps}; an epoch has {epoch}, saves were 0.12 s apart', max(lost) <= 2 * epoch
        ),
    }


def calls(folder: Path, options: Options) -> dict[int, Outcome]:
    """Kill at each file-system call."""
    if 3 not in options.only:
        return {}
    import campaign

    with _runs(folder / 'calls', campaign.SHORT) as runs:
        tally = campaign.every_call(runs, options.stride)
    text = f'{tally.tried:,} of {tally.more:,} calls: {_count(tally.bad)}'
    return {3: Outcome(text, not tally.bad)}


def power(folder: Path, options: Options) -> dict[int, Outcome]:
    """Cut the power of a model disk."""
    if 4 not in options.only:
        return {}
    import campaign

    resumed = max(20, options.cuts // 50)
    with _runs(folder / 'power', campaign.BUSY) as runs:
        tally = campaign.power_cuts(runs, options.cuts, options.seed, resumed=resumed)
    text = f'{tally.tried:,} cuts within {tally.more} calls: {_count(tally.bad)}'
    return {4: Outcome(text, not tally.bad)}


def damage(folder: Path, options: Options) -> dict[int, Outcome]:
    """Damage checkpoints, and load them."""
    if 5 not in options.only:
        return {}
    import campaign
    import checkpoint_damage

    whole = options.damages // 2
    with _runs(folder / 'damage', campaign.BUSY) as runs:
        run_folder = runs.project.folder('t1/0')
        tally = checkpoint_damage.damaged_checkpoints(
            run_folder, options.damages, whole, options.seed
        )
    stock = f'torch.load alone took {tally.more["stock"]:,}'
    text = f'{tally.tried:,} damaged, {whole:,} whole: {_count(tally.bad)} ({stock})'
    return {5: Outcome(text, not tally.bad)}


def again(folder: Path, options: Options) -> dict[int, Outcome]:
    """Train again, and resume from each point."""
    if 6 not in options.only:
        return {}
    import campaign

    with _runs(folder / 'again', campaign.SHORT) as runs:
        reruns = campaign.reruns(runs, options.reruns)
        resumes = campaign.resumes(runs, options.reruns)
    bad = reruns.bad + resumes.bad
    counts = f'{reruns.tried} reruns, {resumes.tried} resumes, {resumes.more} of them within'
    return {6: Outcome(f'{counts} an epoch: {_count(bad)}', not bad)}


def saving(folder: Path, options: Options) -> dict[int, Outcome]:
    """Measure what a save costs."""
    if 8 not in options.only:
        return {}
    import saving as cost

    seconds = cost.measure(options.rounds)
    epoch = statistics.median(seconds['no save'])
    tagrun, plain = (100 * cost.added(seconds, way) / epoch for way in ('Tagrun', 'torch.save'))
    beside = f'torch.save, neither synced nor digested: {plain:+.1f} %'
    return {8: Outcome(f'{tagrun:+.1f} % of {epoch:.2f} s, for 12 MB ({beside})', tagrun <= 3.5)}


def stop(folder: Path, options: Options) -> dict[int, Outcome]:
    """Stop runs by signals."""
    if 9 not in options.only:
        return {}
    import campaign
    import signal_campaign

    bad: list[str] = []
    late: list[float] = []
    with _runs(folder / 'stop', campaign.BUSY) as runs:
        for kind in signal_campaign.SIGNALS:
            tally = signal_campaign.signals(runs, kind, options.signals, options.seed)
            bad += tally.bad
            late += tally.more
    worst = sorted(late)[int(0.99 * (len(late) - 1))]
    stops = f'{len(late)} stops, {len(signal_campaign.SIGNALS)} kinds'
    return {9: Outcome(f'{stops}: {_count(bad)}; {worst:.1f} s', not bad and worst < 25)}


def of_test_files(folder: Path, options: Options) -> dict[int, Outcome]:
    """Run the test files that measure a figure: they pass, with so many cases."""
    outcomes = {}
    for number, figure in FIGURES.items():
        if figure.tests and number in options.only:
            outcomes[number] = _pytest(_test_files(figure.tests), options.is_full)
    return outcomes


def _test_files(patterns: str) -> list[Path]:
    """Return the test files of a figure; a pattern leaves out those that another figure names."""
    named = {name for figure in FIGURES.values() for name in figure.tests.split()}
    files = []
    for pattern in patterns.split():
        paths = sorted(TESTS.rglob(pattern))
        if not paths:
            sys.exit(f'proof: there is no test file {pattern} in {TESTS}')
        files += [path for path in paths if path.name == pattern or path.name not in named]
    return files


def _pytest(paths: list[Path], is_full: bool) -> Outcome:
    words = [sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', *paths]
    words += ['--slow'] if is_full else []
    done = subprocess.run(words, cwd=TESTS, capture_output=True, text=True)
    last = done.stdout.strip().rpartition('\n')[2]
    passed, skipped = _number_before('passed', last), _number_before('skipped', last)
    count = passed + _number_before('failed', last) + _number_before('error', last)
    bad = re.findall(r'^(?:FAILED|ERROR) \S*::(\S+)', done.stdout, re.MULTILINE)
    rest = f'; {skipped} skipped' if skipped else ''
    # without Chromium there is no figure 14
    is_good = done.returncode == 0 if passed > skipped else None
    return Outcome(f'{count:,} tests: {_count(bad)}{rest}', is_good)


def _number_before(word: str, text: str) -> int:
    match = re.search(rf'(\d+) {word}', text)
    return int(match[1]) if match else 0


def tests(folder: Path, options: Options) -> dict[int, Outcome]:
    """Count lines, and the branches of the core that the tests of saving and resuming take."""
    if 15 not in options.only:
        return {}
    product = _lines(CODE / 'tagrun' / '__main__.py')
    for room in PRODUCT:
        product += sum(map(_lines, (CODE / 'tagrun' / room).rglob('*.py')))
    ratio = sum(map(_lines, TESTS.rglob('*.py'))) / product
    percent = core_coverage.measure(folder)
    return {15: Outcome(f'{ratio:.2f} : 1; {percent:.1f} %', percent >= 95)}


def _lines(path: Path) -> int:
    return sum(bool(line.strip()) for line in path.read_text().splitlines())


def _runs(folder: Path, settings: dict[str, str]) -> Any:
    from campaign import Runs
    from project_factory import make_data, make_project

    data = folder.parent / '__data__'
    if not data.exists():
        make_data(folder.parent)
    return Runs(make_project(folder / "a 'b; c", data, matrices=True, **settings))


def _count(bad: list[str]) -> str:
    return f'{len(bad)}{_examples(bad)}'


def _examples(bad: list[str]) -> str:
    if not bad:
        return ''
    rest = '; …' if len(bad) > 3 else ''
    return f' ({"; ".join(bad[:3])}{rest})'


MEASUREMENTS: tuple[Callable[[Path, Options], dict[int, Outcome]], ...] = (
    kill,
    calls,
    power,
    damage,
    again,
    saving,
    stop,
    of_test_files,
    tests,
)
