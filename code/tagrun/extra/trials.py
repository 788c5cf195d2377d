"""The trials of a sweep: what each would run, which run is it already, and its recording as the tag's next run.

    code = variant(repository, commit); trial, = make(code, {'lr': '0.1'}, axes, [seed])
    known = recorded(repository, tag); number = known.get(trial.key)     # the id of the run that has this code, these values, this seed
    folder = record(repository, tag, commit, trial)

A trial is known by what its commit holds, so a sweep keeps no file of its state: git has the trials, their folders how far they are.
It trains nothing.
"""
import ast
import hashlib
import re
from pathlib import Path
from typing import NamedTuple

from tagrun.command import launch, literals, prepare, recorded as runs_recorded
from tagrun.command.git import Failed
from tagrun.command.say import Refusal, printable
from tagrun.store import layout, run_json, statistic

CONFIG, SEED = 'code/config.py', 'code/seed'
LARGEST = 1 << 20       # bytes of a patch


class Code(NamedTuple):
    """What a trial's values are put into: the tag's code, or a variant of it."""
    name: str           # '', 'fast.patch', 'branch:other'
    tree: str           # its id
    rest: tuple         # what code/ has besides config.py and seed
    config: str         # config.py's text


class Trial(NamedTuple):
    code: Code
    values: dict        # {name: the text of its value}
    seed: int
    config: str         # config.py's text with the values
    label: str          # 'fast.patch lr=0.1 model=cnn, seed 2', for the screen

    @property
    def key(self):
        return self.code.rest, self.config.encode(), f'{self.seed}\n'.encode()


def label(code, values, axes, number, count):
    """What sets a trial apart: its variant, the values of the axes that have more than one, and which of the seeds it has."""
    words = [code.name, *(f'{name}={shown(text)}' for name, text in values.items() if len(axes[name].texts) != 1)]
    return ' '.join(filter(None, words)) + (f', seed {number + 1}' if count > 1 else '')


def shown(text):
    """A value without the quotes of a bare word."""
    return text[1:-1] if re.fullmatch(r"'[\w./+-]+'", text) else text


def literal(config, name):
    """The value of an argument of config.py, None where it is no plain one."""
    try:
        return ast.literal_eval(literals.read(config)[name])
    except (KeyError, ValueError, SyntaxError):
        return None


def make(code, values, axes, seeds):
    """The Trials of some values, one for each seed. Raises Refusal where a variant's config.py lacks an argument."""
    config = literals.changed(code.config, values)
    return [Trial(code, values, seed, config, label(code, values, axes, number, len(seeds))) for number, seed in enumerate(seeds)]


def seeds(first, count):
    """`count` seeds: the sweep's own, and others that follow from it. The same for all values, so that these are compared like with like."""
    return [first, *(int.from_bytes(hashlib.sha256(f'{first} {number}'.encode()).digest()[:4], 'big') for number in range(1, count))]


# --- code variants ------------------------------------------------------------------------------------------------------


def variant(repository, commit, word=''):
    """The Code of a commit; with a word of --vary that code changed: a patch's file, branch:<name>, tag:<name>, or . for none. Raises Refusal."""
    kind, _, name = word.partition(':')
    if word in ('', '.'):
        tree = f'{commit}^{{tree}}'
    elif re.match('(branch|tag):', word):
        found = repository.resolve(f'refs/{"heads" if kind == "branch" else "tags"}/{name}')
        if not found:
            raise Refusal(f'--vary {word}: there is no {kind} {name!r}')
        tree = f'{found}^{{tree}}'
    else:
        tree = _patched(repository, commit, word)
    tree = repository.git('rev-parse', '--verify', '--end-of-options', tree).strip()
    config, rest = repository.file(tree, CONFIG), _rest(repository, [tree])[tree]
    if config is None or rest is None:
        raise Refusal(f'--vary {word}: it has no {CONFIG}')
    return Code(short(word), tree, rest, config.decode(errors='surrogateescape'))


def short(word):
    """What a variant is called: its word, of a patch the file's name alone, and nothing for the code as it is."""
    return word if re.match('(branch|tag):', word) else Path(word).name


def _patched(repository, commit, word):
    try:
        patch = Path(word).read_bytes()
    except OSError as error:
        raise Refusal(f'--vary {word}: {error.strerror}; a patch is what git diff prints, and branch:<name> is a branch') from None
    if not patch or len(patch) > LARGEST:
        raise Refusal(f'--vary {word}: {len(patch):,} bytes are no patch')
    try:
        return repository.patched_tree(commit, patch)
    except Failed as error:
        raise Refusal(f'--vary {word}: it does not apply to the recorded code ({error})') from None


def _rest(repository, trees):
    """{tree or commit: what its code/ has besides config.py and seed; None where it is not here}."""
    place = f'{repository.prefix}code'
    found = repository.blobs([f'{tree}:{place}' for tree in trees], missing=None)
    return {tree: _without(found[f'{tree}:{place}'], len(tree) // 2) for tree in trees}


def _without(tree, size):
    """A tree object's entries, each with an id of `size` bytes, but for config.py and seed."""
    entries = re.findall(rb'(?s)([0-7]+) ([^\0]+)\0(.{%d})' % size, tree) if tree is not None else None
    return tuple(entry for entry in entries if entry[1] not in (b'config.py', b'seed')) if entries is not None else None


# --- runs ---------------------------------------------------------------------------------------------------------------


def recorded(repository, tag):
    """{key of a trial: id of the first run under the tag that has its code and a folder here}."""
    prefix = f'refs/tagrun/code/{tag}/'
    rows = [(int(name.removeprefix(prefix)), commit) for name, commit in repository.refs(prefix.rstrip('/'), ('refname', 'objectname'))
            if re.fullmatch(layout.NUMBER, name.removeprefix(prefix))]
    here = set(layout.numbers(repository.root, tag))
    rows = sorted(row for row in rows if row[0] in here)
    commits = list(dict.fromkeys(commit for _, commit in rows))
    rest = _rest(repository, commits)
    files = repository.blobs([f'{commit}:{repository.prefix}{path}' for commit in commits for path in (CONFIG, SEED)], missing=None)
    found = {}
    for number, commit in rows:
        found.setdefault((rest[commit], *(files[f'{commit}:{repository.prefix}{path}'] for path in (CONFIG, SEED))), number)
    return found


def record(repository, tag, commit, trial):
    """The trial as the tag's next run; its folder. Its commit is a child of the tag's, or that one itself where nothing differs."""
    replaced = {CONFIG: trial.config.encode(errors='surrogateescape'), SEED: f'{trial.seed}\n'.encode()}
    tree = repository.write_tree(trial.code.tree, replaced)
    if tree != repository.git('rev-parse', '--verify', f'{commit}^{{tree}}').strip():
        commit = repository.commit_tree(tree, commit, _message(tag, trial))
    return prepare.new_run(repository, tag, commit, trial.seed, **({'variant': trial.code.name} if trial.code.name else {}))


def _message(tag, trial):
    lines = [f'tagrun: {tag} {runs_recorded.TRIAL}', '', *(f'{name} = {text}' for name, text in trial.values.items()), f'seed {trial.seed}']
    return '\n'.join(printable(line) for line in [*lines, *([f'variant {trial.code.name}'] if trial.code.name else [])]) + '\n'


def state(folder):
    """As statistic.state; killed where statistic.json cannot be read, for training writes it again."""
    try:
        return statistic.state(folder)
    except (OSError, ValueError):
        return statistic.KILLED


def complete(repository, tag, number):
    """Write what a run lacks that was killed while it was recorded."""
    folder = layout.run_folder(repository.root, tag, number)
    if not (folder / run_json.NAME).is_file():
        prepare.complete(repository, folder, repository.resolve(f'refs/tagrun/code/{tag}/{number}'))
    return folder


def record_results(repository, folders):
    """Give git the results of ended runs that it has not: those whose watcher was killed before it could."""
    names = {folder: f'refs/tagrun/result/{folder.parent.name}/{folder.name}:{statistic.NAME}' for folder in folders if (folder / statistic.NAME).is_file()}
    known = repository.blobs(names.values(), missing=None)
    for folder, name in names.items():
        if known[name] != (folder / statistic.NAME).read_bytes():
            launch.record_result(repository, folder, run_json.read(folder))
