"""Hold trainings between their start and their first line, as a slow import of torch does.

    with StartWindow(project) as window:        # each Python of a training waits in it
        process = project.start('run', 't1')
        window.wait_for('t1/0')                 # its training is in the window
        …                                       # stop, remove or start it once more
        window.open()                           # it goes on

A sitecustomize.py on PYTHONPATH does it, before the training's first line: nothing in the product
knows of it. It holds what runs main.py for a run, and not what only looks at config.py.
"""

import json
import shutil
import tempfile
from pathlib import Path

from project_factory import wait_for

HOOK = '''
import json, os, sys, time
run = os.environ.get('TAGRUN_RUN')
folder = {folder!r}
is_training = run and any(word.endswith('/code/main.py') for word in sys.orig_argv)
if is_training and not os.path.exists(os.path.join(folder, 'open')):
    name = os.path.join(folder, f'{{os.getpid()}}.json')
    with open(name + '.part', 'w') as file:
        json.dump({{'folder': run, 'pid': os.getpid()}}, file)
    os.rename(name + '.part', name)
    while not os.path.exists(os.path.join(folder, 'open')):
        time.sleep(0.01)
'''


class StartWindow:
    """Holds the trainings of a project until it is opened."""

    def __init__(self, project):
        self._project, self._before = project, dict(project.env)
        self._folder = Path(tempfile.mkdtemp(prefix='window-'))

    def __enter__(self):
        (self._folder / 'sitecustomize.py').write_text(HOOK.format(folder=str(self._folder)))
        self._project.env['PYTHONPATH'] = str(self._folder)
        return self

    def __exit__(self, *_):
        self.open()
        self._project.env = self._before

    def trainings(self, name):
        """The process ids of the trainings of a run that came to the window."""
        folder = str(self._project.folder(name))
        notes = [json.loads(path.read_text()) for path in self._folder.glob('*.json')]
        return [note['pid'] for note in notes if note['folder'] == folder]

    def wait_for(self, name):
        """Wait until a training of the run is in the window; return its process id."""
        return wait_for(lambda: self.trainings(name), what=f'{name} in the window')[0]

    def open(self):
        """Let all go on, those that come later too."""
        (self._folder / 'open').touch()

    def remove(self):
        """Delete its files: no training of the project is left."""
        shutil.rmtree(self._folder)


def is_alive(pid):
    """Whether a process is there, and is not a zombie."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except OSError:
        return False
