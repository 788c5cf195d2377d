"""TensorBoard on just these runs, live while they train, in the background.

A bare tag means all its runs, @<set> those of a list; without any it shows the runs of the commit you stand on. The same call again
takes in what is new and finds the same TensorBoard. It listens on 127.0.0.1 alone; what follows -- is for TensorBoard itself.
"""
import argparse
import hashlib
import os
import shutil
import sys
import webbrowser
from pathlib import Path

from tagrun.command import board, choose, here
from tagrun.command.git import Repository
from tagrun.command.say import Refusal, parser, plural, say
from tagrun.store import experlist, layout

EXAMPLES = ('itb first                   all runs of a tag',
            'itb first/0 wide @record    one run, a tag, a list',
            'itb                         the runs of the commit you stand on',
            'itb first -- --port 7000    with a flag of TensorBoard',
            'itb --stop                  end every TensorBoard of this project')
PREFIX = 'itb-'     # of the folders that hold a selection's links; the project's shared TensorBoard lies beside them
ATTEMPTS = 5        # somebody else may take the port that was free
LOOPBACK = ('127.0.0.1', 'localhost')
SHOWN = 100         # letters of the runs' names
ROOT = Path(__file__).resolve().parents[3]


def main(argv):
    options, flags = _options(argv)
    if options.stop:
        return _stop()
    runs = choose.several(ROOT, options.run) if options.run else _of_head()
    place = board.place(ROOT) / _key(options.run, flags.words)
    _link(place / 'runs', runs)
    address = _serve(place, flags)
    names = experlist.compact(runs)
    say(f'TensorBoard of {names if len(names) <= SHOWN else plural(len(runs), "run")}, until `tagrun itb --stop`:')
    print(address, flush=True)
    if _has_browser():
        webbrowser.open(address)


def _options(argv):
    """Ours, and TensorBoard's, which follow a --."""
    ours, theirs = (argv[:argv.index('--')], argv[argv.index('--') + 1:]) if '--' in argv else (argv, [])
    options = parser('itb', __doc__, EXAMPLES)
    options.add_argument('run', nargs='*', help='<tag> (all its runs), <tag>/<id>, @<set> or @last')
    options.add_argument('--stop', action='store_true', help='end every TensorBoard of this project')
    found, unknown = options.parse_known_args(ours)
    if unknown:
        options.error(f'{unknown[0]} is none of ours; flags of TensorBoard follow a --: itb first -- {unknown[0]} …')
    return found, _flags(theirs)


def _flags(words):
    """TensorBoard's flags, and what we must know of them; it takes abbreviations, and so do we. Raises Refusal."""
    flags = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    flags.add_argument('--host', default=LOOPBACK[0])
    flags.add_argument('--bind_all', action='store_true')
    flags.add_argument('--logdir')
    flags.add_argument('--port', type=int)
    flags.add_argument('--path_prefix', default='')
    try:
        found, _ = flags.parse_known_args(words)
    except argparse.ArgumentError as error:
        raise Refusal(f'TensorBoard\'s flags: {error}', code=2) from None
    if found.bind_all or found.host not in LOOPBACK:
        raise Refusal('a TensorBoard that others on the network can open shows them all: `ssh -L 6006:127.0.0.1:6006 <this machine>` brings it to yours')
    if found.logdir is not None or found.port == 0:
        raise Refusal('itb itself gives TensorBoard its --logdir and a free --port')
    found.words = words
    return found


def _of_head():
    runs = here.runs(Repository.at(ROOT))
    if not runs:
        raise Refusal('no run was made of the commit you stand on: `itb <tag>` shows a tag\'s, `expls` lists them')
    return runs


def _key(words, flags):
    """The folder of a selection: the same for the same words."""
    words = [*sorted(words), '--', *flags] if words else [Repository.at(ROOT).resolve('HEAD'), '--', *flags]
    return PREFIX + hashlib.sha256('\0'.join(words).encode()).hexdigest()[:12]


def _link(logdir, runs):
    """Make `logdir` show just `runs`, of which some may have been there."""
    names = {f'{tag}/{number}' for tag, number in runs}
    for tag, number in runs:
        board.link(logdir, layout.run_folder(ROOT, tag, number))
    for link in logdir.glob('*/*'):
        if f'{link.parent.name}/{link.name}' not in names:
            link.unlink()


def _serve(place, flags):
    """Start the selection's TensorBoard, or find it running; its address, once it answers. Raises Refusal with its last words."""
    prefix = f'/{flags.path_prefix.strip("/")}'.rstrip('/')
    for _ in range(ATTEMPTS):
        server = board.serve(place, place / 'runs', flags.words, flags.port)
        if server and board.answers(place, server['port'], place / 'runs', prefix):
            return f'http://127.0.0.1:{server["port"]}{prefix}/'
        last = _last_line(place / 'server.log')
        if flags.port or 'in use' not in last:
            break
    raise Refusal(f'TensorBoard did not come up: {last}')


def _last_line(path):
    lines = path.read_text(errors='replace').strip().splitlines()
    return lines[-1] if lines else 'it said nothing'


def _stop():
    selections = list(board.place(ROOT).glob(f'{PREFIX}*'))
    ended = sum(board.stop(place) for place in [board.place(ROOT), *selections])
    for place in selections:
        shutil.rmtree(place)    # links and a log
    say(f'{plural(ended, "TensorBoard")} ended' if ended else 'no TensorBoard of this project is running')


def _has_browser():
    """Whether somebody sits before a screen that a browser can open on; without one Python would take a text browser."""
    if os.environ.get('CI') or not (sys.stdout.isatty() and sys.stderr.isatty()):
        return False
    if any(os.environ.get(name) for name in ('DISPLAY', 'WAYLAND_DISPLAY', 'BROWSER')):
        return True
    return sys.platform == 'darwin' and not os.environ.get('SSH_CONNECTION')
