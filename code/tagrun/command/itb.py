"""Show these runs in TensorBoard, live while they train.

TensorBoard runs in the background and shows no other runs. A bare tag means all its runs, @<set>
those of a list. Without a word it shows the runs of the commit you stand on. The same call again
adds what is new and finds the same TensorBoard. It listens on 127.0.0.1 only; what follows -- is
for TensorBoard itself.
"""

import argparse
import hashlib
import os
import shutil
import sys
import webbrowser
from pathlib import Path
from typing import NamedTuple

from tagrun.core.cli import selectors
from tagrun.core.cli.messages import UserError, echo, plural
from tagrun.core.cli.parser import Parser, argument_parser
from tagrun.core.git.repository import Repository
from tagrun.core.launch import tensorboard
from tagrun.core.project import ROOT
from tagrun.core.record import runs_of_head
from tagrun.store import beneath, experlist, safe_read
from tagrun.store.run_ref import RunRef

GROUP = 'Look', 2
EXAMPLES = (
    'itb first                   all runs of a tag',
    'itb first/0 wide @record    one run, a tag, a list',
    'itb                         the runs of the commit you stand on',
    'itb first -- --port 7000    with an option of TensorBoard',
    'itb --stop                  end every TensorBoard of this project',
)
# Each selection has a folder of links, beside that of the project's shared TensorBoard.
PREFIX = 'itb-'
ATTEMPTS = 5  # somebody else may take the port that was free
LOOPBACK = ('127.0.0.1', 'localhost')
SHOWN = 100  # letters of the runs' names


class Flags(NamedTuple):
    """TensorBoard's own options, and what itb must know of them."""

    words: list[str]
    port: int | None
    prefix: str  # of the path of its pages: '' or '/x'


def main(argv: list[str]) -> int:
    """Run the command; return its exit code."""
    args, flags = _parse(argv)
    if args.stop:
        return _stop()
    runs = selectors.several(ROOT, args.run) if args.run else _runs_of_head()
    folder = tensorboard.place(ROOT) / _folder_name(args.run, flags.words)
    _link(folder / 'runs', [RunRef(*run) for run in runs])
    address = _serve(folder, flags)
    names = experlist.compact(runs)
    if len(names) > SHOWN:
        names = plural(len(runs), 'run')
    echo(f'TensorBoard of {names}, until `tagrun itb --stop`:')
    print(address, flush=True)
    if _has_browser():
        webbrowser.open(address)
    return 0


def _parse(argv: list[str]) -> tuple[argparse.Namespace, Flags]:
    """Return what is meant for itb, and TensorBoard's options, which follow a --."""
    end = argv.index('--') if '--' in argv else len(argv)
    parser = build_parser()
    args, unknown = parser.parse_known_args(argv[:end])
    if unknown:
        parser.error(
            f'unknown option {unknown[0]}. Pass TensorBoard options after `--`: itb first -- '
            f'{unknown[0]} …'
        )
    return args, _read_flags(argv[end + 1 :])


def build_parser() -> Parser:
    """Return the parser of the command line."""
    parser = argument_parser('itb', __doc__, EXAMPLES)
    help_run = '<tag> (all its runs), <tag>/<id>, @<set> or @last'
    parser.add_argument('run', nargs='*', help=help_run)
    help_stop = 'end every TensorBoard of this project'
    parser.add_argument('--stop', action='store_true', help=help_stop)
    return parser


def _read_flags(words: list[str]) -> Flags:
    """Return TensorBoard's options. It takes abbreviations, and so does itb.

    Raises UserError for those that would open it to others, or show something else.
    """
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    parser.add_argument('--host', default=LOOPBACK[0])
    parser.add_argument('--bind_all', action='store_true')
    parser.add_argument('--logdir')
    parser.add_argument('--port', type=int)
    parser.add_argument('--path_prefix', default='')
    try:
        args, _ = parser.parse_known_args(words)
    except argparse.ArgumentError as error:
        raise UserError(f"TensorBoard's options: {error}", code=2) from None
    if args.bind_all or args.host not in LOOPBACK:
        raise UserError(
            'a TensorBoard that others on the network can open shows them all: `ssh -L '
            '6006:127.0.0.1:6006 <this machine>` brings it to yours'
        )
    if args.logdir is not None or args.port == 0:
        raise UserError('itb itself gives TensorBoard its --logdir and a free --port')
    return Flags(words, args.port, f'/{args.path_prefix.strip("/")}'.rstrip('/'))


def _runs_of_head() -> list[RunRef]:
    runs = runs_of_head.runs(Repository.at(ROOT))
    if not runs:
        raise UserError(
            "no run was made of the commit you stand on: `itb <tag>` shows a tag's, "
            '`expls` lists them'
        )
    return runs


def _folder_name(words: list[str], flags: list[str]) -> str:
    """Return the name of a selection's folder: the same for the same words."""
    selected = sorted(words) or [Repository.at(ROOT).resolve('HEAD') or '']
    text = '\0'.join([*selected, '--', *flags])
    return PREFIX + hashlib.sha256(text.encode()).hexdigest()[:12]


def _link(logdir: Path, runs: list[RunRef]) -> None:
    """Make `logdir` show just `runs`, of which it may show some already."""
    names = set(map(str, runs))
    for run in runs:
        tensorboard.link(logdir, run.folder(ROOT))
    for link in logdir.glob('*/*'):
        if f'{link.parent.name}/{link.name}' not in names:
            beneath.remove(link)


def _serve(folder: Path, flags: Flags) -> str:
    """Start the selection's TensorBoard, or find it running; return its address once it answers.

    Raises UserError with its last line.
    """
    for _ in range(ATTEMPTS):
        server = tensorboard.serve(folder, folder / 'runs', flags.words, flags.port)
        if server and tensorboard.answers(folder, server['port'], folder / 'runs', flags.prefix):
            return f'http://127.0.0.1:{server["port"]}{flags.prefix}/'
        last = _last_line(folder / tensorboard.LOG)
        if flags.port or 'in use' not in last:
            break
    raise UserError(f'TensorBoard did not come up: {last}')


def _last_line(path: Path) -> str:
    lines = (safe_read.read_or_none(path) or b'').decode(errors='replace').strip().splitlines()
    return lines[-1] if lines else 'it said nothing'


def _stop() -> int:
    selections = list(tensorboard.place(ROOT).glob(f'{PREFIX}*'))
    ended = sum(tensorboard.stop(folder) for folder in [tensorboard.place(ROOT), *selections])
    for folder in selections:
        shutil.rmtree(folder)  # links and a log
    if ended:
        echo(f'{plural(ended, "TensorBoard")} ended')
    else:
        echo('no TensorBoard of this project is running')
    return 0


def _has_browser() -> bool:
    """Return whether somebody sits before a screen that a browser can open on.

    Without a screen Python would take a text browser.
    """
    if os.environ.get('CI') or not (sys.stdout.isatty() and sys.stderr.isatty()):
        return False
    if any(os.environ.get(name) for name in ('DISPLAY', 'WAYLAND_DISPLAY', 'BROWSER')):
        return True
    return sys.platform == 'darwin' and not os.environ.get('SSH_CONNECTION')
