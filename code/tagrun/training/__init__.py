"""What main.py, dataloader.py, epoch.py and state.py import, out of the run's frozen copy of the code. Reads no file of today's checkout."""
from tagrun.training import distributed
from tagrun.training.loader import Loader
from tagrun.training.meter import Meter
from tagrun.training.record import Record
from tagrun.training.run import open_run
from tagrun.training.seeding import seed_everything

__all__ = ['Loader', 'Meter', 'Record', 'distributed', 'open_run', 'seed_everything']
