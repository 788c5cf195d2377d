"""Go on with an interrupted run, exactly where it stood, with its own code.

The run itself goes on, from its newest whole checkpoint; with --from an earlier one, a new run does, and nothing is overwritten.
The seed and every random state come from the checkpoint. Exit codes as those of `run`.
"""
import os
import re
import shutil
import zipfile
from pathlib import Path

from tagrun.command import choose, launch, prepare, recorded, setup, snapshot
from tagrun.command.git import Repository
from tagrun.command.say import Refusal, parser, say
from tagrun.store import checkpoints, layout, lock, names, pruning, run_json, statistic, trace

EXAMPLES = ('continue first                       its latest run, from the newest checkpoint',
            'continue first/2 --from 3            a new run, from the end of epoch 3 of first/2',
            'continue first --from best           … from its best epoch',
            'continue first --from ~/epoch_9.pth  … from a file')
ROOT = Path(__file__).resolve().parents[3]


def main(argv):
    options = parser('continue', __doc__, EXAMPLES)
    options.add_argument('run', help='<tag> (its latest run), <tag>/<id>, or @last')
    options.add_argument('--from', dest='start', metavar='EPOCH|best|PATH', help='begin a new run from this checkpoint')
    options.add_argument('-f', '--fixed', action='store_true', help='accepted, and changes nothing: the seed is the recorded one')
    launch.add_options(options)
    options = options.parse_args(argv)
    setup.require()
    repository = Repository.at(ROOT)
    launch.check(repository, options)
    tag, number = _chosen(repository, options.run)
    folder = layout.run_folder(ROOT, tag, number)
    info = recorded.run(repository, folder)
    if info.get('fetched_from'):
        raise Refusal(f'{tag}/{number} was fetched from {info["fetched_from"]}, and its checkpoints did not come along: `rerun {tag}/{number} -f` makes it again')
    if options.start:
        options.nproc = options.nproc or launch.processes(folder)
        folder = _from(repository, folder, info, options.start)
    elif not _resume(repository, folder, info):
        return 0
    return launch.begin(repository, folder, options)


def _chosen(repository, word):
    """(tag, id) of the run to go on with. Raises Refusal, with what git has of it where its files are gone."""
    try:
        return choose.run(ROOT, word)
    except Refusal as refusal:
        name = word if '/' in word else f'{word}/0'
        if names.split_run(name) and repository.resolve(f'refs/tagrun/code/{name}'):
            raise Refusal(f'the files of {word} are not here any more; git has its code, and `rerun {word}` runs it again; '
                          f'what came out, if it got so far: git show refs/tagrun/result/{name}:statistic.json') from None
        raise refusal


def _resume(repository, folder, info):
    """Make the run's own folder ready to go on; False if there is nothing left to do."""
    name, owner = run_json.name(info), lock.owner(folder)
    if owner is not None:
        raise Refusal(f'{name} is being trained: process {owner.get("pid")} on {owner.get("host")} since {owner.get("since")}')
    if _is_finished(folder):
        say(f'{name} is finished: `rerun {name}` runs it again, `continue {name} --from best` goes on from a checkpoint')
        return False
    pruning.forget(folder)
    files = snapshot.read(repository, info['commit'])
    prepare.tell_mended(snapshot.write(files, folder))
    if strangers := snapshot.differences(files, folder)[1]:
        say(f'tagrun: the frozen code holds what its commit does not ({", ".join(strangers[:5])}): if Python imports it, the run is not what was recorded')
    newest = checkpoints.newest(folder)
    if not newest:
        say(f'{name} has no checkpoint yet: it begins anew, with its own seed')
    run_json.write(folder, {**info, 'resume': newest})
    return True


def _is_finished(folder):
    try:
        return statistic.state(folder) == statistic.FINISHED
    except (OSError, ValueError) as error:
        say(f'tagrun: {statistic.NAME} cannot be read ({error}); training writes it again')
        return False


def _from(repository, source, info, start):
    """A new run that begins with one of `source`'s checkpoints, or with a file; its folder."""
    path = _checkpoint(source, start)
    name = path.name if path.parent == source / checkpoints.FOLDER else 'epoch_start.pth'
    folder = prepare.new_run(repository, info['tag'], info['commit'], info['seed'], continued_from=run_json.name(info), resume=name)
    (folder / checkpoints.FOLDER).mkdir()
    _link_or_copy(path, folder / checkpoints.FOLDER / name)
    beside = path.with_name(checkpoints.shards(path.name))
    if beside.is_dir():
        shutil.copytree(beside, folder / checkpoints.FOLDER / checkpoints.shards(name), copy_function=_link_or_copy)
    checkpoints.write_sums(folder, {name: checkpoints.digest(path)})
    if (source / trace.NAME).exists():      # cut back by training to what the checkpoint knew of them
        shutil.copy(source / trace.NAME, folder / trace.NAME)
    if (source / 'tensorboard').is_dir():
        shutil.copytree(source / 'tensorboard', folder / 'tensorboard')
    say(f'{info["tag"]}/{folder.name}: goes on from {name} of {run_json.name(info)}')
    return folder


def _checkpoint(source, start):
    """The file that --from means: an epoch's number, best, or a path. Raises Refusal."""
    listed = checkpoints.listed(source)
    if start == 'best':
        name = checkpoints.best(source)
    elif re.fullmatch('[0-9]{1,9}', start):
        name = f'epoch_{int(start)}.pth'
    else:
        return _file(start)
    if name not in listed:
        raise Refusal(f'there is no checkpoint of {"the best epoch" if start == "best" else f"epoch {start}"}; there is {", ".join(listed) or "none"}')
    return source / checkpoints.FOLDER / name


def _file(start):
    """The checkpoint at a path. Raises Refusal for what torch.save did not write, before a run is spent on it."""
    path = Path(os.path.realpath(os.path.expanduser(start)))
    if not os.path.isfile(path):
        raise Refusal(f'--from {start}: an epoch\'s number, best, or a checkpoint\'s path')
    try:
        if zipfile.is_zipfile(path):
            return path
    except OSError as error:
        raise Refusal(f'--from {start}: {error.strerror}') from None
    raise Refusal(f'--from {start}: no checkpoint: torch.save writes a zip archive, and this is none')


def _link_or_copy(path, target):
    try:
        os.link(path, target)
    except OSError:     # another file system
        shutil.copy(path, target)
