"""Runs that an engine has: job.json in the run's folder, what the engine says of them, and the engine's settings.

    {"engine": "slurm", "id": "17_2"}

An engine is a file extra/on_<name>.py, found by launch.py. Beside what launch.py asks of it, it has states(root, ids), {id: QUEUED or RUNNING}
of those it knows, and cancel(root, ids). A run that has ended, or is seen to be trained here, is nobody's question: its own files say so.
"""
import argparse
import re

from tagrun.command import launch
from tagrun.command.say import Refusal, did_you_mean, say
from tagrun.store import jsonfile, layout, statistic

NAME = 'job.json'
QUEUED, RUNNING = 'queued', statistic.RUNNING
UNSURE = (statistic.CREATED, statistic.INTERRUPTED, statistic.KILLED, statistic.FAILED)   # as the files have it: it may be in line to go on
ID = '[0-9A-Za-z][0-9A-Za-z_.-]{0,99}'


def write(folder, engine, number):
    jsonfile.write(folder / NAME, {'engine': engine, 'id': str(number)})


def read(folder):
    """(engine, id) of the run's last job, or None where it never was one, or the file says nothing."""
    try:
        content = jsonfile.read(folder / NAME)
    except (OSError, ValueError):
        return None
    engine, number = content.get('engine'), content.get('id')
    known = engine in launch.engines() and isinstance(number, str) and re.fullmatch(ID, number)
    return (engine, number) if known else None


def told(root, found):
    """What glance.look saw, with the engine's word where it knows more: queued, or running on another machine."""
    unsure = {seen.name: read(layout.run_folder(root, seen.tag, seen.id)) for seen in found if seen.state in UNSURE}
    word = states(root, {name: job for name, job in unsure.items() if job})
    return [seen._replace(state=word.get(seen.name, seen.state)) for seen in found]


def states(root, jobs):
    """{run: QUEUED or RUNNING} of the jobs, {run: (engine, id)}, that their engines have. One that does not answer is named."""
    found = {}
    for engine in sorted({engine for engine, _ in jobs.values()}):
        try:
            known = launch.engine(engine).states(root, {number for one, number in jobs.values() if one == engine})
        except Refusal as refusal:
            say(f'tagrun: {engine} does not say how its runs are: {refusal}')
            continue
        found.update((name, known[number]) for name, (one, number) in jobs.items() if one == engine and number in known)
    return found


def refuse_second(root, folders):
    """Raises Refusal if an engine has one of the runs already."""
    jobs = {f'{folder.parent.name}/{folder.name}': read(folder) for folder in folders}
    for name, state in states(root, {name: job for name, job in jobs.items() if job}).items():
        raise Refusal(f'{name} is {state} already, as job {jobs[name][1]} of {jobs[name][0]}: `tagrun cancel {name}` takes it back')


# --- settings ----------------------------------------------------------------------------------------------------------


class Option(argparse.Action):
    """--slurm key=value, as often as one likes; naming an engine's setting is choosing the engine."""

    def __call__(self, parser, namespace, value, option=None):
        setattr(namespace, self.dest, [*(getattr(namespace, self.dest) or []), value])
        namespace.on = self.dest


def settings(repository, engine, words, known):
    """{key: value}: `git config tagrun.<engine>.<key>`, and over it the words of the command line, ['key=value', …].

    known: {key: (pattern, an example of it)}. A value is its pattern from end to end, so that nothing else gets into a command. Raises Refusal.
    """
    pairs = [(f'git config tagrun.{engine}.{key}', key, value) for key, value in repository.settings(engine).items()]
    pairs += [(f'--{engine} {word}', *word.partition('=')[::2]) for word in words or []]
    found = {}
    for where, key, value in pairs:
        if key not in known:
            raise Refusal(f'{where}: {engine} has no setting {key!r}.{did_you_mean(key, known) or " It has " + ", ".join(known)}')
        pattern, example = known[key]
        if not re.fullmatch(pattern, value, re.ASCII):
            raise Refusal(f'{where}: {value!r} is no {key}: {example} is one')
        found[key] = value
    return found
