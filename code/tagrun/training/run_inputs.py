"""What a run takes from other runs: what it begins with, and what its code asks for.

    taken = RunInputs(root, folder, info, group, output)
    saved = taken.restore(state)            # the run's own checkpoint, or what it begins with
    weights = taken.weights_of('pre/0:best', part='encoder')

What the code asks for is written to run.json before it is used, with its SHA-256, and kept from the
other run's saves. Where run.json has it already, in a rerun or when the run goes on, that file is
taken: `best` may have moved since. The first process looks and writes; all read.
"""

from pathlib import Path
from typing import Any

from torch import nn

from tagrun.store import checkpoints, inputs, run_json
from tagrun.store.inputs import CHECKPOINT, CODE, WEIGHTS, Input
from tagrun.store.run_ref import RunRef
from tagrun.training import (
    adopted,
    checkpoint,
    distributed,
    fitting,
    input_weights,
    rebuilt,
    shards,
    state_parts,
)
from tagrun.training.input_weights import ANY, InputError, Weights
from tagrun.training.report import info as say

LONGEST_REASON = 300  # characters of why a checkpoint does not fit


class RunInputs:
    """The inputs of one run, or of an evaluation of it.

    root: the project's folder. folder: where run.json is; info: its content, which is kept up to
    date. output: what restores the run's own checkpoints; None for an evaluation.
    """

    def __init__(
        self, root: Path, folder: Path, info: dict[str, Any], group: Any, output: Any = None
    ) -> None:
        self.built: rebuilt.Settings = {}  # of the state's optimizers and schedulers
        self._root, self._folder, self._info = root, folder, info
        self._group, self._output = group, output
        self._verified: set[str] = set()  # SHA-256 of inputs that this process has compared

    # --- the beginning ---------------------------------------------------------------------------

    def restore(self, state: Any) -> dict[str, Any]:
        """Restore the run's newest checkpoint, or else what it begins with, the same in all.

        Returns what the checkpoint holds; {} without one.
        """
        self.built = rebuilt.settings(state)
        saved = self._output.restore(self._info['resume'], state)
        name = self._group.broadcast(saved.get('name'))
        start = self._recorded(CHECKPOINT)
        if not name and start:
            name = self._group.broadcast(self._adopted(start[0], state))
            try:
                saved = self._output.restore(name, state)
                return self._restore_as_first(name, saved, state)
            except (LookupError, AttributeError, TypeError, ValueError, RuntimeError) as error:
                if checkpoint.lacks_memory(error):
                    raise
                raise self._unfit(start[0], error) from error
        saved = self._restore_as_first(name, saved, state)
        if not saved:
            for each in self._recorded(WEIGHTS):
                self._begin_with(each, state)
        return saved

    def _restore_as_first(
        self, name: str | None, saved: dict[str, Any], state: Any
    ) -> dict[str, Any]:
        """Restore what the first process did, in the others."""
        if name and not saved:
            saved = shards.load(self._folder, name)
            state.load_state_dict(saved['state'])
        return saved

    def _recorded(self, what: str) -> list[Input]:
        return [each for each in inputs.parse(self._info.get('inputs', {})) if each.what == what]

    def _adopted(self, each: Input, state: Any) -> str | None:
        if distributed.rank():
            return None
        self._verify(each)
        say(f'begins with {each.name} and everything in it')
        return adopted.adopt(self._folder, self._root, each, state, self.built)

    def _unfit(self, each: Input, error: Exception) -> InputError:
        if distributed.rank() == 0:
            adopted.give_up(self._folder)
        # torch names each parameter in a line of its own
        reason = ' '.join(str(error).split())
        if len(reason) > LONGEST_REASON:
            reason = f'{reason[:LONGEST_REASON]} …'
        if isinstance(error, KeyError):
            reason = f'it has no {reason}, which the state has now'
        return InputError(
            f'{each.name} does not fit this code: {reason}; --weights-from {each.name} takes the '
            'weights alone'
        )

    def _begin_with(self, each: Input, state: Any) -> None:
        """Load the weights of an input into the state's networks, by their names."""
        self._verify_as_first(each)
        networks = state_parts.networks(state)
        given = input_weights.read(self._root, each)
        if ANY in given:
            given = _of_file(each, given[ANY], networks, state)
        elif each.strict:
            _check_names(each, given, networks)
        for name, network in networks.items():
            if name in given:
                fitting.put(network, given[name], f'{each.name}, {name}', each.strict)
            else:
                say(f'tagrun: {each.name} has no network {name!r}: it stays as it was made')
        unused = [name for name in given if name not in networks]
        if unused:
            say(f'tagrun: not taken from {each.name}: {", ".join(unused)}')
        say(f'begins with the weights of {each.name}')

    # --- what the code asks for ------------------------------------------------------------------

    def weights_of(self, word: str, part: str, into: nn.Module | None, strict: bool) -> Weights:
        """Return the weights that a word names; see Run.weights_of."""
        each = self._group.broadcast(self._taken(word))
        networks = input_weights.read(self._root, each)
        weights = input_weights.part(networks, part, each.name)
        if into is not None:
            label = f'{each.name}, {part}' if part else each.name
            fitting.put(into, weights, label, strict)
        return input_weights.copied(weights)

    def _taken(self, word: str) -> Input | None:
        """Return what a word names, recorded and verified; None in a further process."""
        if distributed.rank():
            return None
        run, which = self._parsed(word)
        record = inputs.parse(run_json.read(self._folder).get('inputs', {}))
        each = inputs.matching(record, run, which)
        if each is None:
            each = self._found(run, which)
            same = next((other for other in record if _is_same(other, each)), None)
            if same:  # asked for by another word
                each = same._replace(asked=(*same.asked, *each.asked))
                record = [each if other == same else other for other in record]
            else:
                record = [*record, each]
            self._record(record)
        self._verify(each)
        return each

    def _parsed(self, word: str) -> tuple[RunRef | None, str]:
        """Return (run, checkpoint), or (None, path relative to the project where it is in it)."""
        name, _, which = word.partition(':')
        run = RunRef.parse(name)
        if run:
            if run == run_json.ref(self._info):
                raise InputError(f'{word} is this run itself: its files are in run.folder')
            return run, which or 'best'
        path = Path(word).expanduser()
        if path.is_absolute() and path.is_relative_to(self._root):
            path = path.relative_to(self._root)
        if not (self._root / path).is_file():
            raise InputError(
                f'{word!r} is not a checkpoint, e.g. pre/0:best with the id of the run, nor the '
                'path of a file'
            )
        return None, str(path)

    def _found(self, run: RunRef | None, which: str) -> Input:
        """Return an input that run.json does not have yet. Raises InputError."""
        if run is None:
            path = self._root / which
            try:
                return Input(None, which, checkpoints.digest(path), CODE)
            except (OSError, ValueError) as error:
                raise InputError(f'input {which} cannot be read: {error}') from None
        folder = run.folder(self._root)
        reserved = checkpoints.reserve(folder, which, str(run_json.ref(self._info)))
        if reserved is None:
            names = [Path(each).stem for each in checkpoints.listed(folder)]
            has = f'it has {", ".join(names)}' if names else 'it has no checkpoint here'
            raise InputError(f'input {run} has no checkpoint {which!r}: {has}')
        asked = (which,) if which in inputs.MOVING else ()
        return Input(run, *reserved, CODE, asked=asked)

    def _record(self, some: list[Input]) -> None:
        """Write the inputs to run.json. The first process alone does."""
        record = inputs.dump(some)
        run_json.write(self._folder, {**run_json.read(self._folder), 'inputs': record})
        self._info['inputs'] = record

    # --- both ------------------------------------------------------------------------------------

    def _verify_as_first(self, each: Input) -> None:
        """Compare the file in the first process; the others wait for it."""
        if distributed.rank() == 0:
            self._verify(each)
        self._group.broadcast(None)

    def _verify(self, each: Input) -> None:
        if each.sha256 not in self._verified:
            input_weights.verify(self._root, each, run_json.name(self._info))
            self._verified.add(each.sha256)


def _is_same(one: Input, other: Input) -> bool:
    return (one.run, one.file, one.sha256) == (other.run, other.file, other.sha256)


def _of_file(
    each: Input, weights: Weights, networks: dict[str, nn.Module], state: Any
) -> dict[str, Weights]:
    """Return {network: weights} of a file from elsewhere, which has no names of networks."""
    main = state_parts.only_network(state)
    if main is None:
        raise InputError(
            f'{each.name} holds the weights of one network, and the state has '
            f'{", ".join(networks) or "none"}: in main.py, '
            f'run.weights_of({each.name!r}, into=state.<network>) chooses one'
        )
    return {name: weights for name, network in networks.items() if network is main}


def _check_names(each: Input, given: dict[str, Weights], networks: dict[str, nn.Module]) -> None:
    """Raise InputError where the two do not have the same networks."""
    missing = [name for name in networks if name not in given]
    unexpected = [name for name in given if name not in networks]
    if missing or unexpected:
        raise InputError(
            f'{each.name} has {", ".join(given)}, and the state has {", ".join(networks)}: '
            '--no-strict takes those that both have; or, in main.py before run.begin, '
            f"run.weights_of('{each.name}', part='{next(iter(given))}', into=state.<network>)"
        )
