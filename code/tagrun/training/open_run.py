"""Open the run that this process trains: the one that TAGRUN_RUN names, or a new scratch run.

with open_run(config) as run: …         # see main.py
"""

import os
import sys
from pathlib import Path
from types import ModuleType

from tagrun.store import layout, run_json
from tagrun.training import agent, by_hand, distributed, host, seeding
from tagrun.training.evaluation import Evaluation
from tagrun.training.group import Alone, Group
from tagrun.training.log import open_streams
from tagrun.training.output import Files
from tagrun.training.report import info
from tagrun.training.run import Run
from tagrun.training.silent_output import Silent


def open_run(config: ModuleType) -> Run | Evaluation:
    """Return the run to train, or the evaluation to make, as run.json says.

    End the process if another process has it already.

    By hand it ends, too, where main.py was given arguments, which it would ignore.
    Where several processes train the run, this one starts them, waits for them, and ends as they
    do.
    """
    open_streams()
    if run_json.ENVIRONMENT not in os.environ:
        by_hand.refuse_words(config, sys.argv)
    code = Path(str(config.__file__)).resolve().parent
    lives_on = host.lives_on(code / 'main.py')
    if not lives_on:
        host.forget_kernel_backend()
    unseeded = _seed_hashes(code)
    if distributed.is_rank():
        return _one_of_several(config, code)
    folder = _folder(code)
    if run_json.EVALUATE in run_json.read(folder):
        # in one process, of a run that several trained, too
        return Evaluation(config, folder)
    processes = agent.count(config, folder)
    machines, _, _ = agent.nodes()
    if processes > 1 or machines > 1:
        sys.exit(agent.start(processes, folder))
    files = Files(folder)
    at_end = [files.release, host.restorer()] if lives_on else []
    run = Run(config, folder, Alone(at_end), files)
    if unseeded:
        info(f'tagrun: {unseeded}')
    return run


def _seed_hashes(code: Path) -> str:
    """Make string hashes follow from the seed where no launcher did; return why that failed."""
    if run_json.ENVIRONMENT in os.environ:
        return ''
    return seeding.seed_hashes(int((code / 'seed').read_text()), code / 'main.py')


def _one_of_several(config: ModuleType, code: Path) -> Run:
    """Return the run as a process that the agent started sees it: only the first one writes."""
    distributed.init(getattr(config, 'device', 'auto'))
    if distributed.rank() == 0:
        agent.take_lock_over()
        folder = distributed.broadcast(_folder(code))
        return Run(config, folder, Group(), Files(folder))
    folder = distributed.broadcast(None)
    return Run(config, folder, Group(), Silent(folder))


def _folder(code: Path) -> Path:
    folder = os.environ.get(run_json.ENVIRONMENT)
    return Path(folder) if folder else _scratch(code)


def _scratch(code: Path) -> Path:
    """Claim the folder of a new scratch run, for a training that is started by hand."""
    root = layout.root_of(code)
    number, folder = layout.claim(root, layout.SCRATCH)
    seed = int((code / 'seed').read_text())
    created = run_json.now()
    info = run_json.build(root, layout.SCRATCH, number, None, seed, created=created)
    run_json.write(folder, info)
    return folder
