"""What a sweep works with: code variants, values, seeds, and the runs that are recorded already.

    inputs = read_inputs(repository, request, commit)
    grid = GridSource(inputs.runs, inputs.combinations())

It only reads.
"""

from collections.abc import Iterator
from typing import NamedTuple

from tagrun.core.git.repository import Repository
from tagrun.core.launch.local_pool import Pool
from tagrun.core.record import claim
from tagrun.extra.sweep import space, trials, variants
from tagrun.extra.sweep.request import SweepRequest
from tagrun.extra.sweep.runs import TrialRuns
from tagrun.extra.sweep.space import Parameter
from tagrun.extra.sweep.trials import Trial
from tagrun.extra.sweep.variants import Variant


class SweepInputs(NamedTuple):
    """All that follows from a request and the sweep's commit."""

    variants: list[Variant]
    space: dict[str, Parameter]
    seeds: list[int]  # the first is the sweep's own
    pool: Pool
    runs: TrialRuns

    @property
    def config(self) -> str:
        """Return the text of config.py in the first variant."""
        return self.variants[0].config

    def combinations(self) -> Iterator[Trial]:
        """Yield the trials of a grid: each variant with all combinations of values and seeds."""
        for variant in self.variants:
            for values in space.combinations(self.space):
                yield from trials.make_trials(variant, values, self.space, self.seeds)


def read_inputs(
    repository: Repository, request: SweepRequest, commit: str, process_count: int = 1
) -> SweepInputs:
    """Read what a sweep works with. Raises UserError."""
    codes = [variants.read_variant(repository, commit, word) for word in request.variants]
    seed = claim.read_seed(repository.file(commit, variants.SEED))
    pool = Pool(repository, request.jobs, process_count)
    return SweepInputs(
        variants=codes,
        space=request.space(codes[0].config),
        seeds=trials.make_seeds(seed, request.seeds),
        pool=pool,
        runs=TrialRuns(repository, request, commit, pool),
    )
