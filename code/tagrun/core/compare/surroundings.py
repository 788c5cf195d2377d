"""What two runs were trained with, besides code and seed: arguments, inputs, environment, data.

    groups = surroundings.differences(one, other)       # {'config': {'lr': [0.1, 0.2]}, …}
    surroundings.unexplained('loss')                    # what to guess where all of it is the same

It compares what is on disk: the arguments as trained (statistic.json), what was taken from other
runs (run.json), and environment.json.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tagrun.core.compare.run_files import RunFiles
from tagrun.store import fingerprint, table

SOFTWARE = ('python', 'torch', 'cuda', 'cudnn', 'driver', 'system')
HARDWARE = ('cpu', 'cpu_capability', 'cores', 'threads', 'device', 'world_size', 'gpu')
LONGEST = 60  # characters of a value
DIGITS = 12  # of a SHA-256
# {name: [of the one, of the other]}; None for what one of them lacks
Pairs = dict[str, list[Any]]
OUTSIDE = (
    'something that is not recorded goes in (a file, a variable of the environment, the time, '
    'randomness from outside the seed), or at last a non-deterministic operator'
)
GUESSES = {
    'order': 'the order of the samples does not follow from the seed (a sampler or a generator '
    'of its own, files in the order of the disk)',
    'batch': 'the samples themselves differ: a file that changed, or randomness from outside the '
    'seed in the dataset',
}


def differences(one: RunFiles, other: RunFiles) -> dict[str, Pairs]:
    """Return what differs, by group: inputs, config, packages, hardware, settings and data.

    A group in which nothing differs, or which one of the two did not record, is {}.
    """
    environments = one.environment, other.environment
    software = _recorded_pairs(*environments, SOFTWARE)
    return {
        'inputs': _input_pairs(one, other),
        'config': pairs(one.hparam, other.hparam),
        'packages': software | pairs(*(_dict(each.get('packages')) for each in environments)),
        'hardware': _recorded_pairs(*environments, HARDWARE),
        'settings': _all_pairs(*_settings(one, other)),
        'data': _data_pairs(*map(_data, environments)),
    }


def data_unknown(one: RunFiles, other: RunFiles) -> list[str]:
    """Return the phases of both of whose data nobody knows whether they are the same."""
    first, second = _data(one.environment), _data(other.environment)
    phases = [phase for phase in first if phase in second]
    return [phase for phase in phases if fingerprint.is_unknown(first[phase], second[phase])]


def data_sentence(phases: Sequence[str]) -> str:
    """Return what to say of phases that `data_unknown` returned."""
    return f'whether the data of {", ".join(phases)} differ: a fingerprint is missing'


def pairs(one: Mapping[str, Any], other: Mapping[str, Any]) -> Pairs:
    """Return the values in which two dicts differ; {} where one of the two is empty."""
    return _all_pairs(one, other) if one and other else {}


def value_text(value: Any) -> str:
    """Return a value as text of one line, cut where it is long."""
    if isinstance(value, dict) and set(value) == {'samples', 'digest'}:
        digest = value['digest'] or 'no fingerprint'
        return f'{value["samples"]} samples, {digest}'
    if isinstance(value, dict) and {'file', 'sha256', 'what'} <= set(value):
        loose = '' if value.get('strict', True) else ', as far as they fit'
        return f'{value["what"]} {value["file"]} {str(value["sha256"])[:DIGITS]}{loose}'
    text = 'absent' if value is None else table.text(value)
    return text if len(text) <= LONGEST else f'{text[:LONGEST]} …'


def unexplained(stream: object) -> str:
    """Return a guess where nothing recorded differs, from the stream that differs first."""
    return f'nothing recorded differs: {GUESSES.get(str(stream), OUTSIDE)}'


def _all_pairs(one: Mapping[str, Any], other: Mapping[str, Any]) -> Pairs:
    return {
        name: [one.get(name), other.get(name)]
        for name in {**one, **other}
        if name not in one or name not in other or one[name] != other[name]
    }


def _recorded_pairs(
    one: Mapping[str, Any], other: Mapping[str, Any], names: Iterable[str]
) -> Pairs:
    """Return the pairs of those names that both have: an older run did not record some."""
    both = [name for name in names if name in one and name in other]
    return {name: [one[name], other[name]] for name in both if one[name] != other[name]}


def inputs_known(one: RunFiles, other: RunFiles) -> bool:
    """Return whether both recorded what they took from other runs: a fetched run did not."""
    return 'inputs' in one.info and 'inputs' in other.info


def _input_pairs(one: RunFiles, other: RunFiles) -> Pairs:
    if not inputs_known(one, other):
        return {}
    return _all_pairs(_inputs(one.info), _inputs(other.info))


def _inputs(info: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a run took from other runs, by their names.

    By which word it was asked for makes no difference.
    """
    inputs = {}
    for name, value in _dict(info.get('inputs')).items():
        inputs[name] = {key: value[key] for key in value if key != 'asked'}
    source = info.get('continued_from')
    return inputs if source is None else {str(source): 'a checkpoint', **inputs}


def _settings(one: RunFiles, other: RunFiles) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what torch and Python were set to, as far as both recorded it.

    The hash seed follows from the run's seed: of runs with two seeds only `seeded` is compared.
    """
    first, second = _flat_settings(one.environment), _flat_settings(other.environment)
    names = [name for name in first if name in second]
    if one.seed != other.seed:
        names = [name for name in names if name != 'PYTHONHASHSEED']
    return {name: first[name] for name in names}, {name: second[name] for name in names}


def _flat_settings(environment: Mapping[str, Any]) -> dict[str, Any]:
    """Return {'matmul_precision': 'highest', …, 'PYTHONHASHSEED': '4242'}."""
    hashes = _dict(environment.get('string_hashes'))
    named = {'string hashes seeded' if key == 'seeded' else key: hashes[key] for key in hashes}
    return {**_dict(environment.get('determinism')), **named}


def _data_pairs(one: Mapping[str, Any], other: Mapping[str, Any]) -> Pairs:
    """Return the phases whose data differ, or that one of the two lacks."""
    differing = pairs(one, other)
    return {
        phase: values
        for phase, values in differing.items()
        if phase not in one or phase not in other or fingerprint.differs(*values)
    }


def _data(environment: Mapping[str, Any]) -> dict[str, Any]:
    return _dict(environment.get('data'))


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
