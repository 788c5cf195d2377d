"""Record the code and train it under a tag.

Uncommitted changes (everything `git add -A` would add) are recorded with the run and listed. Your
branch, index and files are not touched. A run that fails before its first training step leaves no
tag: the name is free again.

Exit codes: 0 finished, 1 refused or failed, 2 usage, 75 stopped by a signal and resumable, 130
Ctrl-C, 137 killed by kill -9 and resumable.
"""

import argparse
import re
from collections.abc import Iterable
from typing import Any

from tagrun.core.cli.messages import echo
from tagrun.core.cli.parser import Parser, argument_parser
from tagrun.core.environment import check
from tagrun.core.git.repository import Repository
from tagrun.core.launch import early_failure, engines, launch
from tagrun.core.launch.early_failure import Made
from tagrun.core.launch.engines import LaunchOptions
from tagrun.core.project import CODE, ROOT
from tagrun.core.record import (
    claim,
    code_check,
    config_text,
    frozen_copy,
    input_files,
    plan,
    snapshot,
    trained_arguments,
    working_tree,
)
from tagrun.core.record.plan import Plan, RunRequest
from tagrun.store import layout, run_json

GROUP = 'Run', 1
EXAMPLES = (
    "run first                            a fresh seed, drawn and recorded",
    "run -f -m 'the baseline' base        the seed in code/seed; why, for the tag's message",
    "run wide --set hidden=400            another value than in config.py, in the record alone",
    "run five --seeds 5                   five runs, five/0 to five/4",
    "run --fast --set lr=0.5              a few batches of each phase: does it train and resume?",
    "run long --from first --set epochs=100     on from first's last checkpoint, with today's code",
    "run fine --weights-from first:best   its weights alone: fresh optimizer, epoch 0",
)
FAST_BATCHES = 3


def main(argv: list[str]) -> int:
    """Run the command; return its exit code."""
    parser = build_parser()
    args, rest = parser.parse_known_args(argv)
    _refuse_rest(parser, args.tag, rest)
    request = _request(parser, args)
    check.require()
    repository = Repository.at(ROOT)
    options = engines.read_options(args)
    engines.check(repository, options)
    if not args.fast:
        early_failure.finish_pending(repository)
        plan.check_name(repository, request.tag)
    taken = input_files.chosen(ROOT, args.start, args.weights, args.strict, not args.dry_run)
    request = request._replace(inputs=taken)
    planned = plan.make_plan(repository, request, for_record=not args.fast)
    trained_arguments.check(repository, planned)
    if args.dry_run:
        report = plan.report_arguments if args.fast else plan.report
        report(planned)
        echo('nothing was done: --dry-run')
        return 0
    if args.fast:
        return _fast(repository, planned, options)
    return _record_and_train(repository, planned, options, args.seeds, ['run', *argv])


def build_parser() -> Parser:
    """Return the parser of the command line."""
    parser = argument_parser('run', __doc__, EXAMPLES)
    add = parser.add_argument
    add('tag', nargs='?', help='the name of the tag to make')
    help_fixed = 'keep the seed in code/seed; else a fresh one is drawn'
    add('-f', '--fixed', action='store_true', help=help_fixed)
    add('-m', '--message', metavar='WHY', default='', help="why, for the tag's message")
    help_set = 'another value for an argument of config.py'
    add('--set', metavar='K=V', action='append', default=[], nargs='+', help=help_set)
    help_seeds = 'train so many runs, each with a seed of its own'
    add('--seeds', metavar='COUNT', type=int, default=1, help=help_seeds)
    help_clean = 'refuse if anything is uncommitted (git config tagrun.requireClean true)'
    add('--clean', action='store_true', help=help_clean)
    help_dry_run = 'say what would be recorded, and do nothing'
    add('-n', '--dry-run', action='store_true', help=help_dry_run)
    help_fast = 'train a few batches of each phase, untagged, and load what was saved'
    add('--fast', action='store_true', help=help_fast)
    _add_input_options(parser)
    engines.add_options(parser)
    return parser


def _add_input_options(parser: Parser) -> None:
    add = parser.add_argument_group('from another run').add_argument
    help_from = "go on from a run's checkpoint, its last if you name none, with its seed"
    add('--from', dest='start', metavar='RUN[:CHECKPOINT]', help=help_from)
    help_weights = "begin with its networks' weights, of its best if you name none, or a file's"
    add('--weights-from', dest='weights', metavar='RUN[:CHECKPOINT]|FILE', help=help_weights)
    help_strict = 'with --weights-from: print what does not fit, and take the rest'
    add('--no-strict', dest='strict', action='store_false', help=help_strict)


def _refuse_rest(parser: Parser, tag: str | None, words: list[str]) -> None:
    """End with a usage error, and what to type instead, if words are left over."""
    if not words:
        return
    settings = [word for word in words if re.fullmatch('[A-Za-z_][A-Za-z0-9_]*=.*', word, re.S)]
    if words[0].partition('=')[0] == '--seed':
        parser.error(
            'the seed is the file code/seed: `echo 5 > code/seed`, then `run -f` keeps it; '
            'a run without -f draws a fresh one'
        )
    if settings:
        parser.error(
            f'a value of config.py follows --set: run {tag or "<tag>"} --set {" ".join(settings)}'
        )
    name = words[0].partition('=')[0].removeprefix('--').replace('-', '_')
    if words[0].startswith('--') and name in _arguments():
        parser.error(f'a value of config.py follows --set: run <tag> --set {name}=…')
    parser.refuse_rest(words)


def _arguments() -> Iterable[str]:
    """Return the names in config.py, as far as it can be read."""
    try:
        source = (CODE / 'config.py').read_text('utf-8', 'replace')
    except OSError:
        return ()
    return config_text.read(source)


def _request(parser: Parser, args: argparse.Namespace) -> RunRequest:
    """Return what is to be recorded. Ends with a usage error for what does not go together."""
    tag, settings = _tag_and_settings(parser, args.tag, args.set)
    if not tag and not args.fast:
        parser.error('a tag is missing: run first')
    if args.fast:
        _check_fast(parser, args, tag)
    if args.start and args.weights:
        parser.error('--from takes everything, --weights-from the weights alone: one of the two')
    if not args.strict and not args.weights:
        parser.error('--no-strict belongs to --weights-from')
    if args.seeds < 1 or (args.fixed and args.seeds > 1):
        parser.error(
            '--seeds takes a number of 1 or more, and not with -f: each run has a seed of its own'
        )
    return RunRequest(tag, settings, args.message, args.fixed, args.clean)


def _check_fast(parser: Parser, args: argparse.Namespace, tag: str) -> None:
    """End with a usage error for an option that a quick trial would ignore."""
    given = {
        'a tag': tag,
        '-m': args.message,
        '--seeds': args.seeds > 1,
        '--on': args.on,
        # its epochs would be done already
        '--from': args.start,
    }
    ignored = [name for name, value in given.items() if value]
    if ignored:
        parser.error(
            f'--fast trains one trial here and records nothing: leave out {", ".join(ignored)}'
        )


def _tag_and_settings(
    parser: Parser, tag: str | None, values: Iterable[list[str]]
) -> tuple[str, dict[str, str]]:
    """Return the tag and --set's {name: text}.

    In `run --set lr=0.1 t1` argparse takes the tag for one more value.
    """
    settings = {}
    for words in values:
        for word in words:
            name, equals, text = word.partition('=')
            if equals:
                settings[name] = text
            elif tag:
                parser.error(f'--set takes name=value, not {word!r}')
            else:
                tag = word
    return tag or '', settings


def _record_and_train(
    repository: Repository, planned: Plan, options: LaunchOptions, count: int, words: list[str]
) -> int:
    """Make the tag with its first run, then train that and the others, one after the other.

    words: the command as it was typed.
    """
    seed = claim.fresh_seed() if planned.seed is None else planned.seed
    message = plan.message(planned, seed)
    commit = plan.side_commit(repository, planned, seed, message)
    tag = planned.request.tag
    more = _settings(planned)
    refs: dict[str, str] = {}
    folder = claim.create_run(repository, tag, commit, seed, more, message, refs)
    plan.report(planned, seed)
    return launch.start_run(repository, folder, options, count, Made(refs, words))


def _fast(repository: Repository, planned: Plan, options: LaunchOptions) -> int:
    """Train a scratch run of the files as they stand: two epochs of three batches a phase.

    It has a frozen copy like any run, with the values of --set and the seed in code/seed.
    """
    plan.report_arguments(planned)
    files = working_tree.read_files(repository, planned.changes)
    files = [_with_settings(file, planned) for file in files]
    code_check.check(files)
    seed = claim.read_seed(plan.read_file(repository, claim.SEED_FILE))
    number, folder = layout.claim(repository.root, layout.SCRATCH)
    frozen_copy.write(files, folder)
    info = run_json.build(repository.root, layout.SCRATCH, number, None, seed, fast=FAST_BATCHES)
    input_files.mark(repository.root, planned.request.inputs, run_json.name(info))
    run_json.write(folder, info | _settings(planned))
    return launch.start_run(repository, folder, options)


def _settings(planned: Plan) -> dict[str, Any]:
    """Return what run.json has of the plan."""
    return run_json.settings({'set': planned.settings, 'inputs': dict(planned.request.inputs)})


def _with_settings(file: snapshot.File, planned: Plan) -> snapshot.File:
    """Return config.py with the values of --set; any other file as it is."""
    if file.path != 'config.py' or not planned.settings:
        return file
    return snapshot.File(file.path, '100644', planned.config.encode())
