"""Run a tag's code again, under its next id: with a fresh seed, or with -f exactly as it was, and say whether it is the same.

With -f the verdict comes as it goes: the same bit for bit, or the first step and stream (data order, batch, loss, weights) that
differ, and what differs in the surroundings. Exit code 3 if it differs, else as those of `run`.
"""
from pathlib import Path

from tagrun.command import choose, launch, prepare, recorded, setup
from tagrun.command.git import Repository
from tagrun.command.say import Refusal, did_you_mean, parser, say
from tagrun.store import history, layout, names, run_json, trace

EXAMPLES = ("rerun first              the tag's code with a fresh seed",
            'rerun first/2            the code of its run 2, with a fresh seed',
            'rerun first -f           the tag\'s code with its own seed: is it the same?',
            'rerun first --seeds 4    four more runs, each with a seed of its own')
ROOT = Path(__file__).resolve().parents[3]


def main(argv):
    options = parser('rerun', __doc__, EXAMPLES)
    options.add_argument('run', help='<tag>, <tag>/<id>, or @last')
    options.add_argument('-f', '--fixed', action='store_true', help='with the recorded seed, and compare with that run')
    options.add_argument('--seeds', metavar='COUNT', type=int, default=1, help='so many runs, each with a seed of its own')
    launch.add_options(options)
    found = options.parse_args(argv)
    if found.seeds < 1 or found.fixed and found.seeds > 1:
        options.error('--seeds takes a number of 1 or more, and not with -f')
    setup.require()
    repository = Repository.at(ROOT)
    launch.check(repository, found)
    tag, commit, original = _original(repository, found.run)
    if original is not None:
        found.nproc = found.nproc or launch.processes(layout.run_folder(ROOT, tag, original))
    if found.fixed:
        folder = _exact(repository, tag, commit, original)
    else:
        folder = prepare.another_seed(repository, tag, commit)
        say(f'{tag}/{folder.name}: the code of {found.run} with seed {run_json.read(folder)["seed"]}')
    return launch.begin(repository, folder, found, found.seeds)


def _original(repository, word):
    """(tag, commit, id or None) of what is to be run again. What git has will do, without the files of a run."""
    found = word != '@last' and _in_git_alone(repository, word)
    if found:
        return found
    tag, number = choose.parts(ROOT, word)
    if number is None:
        return tag, *_of_tag(repository, tag)
    choose.run(ROOT, f'{tag}/{number}')
    return tag, recorded.read(layout.run_folder(ROOT, tag, number))['commit'], number


def _in_git_alone(repository, word):
    """(tag, commit, None) of a tag or run that git knows, and that has no files here; else None."""
    tag, number = names.split_run(word) or (None, None)
    here = layout.numbers(ROOT, tag) if tag else []
    if not tag or number in here or number is None and here:
        return None
    commit = repository.resolve(f'refs/tags/{tag}' if number is None else f'refs/tagrun/code/{tag}/{number}')
    return (tag, commit, None) if commit else None


def _of_tag(repository, tag):
    """(commit, id of the first run of it) of a tag that has runs here. Raises Refusal where git does not know the tag."""
    commit = repository.resolve(f'refs/tags/{tag}')
    if not commit:
        recorded.read(layout.run_folder(ROOT, tag, layout.numbers(ROOT, tag)[-1]))      # of an imported run it says why not
        raise Refusal(f'git has no tag {tag!r}: `rerun {tag}/{layout.numbers(ROOT, tag)[-1]}` takes a run\'s own code.'
                      f'{did_you_mean(tag, [row[0] for row in repository.refs("refs/tags", ("refname:strip=2",))])}')
    first = _run_of(tag, commit)
    if first is None:
        say(f'tagrun: the tag {tag!r} names commit {commit[:10]} now, which no run of it here ran: this runs that; `rerun {tag}/0` a run\'s own code')
    return commit, first


def _run_of(tag, commit):
    """The first run of a commit under a tag, or None: the one that a rerun of the tag repeats."""
    for number in layout.numbers(ROOT, tag):
        try:
            if run_json.read(layout.run_folder(ROOT, tag, number))['commit'] == commit:
                return number
        except (OSError, ValueError):
            continue
    return None


def _exact(repository, tag, commit, original):
    """A new run of the same commit, to be compared with the original's files if they are here."""
    seed = prepare.read_seed(repository.file(commit, 'code/seed'))
    there = original is not None and any((layout.run_folder(ROOT, tag, original) / name).exists() for name in (trace.NAME, trace.EPOCHS, history.NAME))
    more = {'rerun_of': f'{tag}/{original}', 'exact': True} if there else {}
    folder = prepare.new_run(repository, tag, commit, seed, **more)
    say(f'{tag}/{folder.name}: {"again " + more["rerun_of"] if there else "the tag"}, with its seed {seed}')
    if not there:
        say(f'tagrun: there is no trace or history of a run of {tag} here to compare with; it is run all the same')
    return folder
