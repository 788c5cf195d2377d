"""Whether a rerun with the recorded seed is the same as the run it repeats, bit for bit; and if not, from where on.

    watch = Watch(root, folder, info); watch.look() now and then; code = watch.end()

It compares trace.csv as it grows, and at the end all that difference.py compares. What differs in the surroundings comes from both
environment.json.
"""
from tagrun.command import difference
from tagrun.command.say import plural, say
from tagrun.store import jsonfile, layout, run_json, statistic, trace

DIFFERS = 3
WORDS = {'order': 'the order of the samples', 'batch': 'the content of the batch', 'loss': 'the loss', 'weights': 'the weights',
         'length': 'the number of steps'}


class Watch:
    """Follows the trace of the rerun in `folder` beside the one it repeats, which `info` (its run.json) names."""

    def __init__(self, root, folder, info):
        self._folder, self._info, self._name = folder, info, info['rerun_of']
        tag, _, number = self._name.partition('/')
        self._other = layout.run_folder(root, tag, number)
        self._there, _ = trace.lines(self._other)
        self._offset, self._place, self._difference = 0, 0, None

    def look(self):
        """Compare what is new, and say so at the first difference."""
        if self._difference or not self._there:
            return
        new, self._offset = trace.lines(self._folder, self._offset)
        self._difference = trace.first_difference(new, self._there[self._place:])
        self._place += len(new)
        if self._difference:
            say(f'tagrun: not the same as {self._name}: {_sentence(self._difference)}')
            for line in surroundings(self._other, self._folder):
                say(f'  {line}')

    def end(self):
        """The verdict, said and kept in run.json. DIFFERS or 0; 0 also where the rerun did not finish: then there is none yet."""
        self.look()
        if not self._is_finished():
            return DIFFERS if self._difference else 0
        why = self._difference or difference.between(self._folder, self._other)
        if why and not self._difference:
            say(f'tagrun: not the same as {self._name}: {_sentence(why)}')
        elif not why:
            say(f'\nthe same as {self._name}, bit for bit: {self._traced()}every epoch\'s metrics, the last weights')
        run_json.write(self._folder, {**self._info, 'verdict': {'same': not why, **({'first_difference': why} if why else {})}})
        return DIFFERS if why else 0

    def _traced(self):
        """What of the traces was compared, for the verdict."""
        if self._there:
            return f'{self._place:,} lines of trace.csv, '
        epochs = len(trace.epochs(self._other))
        return f'the trace of {plural(epochs, "epoch")}, ' if epochs else ''

    def _is_finished(self):
        try:
            return statistic.state(self._folder) == statistic.FINISHED
        except (OSError, ValueError):
            return False


def surroundings(one, other):
    """Lines that name what differs between two runs' environment.json: ['torch: 2.13.0 there, 2.14.0 here', …]."""
    try:
        before, after = (jsonfile.read(folder / 'environment.json') for folder in (one, other))
    except (OSError, ValueError) as error:
        return [f'what differs in the surroundings cannot be said: {error}']
    lines = []
    for name in dict.fromkeys([*before, *after]):
        there, here = before.get(name), after.get(name)
        if there != here and isinstance(there, dict) and isinstance(here, dict):
            lines += [f'{name} {key}: {there.get(key)} there, {here.get(key)} here' for key in dict.fromkeys([*there, *here])
                      if there.get(key) != here.get(key)]
        elif there != here:
            lines.append(f'{name}: {there} there, {here} here')
    return lines or ['nothing known of the surroundings differs: a non-deterministic operator, or randomness from outside the seed']


def place(found):
    """' at step 31 of epoch 2', ' at the end of epoch 2' or ' in epoch 2': where a difference is, as far as it says."""
    if 'epoch' not in found:
        return ''
    step = found.get('step')
    where = 'in' if not step else 'at the end of' if step == 'end' else f'at step {step} of'
    return f' {where} epoch {found["epoch"]}'


def _sentence(found):
    return f'{WORDS.get(found["stream"], found["stream"])}{place(found)} ({found["here"]} here, {found["there"]} there)'
