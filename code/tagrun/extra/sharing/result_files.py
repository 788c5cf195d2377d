"""Read the files of shared results from git, and convert them to the files of a run of this clone.

    known = sizes(repository, [commit])             # nothing is read yet
    results = read(repository, [commit], known)
    convert(repository.root, 'origin', run, code, results[commit], local_names)

Both treat what they read as data of a stranger: of bounded size, checked, and never a path.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from tagrun.core.git.repository import Repository
from tagrun.core.launch import result_commit
from tagrun.store import confusion, inputs, jsonfile, limits, run_json, statistic, trace
from tagrun.store.inputs import Input
from tagrun.store.run_ref import RunRef

# taken as they are: their readers check them
RAW = ('history.csv', 'environment.json', confusion.NAME, 'log', trace.EPOCHS)
NEEDED = (statistic.NAME, run_json.NAME)
TAKEN = (*NEEDED, *RAW)
MAX_BYTES = limits.RUN // 2  # of one file that is taken
MAX_OBJECT = 1 << 20  # of a result commit, and of its tree of a few names

K = TypeVar('K')
Sizes = dict[str, dict[str, int]]  # {commit: {name: bytes}}


class Result(NamedTuple):
    """What git holds of a result commit."""

    commit: bytes | None  # the commit object; None where it is not a commit
    files: dict[str, bytes]  # {name: content}; what is too large or not a file is left out


def sizes(repository: Repository, commits: Sequence[str]) -> Sizes:
    """Return {commit: {name: bytes}} of what is taken of result commits; '' is the commit itself.

    git says the sizes, and reads no content for it: a remote of 5 MB may unpack to many GB. What is
    larger than a limit is left out, a commit with all that it has.
    """
    fitting = _fitting(repository, {commit: commit for commit in commits}, 'commit')
    trees = _fitting(repository, {commit: f'{commit}^{{tree}}' for commit in fitting}, 'tree')
    names = {(commit, file): f'{commit}:{file}' for commit in trees for file in TAKEN}
    files = _fitting(repository, names, 'blob')
    result: dict[str, dict[str, int]] = {commit: {'': size} for commit, size in fitting.items()}
    for (commit, file), size in files.items():
        if sum(result[commit].values()) + size <= limits.RUN:
            result[commit][file] = size
    return result


def _fitting(repository: Repository, names: Mapping[K, str], kind: str) -> dict[K, int]:
    """Return {key: bytes} of the objects that are of a kind, and not larger than it may be."""
    known = repository.kinds(list(names.values()))
    missing = ('', 0)
    fitting = {}
    for key, name in names.items():
        own_kind, size = known.get(name, missing)
        if own_kind == kind and size <= (MAX_BYTES if kind == 'blob' else MAX_OBJECT):
            fitting[key] = size
    return fitting


def read(
    repository: Repository, commits: Sequence[str], known: Sizes | None = None
) -> dict[str, Result]:
    """Return {commit: its Result} of result commits, by one process.

    known: their sizes, where they were asked for before.
    """
    taken = sizes(repository, commits) if known is None else known
    names = {}
    for commit in commits:
        for file in taken.get(commit, {}):
            names[commit, file] = f'{commit}:{file}' if file else commit
    blobs = repository.blobs(names.values())
    results = {}
    for commit in commits:
        files = {file: blobs[names[commit, file]] for file in taken.get(commit, {})}
        results[commit] = Result(files.pop('', None), files)
    return results


def convert(
    root: Path,
    remote: str,
    run: RunRef,
    code: str,
    result: Result,
    local_names: Mapping[RunRef, RunRef],
) -> dict[str, bytes | dict[str, Any]]:
    """Return the files of a run as it will lie here: {name: bytes, or an object for JSON}.

    run: its name here. code: the commit that ran. local_names: {name at the remote: name here}.
    Raises ValueError with the reason why it cannot be a run.
    """
    is_so_far = _check_commit(result.commit, code)
    content, info = _parse_needed(result)
    links = _links(info, local_names)
    taken = _inputs(info, local_names)
    new_info = run_json.build(
        root, run.tag, run.number, code, info['seed'], fetched_from=remote, **links, **taken
    )
    if not taken:  # not known, which is not the same as none
        del new_info['inputs']
    # run.json first: it says where the run is from, should a kill leave the others out
    files: dict[str, bytes | dict[str, Any]] = {run_json.NAME: new_info}
    files.update({name: result.files[name] for name in RAW if name in result.files})
    content.pop('inputs', None)
    files[statistic.NAME] = {
        **content,
        **(taken if taken.get('inputs') else {}),
        'run': str(run),
        'commit': code,
        'status': _status(content, is_so_far),
        'fetched_from': remote,
    }
    return files


def _check_commit(commit: bytes | None, code: str) -> bool:
    """Return whether a result is of a run at work. Raises ValueError where it is not of `code`."""
    if not commit:
        raise ValueError('its result is not a commit')
    head, _, message = commit.partition(b'\n\n')
    parents = re.findall(rb'^parent ([0-9a-f]+)$', head, re.MULTILINE)
    if not parents or parents[0].decode() != code:
        raise ValueError('its result is not that of its code')
    return message.partition(b'\n')[0].endswith(f' {result_commit.SO_FAR}'.encode())


def _parse_needed(result: Result) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the content of statistic.json and of run.json. Raises ValueError."""
    for name in NEEDED:
        if name not in result.files:
            raise ValueError(f'there is no {name}, or one of more than {MAX_BYTES >> 20} MB')
    content = _parsed(statistic.NAME, result.files)
    info = _parsed(run_json.NAME, result.files)
    if type(info.get('seed')) is not int:
        raise ValueError("run.json: 'seed' is missing or wrong")
    return content, info


def _parsed(name: str, files: Mapping[str, bytes]) -> dict[str, Any]:
    try:
        return jsonfile.parse(files[name])
    except ValueError as error:
        raise ValueError(f'{name}: {error}') from None


def _status(content: Mapping[str, Any], is_so_far: bool) -> str:
    """Return the status of a run: one that says running in its last result was killed."""
    status = content.get('status')
    if not isinstance(status, str) or (status == statistic.RUNNING and not is_so_far):
        return statistic.KILLED
    return status


def _inputs(info: Mapping[str, Any], local_names: Mapping[RunRef, RunRef]) -> dict[str, Any]:
    """Return {'inputs': …}, with the names of runs that they have here; {} where unknown.

    Raises ValueError for what is not an `inputs`.
    """
    if 'inputs' not in info:
        return {}
    try:
        some = inputs.parse(info['inputs'])
    except ValueError as error:
        raise ValueError(f'{run_json.NAME}: {error}') from None
    return {'inputs': inputs.dump([_named_here(each, local_names) for each in some])}


def _named_here(each: Input, local_names: Mapping[RunRef, RunRef]) -> Input:
    return each._replace(run=local_names.get(each.run, each.run)) if each.run else each


def _links(info: Mapping[str, Any], local_names: Mapping[RunRef, RunRef]) -> dict[str, Any]:
    """Return what run.json says of the run that this one repeats or continues, by its name here."""
    links: dict[str, Any] = {}
    for key in ('rerun_of', 'continued_from'):
        name = info.get(key)
        other = RunRef.parse(name) if isinstance(name, str) else None
        if other is not None and other in local_names:
            links[key] = str(local_names[other])
    if 'rerun_of' in links and info.get('exact') is True:
        links['exact'] = True
        verdict = info.get('verdict')
        if isinstance(verdict, dict) and type(verdict.get('same')) is bool:
            links['verdict'] = verdict
    return links
