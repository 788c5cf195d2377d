"""What main.py, dataloader.py, epoch.py and state.py import, out of the run's frozen copy of the
code. Reads no file of today's checkout.
"""

from tagrun.store import lock
from tagrun.training import signals
from tagrun.training.startup import Loading

lock.keep_from_children()
signals.end_by_ctrl_c()

try:
    with Loading('torch', is_shown=signals.is_first_process()):
        from tagrun.training import distributed, import_failure
        from tagrun.training.epoch_history import EpochHistory
        from tagrun.training.loader import Loader, count_batches
        from tagrun.training.meter import Meter
        from tagrun.training.open_run import open_run
        from tagrun.training.seeding import seed_everything
        from tagrun.training.values import restored
except Exception as _error:
    from tagrun.training.packages import explain

    explain(_error)
    raise

import_failure.keep_traceback()

__all__ = [
    'EpochHistory',
    'Loader',
    'Meter',
    'count_batches',
    'distributed',
    'open_run',
    'restored',
    'seed_everything',
]
