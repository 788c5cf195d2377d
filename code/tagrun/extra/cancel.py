"""Take back runs that were given to an engine (`run --on slurm`): those in line, and those that train.

Training is told to stop: it saves, and `continue` goes on with the run, here or there. Exit codes: 0 done, 1 no engine has it.
"""
from pathlib import Path

from tagrun.command import choose, jobs, launch
from tagrun.command.say import Refusal, parser, say
from tagrun.store import layout

EXAMPLES = ('tagrun cancel first/2           one run',
            'tagrun cancel first             all runs of the tag that are in line or train')
ROOT = Path(__file__).resolve().parents[3]


def main(argv):
    options = parser('cancel', __doc__, EXAMPLES)
    options.add_argument('run', nargs='+', help='<tag> (all its runs), <tag>/<id>, @<set> or @last')
    options = options.parse_args(argv)
    found = {f'{tag}/{number}': jobs.read(layout.run_folder(ROOT, tag, number)) for tag, number in choose.several(ROOT, options.run)}
    known = {name: job for name, job in found.items() if job}
    there = jobs.states(ROOT, known)
    if not there:
        raise Refusal(f'no engine has {", ".join(options.run)} in line or at work')
    for engine in sorted({known[name][0] for name in there}):
        launch.engine(engine).cancel(ROOT, {known[name][1] for name in there if known[name][0] == engine})
    for name, state in there.items():
        say(f'{name}: cancelled while {state}')
