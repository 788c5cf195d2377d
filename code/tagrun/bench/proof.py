"""The scoreboard: breaks runs in every way the campaign knows, counts what did not come back, and writes a table of it.

    tagrun proof                        # short, about ten minutes
    tagrun proof --full -o proof.md     # 1,000 kills and so on: more than an hour
    tagrun proof --only 1 5 --kills 300

Exit code 1 if a figure misses its target. Figures 1 to 9 are measured here, by tests/campaign.py and bench/saving.py; 10 to 13 are
counts that their own tests make; 15 is about the tests themselves. What was found on the way is listed in mended.csv.
"""
import argparse
import csv
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import where

CODE = Path(__file__).resolve().parents[2]
TESTS = CODE / 'tagrun' / 'tests'
sys.path[1:1] = [str(CODE), str(TESTS)]
MENDED = Path(__file__).with_name('mended.csv')
SHORT = {'kills': 30, 'stride': 25, 'cuts': 500, 'damages': 400, 'reruns': 5, 'signals': 4, 'rounds': 5}
FULL = {'kills': 1000, 'stride': 1, 'cuts': 5000, 'damages': 2000, 'reruns': 100, 'signals': 100, 'rounds': 9}
CORE = ('training/checkpoint.py', 'training/run.py', 'training/signals.py', 'training/trace.py', 'store/atomic.py', 'store/checkpoints.py',
        'store/lock.py', 'command/continue.py')
CORE_TESTS = ('core_corners', 'training_parts', 'saving', 'store_atomic', 'store_files', 'continue_and_rerun', 'hostile_values', 'faults', 'exact', 'run')
PRODUCT = ('store', 'command', 'training', 'extra')


class Figure(NamedTuple):
    """A line of the scoreboard; `others`: what is known of others, from what they publish or what was tried with them."""
    name: str
    target: str
    others: str
    tests: str = ''     # what pytest is given to measure it, where proof.py does not


FIGURES = {
    1: Figure('Random kills: reported epochs lost, files corrupt', '0, 0', 'torchft: 2,000 simulated failures; arXiv 2511.18323: 430 crash trials'),
    2: Figure('Runs bit-identical to the untouched one after kills', 'all', 'Composer: 6 resume points, no kills; Hugging Face #17032, #11323 open'),
    3: Figure('Killed at each file-system call of a run: not recovered', '0', 'SQLite does so; of the peers none is known to'),
    4: Figure('Power cuts of a model disk: reported epochs lost', '0', 'a plain write and rename lost 50 of 50 here'),
    5: Figure('Damaged checkpoints loaded; false alarms', '0, 0', 'torch.load alone: beside'),
    6: Figure('Reruns, and resumes from each place: not identical', '0', 'torchtitan: 40 + 8 batches; StatefulDataLoader: 3 places'),
    7: Figure('Trained again after a kill: at most', '1 epoch, and what one write lasts', 'CheckFreq: seconds; Check-N-Run: 30 minutes'),
    8: Figure('Saving each epoch, with digest and fsync: time added', '≤ 3.5 %', 'CheckFreq ≤ 3.5 %; torch.save: beside'),
    9: Figure('Signals: not stopped cleanly and resumably; 99th percentile', '0, < 25 s', 'Slurm kills after 30 s'),
    10: Figure('Races of eight processes: duplicates, deadlocks, stale locks', '0, 0, 0', 'DVC #8621, Optuna #5921', 'test_races.py'),
    11: Figure("Repository states: user's files, index or branch changed", '0', 'a killed `git commit` left 3 locks', 'test_repository_states.py'),
    12: Figure('Bad inputs: tracebacks shown, canaries touched', '0, 0', 'MLflow: 10 traversal CVEs and more; GitPython: 26 advisories', 'test_hostile_*.py'),
    13: Figure('Planted secrets found in any output', '0', 'wandb #817, inspect_ai #4302, Comet #474', 'test_hostile_secrets.py'),
    14: Figure('Hostile report in Chromium: scripts run, requests made', '0, 0', 'MLflow XSS 2024 and 2026', 'test_report_hostile.py'),
    15: Figure('Lines of tests to lines of the product; branches of the saving core covered', 'said; ≥ 95 %', 'SQLite 640 : 1, 100 %'),
}


def main(argv):
    options = _options(argv)
    results, began = {}, time.monotonic()
    with tempfile.TemporaryDirectory(prefix='tagrun-proof-') as folder:
        for job in (kill, calls, power, damage, again, saving, stop, others, tests):
            for number, (result, good) in job(Path(folder), options).items():
                results[number] = result, good
                print(f'{number:>2}  {"good" if good else "MISSED" if good is False else "-":<7} {FIGURES[number].name}: {result}', file=sys.stderr, flush=True)
    text = table(results, options, time.monotonic() - began)
    Path(options.output).write_text(text) if options.output else print(text)
    return any(good is False for _, good in results.values())


def _options(argv):
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument('--full', action='store_true', help='the counts of the scoreboard')
    options.add_argument('--only', type=int, nargs='+', default=list(FIGURES), choices=FIGURES, metavar='FIGURE', help='measure these alone')
    options.add_argument('--seed', type=int, default=1, help='of the random instants, places and bits')
    options.add_argument('-o', '--output', metavar='FILE', help='write the table there')
    for name, count in SHORT.items():
        options.add_argument(f'--{name}', type=int, help=f'{count}, with --full {FULL[name]}')
    found = options.parse_args(argv)
    for name, count in (FULL if found.full else SHORT).items():
        setattr(found, name, count if getattr(found, name) is None else getattr(found, name))
    return found


# --- the figures: each job gives {number: (result, whether it is good; None: not measured)} ---------------------------------------------------

def kill(folder, options):
    """Random kills, shared out among five kinds of model and loader."""
    if not {1, 2, 7} & set(options.only):
        return {}
    import campaign
    struck, finished, lost, bad, epoch = 0, 0, [], [], 0
    for kind, settings in campaign.KINDS.items():
        with _runs(folder / kind, {**campaign.BUSY, **settings}) as runs:
            tally = campaign.kills(runs, -(-options.kills // len(campaign.KINDS)), options.seed)
            epoch = runs.steps_of_an_epoch()
        struck, finished, lost, bad = struck + tally.tried, finished + tally.more[0], lost + tally.more[1], bad + tally.bad
    gone, other = [line for line in bad if 'another' not in line], [line for line in bad if 'another' in line]
    return {1: (f'{struck:,} kills: {_none(gone)}', not gone), 2: (f'{finished - len(other)}/{finished}{_told(other)}', not other),
            7: (f'{max(lost)} steps, median {sorted(lost)[len(lost) // 2]}; an epoch has {epoch}, saves were 0.12 s apart', max(lost) <= 2 * epoch)}


def calls(folder, options):
    if 3 not in options.only:
        return {}
    import campaign
    with _runs(folder / 'calls', campaign.SHORT) as runs:
        tally = campaign.every_call(runs, options.stride)
    return {3: (f'{tally.tried:,} of {tally.more:,} calls: {_none(tally.bad)}', not tally.bad)}


def power(folder, options):
    if 4 not in options.only:
        return {}
    import campaign
    with _runs(folder / 'power', campaign.BUSY) as runs:
        tally = campaign.power_cuts(runs, options.cuts, options.seed, resumed=max(20, options.cuts // 50))
    return {4: (f'{tally.tried:,} cuts within {tally.more} calls: {_none(tally.bad)}', not tally.bad)}


def damage(folder, options):
    if 5 not in options.only:
        return {}
    import campaign
    with _runs(folder / 'damage', campaign.BUSY) as runs:
        tally = campaign.damaged_checkpoints(runs.project.folder('t1/0'), options.damages, options.damages // 2, options.seed)
    return {5: (f'{tally.tried:,} damaged, {options.damages // 2:,} whole: {_none(tally.bad)} (torch.load alone took {tally.more["stock"]:,})', not tally.bad)}


def again(folder, options):
    if 6 not in options.only:
        return {}
    import campaign
    with _runs(folder / 'again', campaign.SHORT) as runs:
        first, second = campaign.reruns(runs, options.reruns), campaign.resumes(runs, options.reruns)
    bad = first.bad + second.bad
    return {6: (f'{first.tried} reruns, {second.tried} resumes, {second.more} of them within an epoch: {_none(bad)}', not bad)}


def saving(folder, options):
    if 8 not in options.only:
        return {}
    import saving as cost
    seconds = cost.measure(options.rounds)
    epoch = statistics.median(seconds['no save'])
    tagruns, plain = (100 * cost.added(seconds, way) / epoch for way in ('Tagrun', 'torch.save'))
    return {8: (f'{tagruns:+.1f} % of {epoch:.2f} s, for 12 MB (torch.save, neither synced nor digested: {plain:+.1f} %)', tagruns <= 3.5)}


def stop(folder, options):
    if 9 not in options.only:
        return {}
    import campaign
    bad, late = [], []
    with _runs(folder / 'stop', campaign.BUSY) as runs:
        for kind in campaign.SIGNALS:
            tally = campaign.signals(runs, kind, options.signals, options.seed)
            bad, late = bad + tally.bad, late + tally.more
    worst = sorted(late)[int(0.99 * (len(late) - 1))]
    return {9: (f'{len(late)} stops, {len(campaign.SIGNALS)} kinds: {_none(bad)}; {worst:.1f} s', not bad and worst < 25)}


def others(folder, options):
    """The figures that a test file of their own measures: it passes, with so many cases."""
    found = {}
    for number, figure in FIGURES.items():
        if figure.tests and number in options.only:
            found[number] = _pytest([name for word in figure.tests.split() for name in sorted(path.name for path in TESTS.glob(word)) or [word]], options.full)
    return found


def _pytest(words, full):
    done = subprocess.run([sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', *words, *['--slow'] * full], cwd=TESTS, capture_output=True, text=True)
    line = done.stdout.strip().rpartition('\n')[2]
    passed, failed, errors, skipped = (int(found[1]) if (found := re.search(rf'(\d+) {word}', line)) else 0 for word in ('passed', 'failed', 'error', 'skipped'))
    bad = re.findall(r'^(?:FAILED|ERROR) \S*::(\S+)', done.stdout, re.MULTILINE)
    told = f'{passed + failed + errors:,} tests: {_none(bad)}{f"; {skipped} skipped" if skipped else ""}'
    return told, done.returncode == 0 if passed > skipped else None     # without Chromium there is no figure 14


def tests(folder, options):
    """Lines that say something, and the branches of CORE that the tests of saving and resuming take."""
    if 15 not in options.only:
        return {}
    product = sum(_lines(path) for room in PRODUCT for path in (CODE / 'tagrun' / room).glob('*.py')) + _lines(CODE / 'tagrun' / '__main__.py')
    share = _covered(folder)
    return {15: (f'{sum(map(_lines, TESTS.glob("*.py"))) / product:.2f} : 1; {share:.1f} %', share >= 95)}


def _lines(path):
    return sum(bool(line.strip()) for line in path.read_text().splitlines())


def _covered(folder):
    """Percent of the lines and branches of CORE, in the copies that the tests train from too; what is missed is told.

    A process that is killed tells nothing: what it did counts only where another one did it too.
    """
    settings, measured = folder / 'coverage.rc', [sys.executable, '-m', 'coverage']
    settings.write_text(f'[run]\nbranch = True\nparallel = True\npatch = subprocess, fork, _exit\nsigterm = True\ndata_file = {folder}/covered\n'
                        f'include = {",".join(f"*/code/tagrun/{name}" for name in CORE)}\n[paths]\nproduct =\n    {CODE}/tagrun\n    */code/tagrun\n')
    files = [TESTS / f'test_{name}.py' for name in CORE_TESTS]
    done = subprocess.run([*measured, 'run', f'--rcfile={settings}', '-m', 'pytest', '-q', '-n', '2', '-p', 'no:cacheprovider', *files], cwd=folder,
                          capture_output=True, text=True, env={**os.environ, 'OMP_NUM_THREADS': '1'})
    print(f'    {done.stdout.strip().rpartition(chr(10))[2]}', file=sys.stderr)
    subprocess.run([*measured, 'combine', f'--rcfile={settings}', '-q'], cwd=folder, check=True, capture_output=True)
    subprocess.run([*measured, 'json', f'--rcfile={settings}', '-q', '-o', 'covered.json'], cwd=folder, check=True, capture_output=True)
    found = json.loads((folder / 'covered.json').read_text())['files']
    for name, entry in found.items():
        print(f'    {name}: missed lines {entry["missing_lines"]}, branches {entry["missing_branches"]}', file=sys.stderr)
    found = [entry['summary'] for entry in found.values()]
    covered = sum(entry['covered_lines'] + entry['covered_branches'] for entry in found)
    return 100 * covered / sum(entry['num_statements'] + entry['num_branches'] for entry in found)


def _runs(folder, settings):
    from campaign import Runs
    from conftest import make_data
    data = folder.parent / '__data__'
    return Runs(folder, data if data.exists() else make_data(folder.parent), **settings)


def _none(bad):
    return f'{len(bad)}{_told(bad)}' if bad else '0'


def _told(bad):
    return f' ({"; ".join(bad[:3])}{"; …" if len(bad) > 3 else ""})' if bad else ''


# --- the table ---------------------------------------------------------------------------------------------------------------------------

def table(results, options, seconds):
    """The scoreboard in Markdown, with what it was measured on."""
    mended = [row['figure'] for row in csv.DictReader(MENDED.open(newline=''))]
    lines = [f'{"Full" if options.full else "Short"} campaign, seed {options.seed}: {where.line()}; {seconds / 60:.0f} minutes.', '',
             '| # | figure | target | result | found and mended | of others |', '|---|---|---|---|---|---|']
    for number, (result, good) in sorted(results.items()):
        figure = FIGURES[number]
        lines.append(f'| {number} | {figure.name} | {figure.target} | {"**missed:** " if good is False else ""}{result} | {mended.count(str(number)) or ""} | {figure.others} |')
    rest = sum(not re.fullmatch('[0-9]+', figure) for figure in mended)
    return '\n'.join([*lines, '', f'{rest} more were found by single faults (`code/tagrun/bench/mended.csv` has all {len(mended)}, each with its test).', ''])


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
