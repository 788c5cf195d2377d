"""Starts the training of a prepared run, waits for it, and does what is due at its end.

    add_options(parser); …; check(repository, options)
    code = begin(repository, folder, options)       # 0 finished, 1 failed, 75 stopped and resumable, 130 Ctrl-C

The job is `python -u <run folder>/code/main.py`, in the project's folder, with TAGRUN_RUN=<run folder>; files come back. At its end the
result commit is made (of a failed or stopped run too). It trains nothing itself and reads no researcher's file.

With --on the runs go to an engine instead: a file extra/on_<name>.py with add_options(parser), check(repository, options), which refuses
what cannot work before a tag is spent, and submit(repository, folders, options), the exit code. What it starts, wherever that is, is
`tagrun continue <tag>/<id>`: of a run without a checkpoint that is its beginning, and of one that was killed the rest.

When a run is about to train, each file extra/before_<name>.py is told: before(repository, folder, info), with the Repository, the run's
folder and the content of its run.json; when it has ended, however it did, after(…) of each extra/after_<name>.py. It comes back at once
(what takes longer it leaves to a process of its own), and what it raises is one line of talk: the run and its exit code are what they were.
"""
import contextlib
import importlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tagrun.command import board, prepare, result, snapshot, verdict
from tagrun.command.git import Failed
from tagrun.command.say import Refusal, duration, quote, say
from tagrun.store import jsonfile, layout, lock, run_json, statistic

FORWARDED = (signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)
RESUMABLE = 75          # EX_TEMPFAIL: stopped by a signal
CTRL_C = 130
LOOK_S = 0.5            # between two looks at a rerun's trace
FOLLOW_S = 2            # in which the processes of a training follow the one that was killed
OWN = ('code', 'checkpoint', 'tensorboard', 'log', 'lock', 'trace.csv')
EXTRA = Path(__file__).resolve().parents[1] / 'extra'


def add_options(options):
    """-d, and where there are engines --on and what they add."""
    options.add_argument('-d', '--detach', action='store_true', help='train in the background')
    options.add_argument('--nproc', metavar='COUNT', type=int, help='train in so many processes; else one, or one for each GPU of CUDA_VISIBLE_DEVICES')
    options.add_argument('--on', metavar='ENGINE', choices=engines(), help=f'train it elsewhere: {", ".join(engines())}')
    for name in engines():
        engine(name).add_options(options)


def check(repository, options):
    """Raises Refusal where the chosen engine cannot work."""
    if options.nproc is not None and not 0 < options.nproc <= run_json.MOST:
        raise Refusal(f'--nproc takes a number from 1 to {run_json.MOST}, not {options.nproc}', code=2)
    if options.on:
        engine(options.on).check(repository, options)


def engines():
    return sorted(path.stem.removeprefix('on_') for path in EXTRA.glob('on_*.py'))


def engine(name):
    return importlib.import_module(f'tagrun.extra.on_{name}')


def train(repository, folder, main=None):
    """Train the run in `folder` to its end; the exit code. main: another main.py than the snapshot's."""
    _refuse_links(folder)
    info = run_json.read(folder)
    board.add(repository, folder)
    watch = verdict.Watch(repository.root, folder, info) if info.get('exact') else None
    _tell('before', repository, folder, info)
    code = _wait(_start(repository, folder, main or folder / 'code' / 'main.py'), watch)
    end = time.monotonic() + FOLLOW_S
    while code < 0 and lock.owner(folder) is not None and time.monotonic() < end:
        time.sleep(LOOK_S / 10)
    if lock.owner(folder) is not None:      # somebody else trains it: our child was refused, and said so
        return 1
    code = _settle(folder, info, code)
    snapshot.clean(folder)
    if watch:
        code = watch.end() or code
    _summary(repository.root, folder, info)
    record_result(repository, folder, info)
    _tell('after', repository, folder, info)
    return code


def _refuse_links(folder):
    """What training opens by name is the run's own: through a link, planted in shared results, it would write elsewhere."""
    for path in (folder, *(folder / name for name in OWN)):
        if path.is_symlink():
            raise Refusal(f'{path} is a link, and training would write where it points: remove it, or put there what it points to')


def begin(repository, folder, options, count=1):
    """Train the prepared run in `folder`, and count - 1 more of its commit, as the options say: here, in the background, on an engine; the exit code."""
    tell_processes(folder, options)
    if options.on:
        info = run_json.read(folder)
        others = [_another_seed(repository, info) for _ in range(1, count)]
        return engine(options.on).submit(repository, [folder, *others], options)
    board.start(repository)
    if options.detach:
        say(f'{folder.parent.name}/{folder.name} trains in the background:  tail -f {quote(folder / "log")}')
        if not in_background():
            return 0
    return train_seeds(repository, folder, count)


def train_seeds(repository, folder, count):
    """Train the run in `folder`, then count - 1 more of its commit, each with a fresh seed; the first exit code that is not 0.

    One that fails does not stop the others; a signal does.
    """
    info, codes = run_json.read(folder), [train(repository, folder)]
    for done in range(1, count):
        if codes[-1] in (RESUMABLE, CTRL_C):
            say(f'tagrun: {done} of {count} runs were begun; when {run_json.name(info)} is done, `rerun {info["tag"]} --seeds {count - done}` adds the others')
            break
        codes.append(train(repository, _another_seed(repository, info)))
    return next((code for code in codes if code), 0)


def tell_processes(folder, options):
    """Say in run.json in how many processes the run is to train, where --nproc was given. Raises Refusal where its code can have one only."""
    if not options.nproc:
        return
    info = run_json.read(folder)
    code = folder / 'code' if info['commit'] else Path(info['root']) / 'code'
    if options.nproc > 1 and not (code / 'tagrun' / 'training' / 'distributed.py').is_file():
        raise Refusal(f'{run_json.name(info)}: its code is older than --nproc, and trains in one process: leave it out')
    run_json.write(folder, {**info, 'nproc': options.nproc})


def processes(folder):
    """In how many processes a run was told to train, or did; None where nothing is known."""
    try:
        return run_json.read(folder).get('nproc') or jsonfile.read(folder / 'environment.json').get('world_size')
    except (OSError, ValueError):
        return None


def _another_seed(repository, info):
    return prepare.another_seed(repository, info['tag'], info['commit'], **({'nproc': info['nproc']} if 'nproc' in info else {}))


def in_background():
    """Go on in a process of its own, without the terminal. True in it; False in the one that was called."""
    sys.stderr.flush()
    if os.fork():
        return False
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nothing, descriptor)
    return True


def _start(repository, folder, main):
    output = None
    if not sys.stderr.isatty() and os.path.samestat(os.fstat(2), os.stat(os.devnull)):  # in the background the log is all there is
        output = os.open(folder / 'log', os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o666)
    return subprocess.Popen([sys.executable, '-u', main], cwd=repository.root, env={**os.environ, run_json.ENVIRONMENT: str(folder)},
                            stdout=output, stderr=output)


def _wait(child, watch):
    """The child's exit code. What asks us to stop is for the child to obey: Ctrl-C at a terminal reaches it by itself."""
    def forward(number, _):
        if number != signal.SIGINT or not _in_foreground():
            child.send_signal(number)
    before = {number: signal.signal(number, forward) for number in (*FORWARDED, signal.SIGINT)}
    try:
        while True:
            try:
                return child.wait(LOOK_S if watch else None)
            except subprocess.TimeoutExpired:
                watch.look()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _in_foreground():
    """Whether a terminal sends its Ctrl-C to our process group, the child's too."""
    try:
        terminal = os.open('/dev/tty', os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def _settle(folder, info, code):
    """Make the status say what happened where training itself could not; the exit code."""
    if code < 0:
        return RESUMABLE
    content = _content(folder) or {'run': run_json.name(info), 'seed': info['seed'], 'commit': info['commit'], 'status': statistic.RUNNING}
    if code and statistic.state(folder, content) == statistic.KILLED:
        with contextlib.suppress(OSError):      # no room for that either: it reads as killed
            statistic.write(folder, {**content, 'status': statistic.FAILED, 'message': f'ended with exit code {code}; the reason was printed'})
    return code


def _summary(root, folder, info):
    """What came out, where it is, what to type next."""
    content = _content(folder) or {'status': statistic.RUNNING, 'metric': {}, 'time': {}}
    name, state = run_json.name(info), statistic.state(folder, content)
    say()
    say(f'{name} {_what(state, content)}')
    for phase in dict.fromkeys(metric.partition('/')[0] for metric in content['metric']):
        figures = [f'{metric.partition("/")[2]} {jsonfile.number(value):.4f}' for metric, value in content['metric'].items()
                   if metric.startswith(f'{phase}/') and jsonfile.number(value) is not None]
        say(f'  {phase:<8} {"   ".join(figures)}')
    say(f'  files    {quote(os.path.relpath(folder, os.getcwd()))}')
    for number, (command, why) in enumerate(_next(info, state)):
        say(f'  {"next" if not number else "":<8} {command:<30} {why}')


def _content(folder):
    """Of statistic.json; {} where it says nothing."""
    try:
        return statistic.read(folder)
    except (OSError, ValueError):
        return {}


def _what(state, content):
    """'finished after 5.1 s of training; the best by val/acc is epoch 42 of 60:'. Why it stopped, training has said itself."""
    seconds = jsonfile.number(content['time'].get('seconds'))
    text = f'{state} after {duration(seconds)} of training' if seconds is not None else str(state)
    if state == statistic.KILLED:
        text += ' (no memory left, or kill -9)'
    if content.get('best_epoch'):
        text += f'; the best by {content.get("watch")} is epoch {content["best_epoch"]} of {content.get("epoch")}:'
    return text


def _next(info, state):
    tag, name = info['tag'], run_json.name(info)
    if tag == layout.SCRATCH:
        return [('run <tag>', 'records the code and trains it')]
    if state == statistic.FINISHED:
        return [(f'rerun {name} -f', 'make it again: the same, bit for bit?'), (f'itb {tag}', 'its curves, in TensorBoard'),
                (f'record {name}; table', 'put it into a table')]
    if state == statistic.FAILED:
        return [(f'git tag -d {tag} && run {tag}', 'the same name again, once the code is mended'),
                (f'continue {name}', 'if the cause was outside the code')]
    return [(f'continue {name}', 'goes on all the same' if state == statistic.PRUNED else 'goes on exactly where it stood')]


def _tell(when, repository, folder, info):
    """Call before(…) or after(…) of every extra/<when>_<name>.py; one that fails stops neither the others nor us."""
    for path in sorted(EXTRA.glob(f'{when}_*.py')):
        try:
            getattr(importlib.import_module(f'tagrun.extra.{path.stem}'), when)(repository, folder, info)
        except Exception as error:
            say(f'tagrun: extra/{path.name}: {type(error).__name__}: {error}'.partition('\n')[0])


def record_result(repository, folder, info):
    """Set refs/tagrun/result/<tag>/<id> to a commit of the run's readable files, child of its code's commit."""
    if not info['commit']:
        return
    try:
        result.record(repository, folder, info)
    except (Failed, OSError, ValueError) as error:
        say(f'tagrun: git did not take the result ({error}); the files are all in {quote(folder)}')
