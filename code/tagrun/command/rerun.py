"""Run a tag's code again; with -f say whether it is the same.

Without -f it draws a fresh seed. It is the tag's next run, and takes the same inputs (of `run
--from`, `--weights-from`). With -f the verdict comes as it trains: the same bit for bit, or the
first step and stream (data order, batch, loss, weights) that differ, and what differs in the
surroundings. An evaluation is measured again, -f, with its own checkpoint and values, and compared.
A rerun that fails before its first training step is taken back. Exit code 3 if it differs, else as
those of `run`.
"""

from pathlib import Path
from typing import Any, NamedTuple

from tagrun.core.cli import selectors
from tagrun.core.cli.messages import UserError, did_you_mean, echo, printable, put
from tagrun.core.cli.parser import Parser, argument_parser
from tagrun.core.environment import check
from tagrun.core.git.repository import Repository
from tagrun.core.launch import (
    detach,
    early_failure,
    engines,
    evaluation,
    evaluation_verdict,
    launch,
)
from tagrun.core.launch.engines import LaunchOptions
from tagrun.core.project import ROOT
from tagrun.core.record import claim, input_files, provenance
from tagrun.store import evaluations, history, layout, run_json, run_ref, trace
from tagrun.store.evaluations import EvaluationRef
from tagrun.store.run_ref import TAGS, RunRef

GROUP = 'Run', 3
EXAMPLES = (
    "rerun first              the tag's code with a fresh seed",
    'rerun first/2            the code of its run 2, with a fresh seed',
    "rerun first -f           the tag's code with its own seed: is it the same?",
    'rerun first --seeds 4    four more runs, each with a seed of its own',
    'rerun first/0/evaluation/2 -f    an evaluation again: are its metrics the same?',
)
# what a rerun is compared with
COMPARED = (trace.NAME, trace.EPOCHS, history.NAME)


class Original(NamedTuple):
    """What is to be run again."""

    tag: str
    commit: str
    number: int | None  # of the run here that it repeats

    @property
    def folder(self) -> Path | None:
        """The folder of the run that it repeats."""
        return None if self.number is None else layout.run_folder(ROOT, self.tag, self.number)

    def settings(self, repository: Repository) -> dict[str, Any]:
        """Return the values that were asked for, and the inputs, for run.json.

        A run here says so; without one, of the inputs the tag's message.
        """
        info = run_json.read_or_none(self.folder) if self.folder else None
        if info is None:
            info = {'inputs': input_files.of_tag(repository, self.tag)}
        return run_json.settings(info)


def main(argv: list[str]) -> int:
    """Run the command; return its exit code."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.seeds < 1 or (args.fixed and args.seeds > 1):
        parser.error('--seeds takes a number of 1 or more, and not with -f')
    check.require()
    repository = Repository.at(ROOT)
    options = engines.read_options(args)
    engines.check(repository, options)
    evaluated = selectors.evaluation(ROOT, args.run)
    if evaluated:
        if not args.fixed or options.process_count:
            parser.error('an evaluation is made again as it was: with -f, and without --nproc')
        return _evaluate_again(repository, evaluated, options)
    original = _original(repository, args.run)
    if original.folder and not options.process_count:
        options = options._replace(process_count=launch.process_count(original.folder))
    settings = original.settings(repository)
    name = original.tag if original.number is None else f'{original.tag}/{original.number}'
    input_files.check(ROOT, settings.get('inputs'), name)
    create = _create_exact if args.fixed else _create_reseeded
    folder = create(repository, original, args.run, settings)
    made = early_failure.of_run(folder, ['rerun', *argv])
    return launch.start_run(repository, folder, options, args.seeds, made)


def build_parser() -> Parser:
    """Return the parser of the command line."""
    parser = argument_parser('rerun', __doc__, EXAMPLES)
    add = parser.add_argument
    add('run', help='<tag>, <tag>/<id>, or @last; <tag>/<id>/evaluation/<n>')
    help_fixed = 'with the recorded seed, and compare with that run'
    add('-f', '--fixed', action='store_true', help=help_fixed)
    help_seeds = 'so many runs, each with a seed of its own'
    add('--seeds', metavar='COUNT', type=int, default=1, help=help_seeds)
    engines.add_options(parser)
    return parser


def _evaluate_again(repository: Repository, ref: EvaluationRef, options: LaunchOptions) -> int:
    """Make an evaluation again; return the exit code."""
    folder = evaluation.create_again(repository, ref)
    echo(f'{evaluations.of_folder(folder)}: again {ref}')
    if options.engine:
        return engines.load(options.engine).submit(repository, [folder], options)
    if options.detach and not detach.in_background():
        return 0
    code = evaluation.evaluate_here(repository, folder)
    if code in (0, evaluation_verdict.DIFFERS):
        put(printable('  '.join(evaluation.result_parts(folder))))
    return code


def _original(repository: Repository, word: str) -> Original:
    """Return what a word means. What git has is enough, without the files of a run."""
    only_in_git = _in_git_alone(repository, word) if word != '@last' else None
    if only_in_git:
        return only_in_git
    tag, number = selectors.parts(ROOT, word)
    if number is None:
        return _of_tag(repository, tag)
    selectors.run(ROOT, f'{tag}/{number}')
    info = provenance.read(layout.run_folder(ROOT, tag, number))
    return Original(tag, info['commit'], number)


def _in_git_alone(repository: Repository, word: str) -> Original | None:
    """Return a tag or run that git knows and that has no files here; None for any other word."""
    tag, number = run_ref.split(word) or ('', None)
    if not tag:
        return None
    numbers = layout.numbers(ROOT, tag)
    if number in numbers or (number is None and numbers):
        return None
    ref = TAGS + tag if number is None else RunRef(tag, number).code_ref
    commit = repository.resolve(ref)
    return Original(tag, commit, None) if commit else None


def _of_tag(repository: Repository, tag: str) -> Original:
    """Return the code of a tag that has runs here. Raises UserError where git has no such tag."""
    commit = repository.resolve(TAGS + tag)
    if not commit:
        _refuse_unknown(repository, tag)
    number = _first_run_of(tag, commit)
    if number is None:
        echo(
            f'tagrun: tag {tag!r} now points to commit {commit[:10]}, which no local run used; '
            f'running that commit. Use `rerun {tag}/0` for the original'
        )
    return Original(tag, commit, number)


def _refuse_unknown(repository: Repository, tag: str) -> None:
    """Raise UserError for a tag that has runs here, and that git does not have."""
    last = RunRef(tag, layout.numbers(ROOT, tag)[-1])
    # of an imported run it says why not
    provenance.read(last.folder(ROOT))
    known = [row[0] for row in repository.refs(TAGS, ('refname:strip=2',))]
    raise UserError(
        f"git has no tag {tag!r}: `rerun {last}` takes a run's own code.{did_you_mean(tag, known)}"
    )


def _first_run_of(tag: str, commit: str) -> int | None:
    """Return the first run of a commit under a tag, which a rerun of the tag repeats, or None."""
    for number in layout.numbers(ROOT, tag):
        try:
            if run_json.read(layout.run_folder(ROOT, tag, number))['commit'] == commit:
                return number
        except (OSError, ValueError):
            continue
    return None


def _create_reseeded(
    repository: Repository, original: Original, word: str, settings: dict[str, Any]
) -> Path:
    """Create a run of the same code with a fresh seed; return its folder."""
    folder = claim.create_run_with_new_seed(repository, original.tag, original.commit, settings)
    seed = run_json.read(folder)['seed']
    echo(f'{RunRef.of_folder(folder)}: the code of {word} with seed {seed}')
    return folder


def _create_exact(
    repository: Repository, original: Original, _: str, settings: dict[str, Any]
) -> Path:
    """Create a run of the same commit, to be compared with the original if it is here."""
    tag, commit, number = original
    seed = claim.read_seed(repository.file(commit, claim.SEED_FILE))
    is_comparable = _has_any(original.folder, COMPARED)
    what, more = 'the tag', settings
    if is_comparable:
        more = more | {'rerun_of': f'{tag}/{number}', 'exact': True}
        what = f'again {tag}/{number}'
    folder = claim.create_run(repository, tag, commit, seed, more)
    echo(f'{RunRef.of_folder(folder)}: {what}, with its seed {seed}')
    if not is_comparable:
        echo(
            f'tagrun: there is no trace or history of a run of {tag} here to compare with; '
            'it is run all the same'
        )
    return folder


def _has_any(folder: Path | None, names: tuple[str, ...]) -> bool:
    return folder is not None and any((folder / name).exists() for name in names)
