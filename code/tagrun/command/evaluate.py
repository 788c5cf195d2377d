"""Measure trained runs again, on any phase or data set.

Each run is measured with its own code. The checkpoint is the best one, else the last; <run>:last,
<run>:3 and <run>:epoch_3 name others. No weights change. The result goes to evaluation/<n>/ in the
run's folder, never into its metrics. `rerun -f <run>/evaluation/<n>` makes one again, `table
--evaluations` has a row for each. --phase train measures the training set without training.

Exit codes: 0 all are done, 1 one was refused or failed, 2 usage, 75 stopped by a signal, 130
Ctrl-C.
"""

import argparse
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tagrun.core.cli import aligned, selectors
from tagrun.core.cli.messages import UserError, echo, plural, printable, put, styled
from tagrun.core.cli.parser import Parser, argument_parser
from tagrun.core.environment import check
from tagrun.core.git.repository import Repository
from tagrun.core.launch import detach, engines, evaluation, launch
from tagrun.core.launch.engines import LaunchOptions
from tagrun.core.launch.evaluation import Request
from tagrun.core.project import ROOT
from tagrun.store import evaluations, jsonfile, statistic
from tagrun.store.run_ref import RunRef

GROUP = 'Run', 5
EXAMPLES = (
    'tagrun evaluate first                        its runs, on all phases but train',
    'tagrun evaluate first/0:last --phase test    its last checkpoint, on one phase',
    'tagrun evaluate @paper --phase test,val      the runs of a list, on two',
    'tagrun evaluate first --set val_fraction=0.5  another value of config.py, here alone',
    'tagrun evaluate first/0/evaluation/2         one that was stopped or killed: again',
)
# why the others are not begun
STOPPED = (launch.RESUMABLE, launch.CTRL_C)

Target = tuple[RunRef, Request]


def main(argv: list[str]) -> int:
    """Run the command; return its exit code."""
    parser = build_parser()
    args = parser.parse_args(argv)
    words, settings = _words_and_settings(parser, args)
    phases = _phases(parser, args.phase)
    check.require()
    repository = Repository.at(ROOT)
    options = engines.read_options(args)
    engines.check(repository, options)
    prepared, words = _prepared(parser, words, bool(phases or settings))
    targets = _targets(words, phases, settings)
    if args.dry_run:
        return _show_plans(repository, targets, prepared)
    if options.engine:
        return _submit(repository, targets, prepared, options)
    if options.detach and not _in_background(len(targets) + len(prepared)):
        return 0
    return _evaluate_all(repository, targets, prepared, args.json)


def build_parser() -> Parser:
    """Return the parser of the command line."""
    parser = argument_parser('evaluate', __doc__, EXAMPLES)
    add = parser.add_argument
    add(
        'run', nargs='*', help='<tag> (all its runs), <tag>/<id>, @<set> or @last; :best, :last, :3'
    )
    help_phase = 'what to measure: loaders of dataloader.py, e.g. test,val; else all but train'
    add('--phase', metavar='NAME[,NAME]', action='append', default=[], help=help_phase)
    help_set = "another value for an argument of the run's config.py, in this evaluation alone"
    add('--set', metavar='K=V', action='append', default=[], nargs='+', help=help_set)
    add('-n', '--dry-run', action='store_true', help='say what would be done, and do nothing')
    add('--json', action='store_true', help='the results as JSON, with all digits')
    engines.add_options(parser, training=False)
    return parser


def _words_and_settings(
    parser: Parser, args: argparse.Namespace
) -> tuple[list[str], dict[str, str]]:
    """Return the words that name runs, and --set's {name: text}.

    In `evaluate --set lr=0.1 t1` argparse takes the run for one more value.
    """
    words, settings = list(args.run), {}
    for given in args.set:
        for word in given:
            name, equals, text = word.partition('=')
            if equals:
                settings[name] = text
            elif args.run:
                parser.error(f'--set takes name=value, not {word!r}')
            else:
                words.append(word)
    if not words:
        parser.error('a run is missing: evaluate first/0')
    for word in words:
        if '=' in word and not word.startswith(('@', '/', '.')):
            parser.error(f'{word!r} is not a run: --set {word} sets a value')
    return words, settings


def _phases(parser: Parser, values: Sequence[str]) -> tuple[str, ...]:
    """Return the phases of --phase test,val, each once."""
    names = [name.strip() for name in ','.join(values).split(',')] if values else []
    if not all(names):
        parser.error('--phase takes names, e.g. --phase test,val')
    return tuple(dict.fromkeys(names))


def _prepared(parser: Parser, words: Sequence[str], asks: bool) -> tuple[list[Path], list[str]]:
    """Return the folders of the evaluations among the words, and the other words.

    asks: whether --phase or --set was given, which a prepared evaluation has already.
    """
    folders, others = [], []
    for word in words:
        ref = selectors.evaluation(ROOT, word)
        if ref is None:
            others.append(word)
            continue
        if asks:
            parser.error(f'{word} has its phases and values: leave out --phase and --set')
        folders.append(ref.folder(ROOT))
    return folders, others


def _targets(
    words: Sequence[str], phases: tuple[str, ...], settings: dict[str, str]
) -> list[Target]:
    """Return what to evaluate, each once."""
    targets: dict[tuple[RunRef, str], Target] = {}
    for word in words:
        name, which = selectors.with_checkpoint(word)
        for run in selectors.several(ROOT, [name]):
            targets[run, which] = run, Request(which, phases, settings)
    return list(targets.values())


def _show_plans(repository: Repository, targets: Sequence[Target], prepared: Sequence[Path]) -> int:
    """Say what would be done."""
    code = 0
    for run, request in targets:
        try:
            echo(str(evaluation.make_plan(repository, run, request)))
        except UserError as refusal:
            code = _refuse(refusal)
    for folder in prepared:
        echo(f'{evaluations.of_folder(folder)} again')
    echo('nothing was done: --dry-run')
    return code


def _refuse(refusal: UserError) -> int:
    """Say that one cannot be evaluated, which does not stop the others; return the exit code."""
    echo(styled('tagrun:', 'bold'), f' {refusal}')
    return refusal.code


def _in_background(count: int) -> bool:
    """Go on in the background; return False in the process that was called."""
    echo(f'{plural(count, "evaluation")} in the background:  tagrun expls --evaluations')
    return detach.in_background()


def _submit(
    repository: Repository,
    targets: Sequence[Target],
    prepared: Sequence[Path],
    options: LaunchOptions,
) -> int:
    """Prepare all and give them to an engine; return the first exit code that is not 0."""
    assert options.engine
    code, folders = 0, list(prepared)
    for run, request in targets:
        try:
            folders.append(evaluation.create(repository, run, request))
        except UserError as refusal:
            code = _refuse(refusal)
    if not folders:
        return code
    return engines.load(options.engine).submit(repository, folders, options) or code


# --- here ----------------------------------------------------------------------------------------


def _evaluate_all(
    repository: Repository, targets: Sequence[Target], prepared: Sequence[Path], as_json: bool
) -> int:
    """Evaluate one after the other; return the exit code. One that fails does not stop the rest."""
    folders: list[Path] = []
    codes: list[int] = []
    is_stopped = False
    for folder in _folders(repository, targets, prepared, codes):
        folders.append(folder)
        codes.append(_evaluate(repository, folder))
        if not codes[-1] and not as_json:
            put(printable(_line(evaluation.result_parts(folder))))
        # one that was killed, e.g. for lack of memory, does not stop the others
        is_stopped = codes[-1] in STOPPED and evaluation.state(folder) == statistic.INTERRUPTED
        if is_stopped:
            break
    if as_json:
        put(jsonfile.dumps([_plain(folder) for folder in folders]), end='')
    return codes[-1] if is_stopped or len(codes) == 1 else int(any(codes))


def _folders(
    repository: Repository, targets: Sequence[Target], prepared: Sequence[Path], codes: list[int]
) -> Iterator[Path]:
    """Yield the folder of each, prepared when its turn has come. codes: gets those of refusals."""
    yield from prepared
    for run, request in targets:
        try:
            yield evaluation.create(repository, run, request)
        except UserError as refusal:
            codes.append(_refuse(refusal))


def _evaluate(repository: Repository, folder: Path) -> int:
    try:
        return evaluation.evaluate_here(repository, folder)
    except UserError as refusal:
        return _refuse(refusal)


def _line(parts: Sequence[str]) -> str:
    """Return the parts in a line; on a terminal that is too narrow, in several."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    lines = [parts[0]]
    for part in parts[1:]:
        if width and aligned.cells(f'{lines[-1]}  {part}') > width:
            lines.append('  ')
        lines[-1] += f'  {part}'
    return '\n'.join(lines)


def _plain(folder: Path) -> dict[str, Any]:
    """Return an evaluation as --json has it."""
    content = statistic.read_or_none(folder) or {}
    keys = ('run', 'evaluation', 'checkpoint', 'phases', 'set', 'metric', 'digest', 'message')
    result = {key: content.get(key) for key in keys}
    return {**result, 'status': evaluation.state(folder), 'folder': str(folder)}
