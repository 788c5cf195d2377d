"""The trials of a sweep: what each would run, which run it is already, and how it is recorded.

    variant = read_variant(repository, commit)
    (trial,) = make_trials(variant, {'lr': '0.1'}, space, [seed])
    number = recorded_runs(repository, tag).get(trial.key)      # the id of the run of this trial
    folder = record_trial(repository, tag, commit, trial)

A trial is known by what its commit holds, so a sweep keeps no file of its state: git has the
trials, and their folders say how far they are. This module trains nothing.
"""

import ast
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tagrun.core.cli.messages import printable
from tagrun.core.git.repository import Repository
from tagrun.core.record import claim, config_text, provenance
from tagrun.extra.sweep import variants
from tagrun.extra.sweep.space import Parameter
from tagrun.extra.sweep.variants import CONFIG, SEED, OtherFiles, Variant
from tagrun.store import layout, run_ref

# The code besides config.py and seed, and these two: what makes two runs the same trial.
Key = tuple[OtherFiles | None, bytes | None, bytes | None]


class Trial(NamedTuple):
    """Code, values and a seed: what one run of the sweep is."""

    variant: Variant
    values: dict[str, str]  # {name: the text of its value}
    seed: int
    config: str  # config.py's text with the values
    label: str  # 'fast.patch lr=0.1 model=cnn, seed 2', for the screen

    @property
    def key(self) -> Key:
        """Return what the trial's commit will hold."""
        return self.variant.other_files, self.config.encode(), f'{self.seed}\n'.encode()

    def is_same(self, other: 'Trial') -> bool:
        """Return whether another trial is the same run."""
        return self.key == other.key


def make_trials(
    variant: Variant, values: dict[str, str], space: dict[str, Parameter], seeds: list[int]
) -> list[Trial]:
    """Return the trials of some values, one for each seed.

    Raises UserError where the variant's config.py lacks an argument.
    """
    config = config_text.changed(variant.config, values)
    labels = trial_labels(variant.name, values, space, len(seeds))
    return [
        Trial(variant, values, seed, config, label)
        for seed, label in zip(seeds, labels, strict=True)
    ]


def trial_labels(
    variant: str, values: dict[str, str], space: dict[str, Parameter], seed_count: int
) -> list[str]:
    """Return what sets the trials of some values apart, one label for each seed.

    That is the variant's name, the arguments that have more than one value, and the seed's number.
    """
    several = [name for name in values if len(space[name].texts) != 1]
    words = [variant, *(f'{name}={_bare(values[name])}' for name in several)]
    label = ' '.join(filter(None, words))
    if seed_count == 1:
        return [label]
    return [f'{label}, seed {number}' for number in range(1, seed_count + 1)]


def literal(config: str, name: str) -> object:
    """Return the value of an argument of config.py; None where it is not a literal."""
    try:
        return ast.literal_eval(config_text.read(config)[name])
    except (KeyError, ValueError, SyntaxError):
        return None


def make_seeds(first: int, count: int) -> list[int]:
    """Return `count` seeds: the sweep's own, and others that follow from it.

    They are the same for all values, so that like is compared with like.
    """
    texts = [f'{first} {number}' for number in range(1, count)]
    return [first, *(hashed_seed(text) for text in texts)]


def hashed_seed(text: str) -> int:
    """Return a seed of 32 bits that follows from a text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], 'big')


def recorded_runs(repository: Repository, tag: str) -> dict[Key, int]:
    """Return {key of a trial: the first id} of the tag's runs that have a folder here."""
    commits = _commits(repository, tag)
    different = list(dict.fromkeys(commits.values()))
    other_files = variants.other_files(repository, different)
    configs = {commit: f'{commit}:{repository.prefix}{CONFIG}' for commit in different}
    seeds = {commit: f'{commit}:{repository.prefix}{SEED}' for commit in different}
    files = repository.blobs([*configs.values(), *seeds.values()], missing=None)
    runs: dict[Key, int] = {}
    for number in sorted(commits):
        commit = commits[number]
        key = other_files[commit], files[configs[commit]], files[seeds[commit]]
        runs.setdefault(key, number)
    return runs


def record_trial(
    repository: Repository,
    tag: str,
    commit: str,
    trial: Trial,
    inputs: Mapping[str, Any] | None = None,
) -> Path:
    """Record the trial as the tag's next run, and return its folder.

    Its commit is a child of the tag's, or that one itself where nothing differs. inputs: of its
    run.json.
    """
    replaced = {
        CONFIG: trial.config.encode(errors='surrogateescape'),
        SEED: f'{trial.seed}\n'.encode(),
    }
    tree = repository.write_tree(trial.variant.tree, replaced)
    if tree != repository.git('rev-parse', '--verify', f'{commit}^{{tree}}').strip():
        commit = repository.commit_tree(tree, commit, _message(tag, trial))
    more: dict[str, Any] = {'variant': trial.variant.name} if trial.variant.name else {}
    if inputs:
        more['inputs'] = dict(inputs)
    if trial.values:
        more['set'] = config_text.values_of(trial.variant.config, trial.values)
    return claim.create_run(repository, tag, commit, trial.seed, more)


def _bare(text: str) -> str:
    """Return a value's text without the quotes of a bare word."""
    return text[1:-1] if re.fullmatch(r"'[\w./+-]+'", text) else text


def _commits(repository: Repository, tag: str) -> dict[int, str]:
    """Return {id: commit} of the tag's runs that have a folder here."""
    prefix = f'{run_ref.CODE}{tag}/'
    rows = repository.refs(prefix.rstrip('/'), ('refname', 'objectname'))
    commits = {name.removeprefix(prefix): commit for name, commit in rows}
    numbers = layout.numbers(repository.root, tag)
    return {number: commits[str(number)] for number in numbers if str(number) in commits}


def _message(tag: str, trial: Trial) -> str:
    lines = [f'tagrun: {tag} {provenance.TRIAL}', '']
    lines += [f'{name} = {text}' for name, text in trial.values.items()]
    lines.append(f'seed {trial.seed}')
    if trial.variant.name:
        lines.append(f'variant {trial.variant.name}')
    return ''.join(f'{printable(line)}\n' for line in lines)
