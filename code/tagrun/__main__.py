"""Find the command's file by its name and run its main(argv).

    python code/tagrun table --sort-by val/acc        (what `tagrun table …` in the shell calls)

It has no list of commands: a file in command/ or in a folder of extra/ that defines main(argv) is
one. core/cli/root_help.py reads their lines. It imports nothing of the researcher's.
"""

import difflib
import errno
import io
import os
import sys
from pathlib import Path

# An old environment may be active, or named in TAGRUN_PYTHON.
if sys.version_info < (3, 10):  # noqa: UP036  (an older Python reads these lines)
    number = '.'.join(map(str, sys.version_info[:2]))
    sys.exit(f'tagrun: {sys.executable} is Python {number}; 3.10 or newer is needed')

# errors of the disk, not of Tagrun
STORAGE = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EROFS,
    errno.EIO,
    errno.ESTALE,
    errno.EACCES,
    # a link, or what is not a file, that somebody put among the records
    errno.ELOOP,
    errno.EINVAL,
)
TOOL = Path(__file__).resolve().parent
ALIASES = {
    'con': 'continue',
    'resume': 'continue',
    're': 'rerun',
    'expels': 'expls',
    'cancel': 'stop',
}
# what other tools call it, and what it is here
INSTEAD = {
    'status': '`expls` shows what trains and what has ended',
    'list': '`expls` lists all runs',
    'ls': '`expls` lists all runs',
    'show': '`expls <run>` lists runs, `table` compares them',
    'ps': '`expls` shows what trains',
    'log': '`expls` lists all runs; the log of one is __result__/<tag>/<id>/log',
    'logs': "a run's log is __result__/<tag>/<id>/log; `queue logs` shows those of the queue",
    'kill': '`stop <run>` saves a run and stops it',
    'delete': 'a run is a folder: `rm -r __result__/<tag>/<id>`; its code stays in git',
    'remove': 'a run is a folder: `rm -r __result__/<tag>/<id>`; its code stays in git',
    'rm': 'a run is a folder: `rm -r __result__/<tag>/<id>`; its code stays in git',
    'compare': '`table` compares runs, `why <run> <run>` shows how two differ',
    'start': '`run <tag>` records the code and trains it',
    'train': '`run <tag>` records the code and trains it',
    'init': 'there is nothing to initialize: `run first` records a run and trains it',
    'install': '`setup` installs the packages into .venv',
    'tensorboard': '`itb` opens TensorBoard',
    'push': '`share <run>` sends a run to a remote',
    'pull': '`fetch` brings runs of a remote',
    'version': '`tagrun --version`',
}
HELP = ('-h', '--help', 'help')
VERSION = ('-V', '--version')


def main(argv: list[str]) -> int:
    """Run a command line; return its exit code. An error is printed as one sentence."""
    _open_streams()
    _set_path()
    # pictures go to files; a notebook's backend may not be installed here
    os.environ['MPLBACKEND'] = 'Agg'
    from tagrun.core.cli import messages

    try:
        return run_command(argv)
    except messages.UserError as error:
        return _fail(str(error), error.code)
    except ModuleNotFoundError as error:
        if os.environ.get('TAGRUN_DEBUG') or (error.name or '').startswith('tagrun'):
            raise
        return _fail(_missing_package(error))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `tagrun expls | head -1`: nothing reads on, and that is not an error
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if os.environ.get('TAGRUN_DEBUG') or error.errno not in STORAGE:
            raise
        return _fail(str(error))  # it names the file


def run_command(argv: list[str]) -> int:
    """Run `argv[0]` with the rest; return its exit code. Raises UserError."""
    from tagrun.core import finder

    if not argv or argv[0] in HELP:
        return _help(argv)
    if argv[0] in VERSION:
        print(f'tagrun {version()}')
        return 0
    module = finder.command(ALIASES.get(argv[0], argv[0]))
    if module is None:
        raise _unknown(argv[0])
    return module.main(argv[1:]) or 0


def _help(argv: list[str]) -> int:
    """Show the help of all commands, or of the one in `help run`. No word at all is wrong usage."""
    from tagrun.core.cli import help_text, root_help

    if len(argv) > 1 and argv[0] == 'help':
        return run_command([argv[1], '-h'])
    print(root_help.text(help_text.terminal_width()))
    return 0 if argv else 2


def version() -> str:
    """Return the text of the file VERSION, e.g. '1.1.0'."""
    return (TOOL / 'VERSION').read_text().strip()


def _open_streams() -> None:
    """Open /dev/null for each standard stream that is closed, as in `run t1 >&-`.

    Else the next file that is opened would take its descriptor, and what a child prints.
    """
    for descriptor, name in enumerate(('stdin', 'stdout', 'stderr')):
        try:
            os.fstat(descriptor)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_RDWR), descriptor)
            os.set_inheritable(descriptor, True)
        if getattr(sys, name) is None:
            mode = 'w' if descriptor else 'r'
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))
    if isinstance(sys.stdout, io.TextIOWrapper):
        # an ASCII locale: what it lacks is shown as an escape
        sys.stdout.reconfigure(errors='backslashreplace')


def _set_path() -> None:
    """Put code/ last on sys.path, where Python had put this folder first.

    A researcher's queue.py must not hide Python's own.
    """
    others = [entry for entry in sys.path if Path(entry or '.').resolve() != TOOL]
    # but it is this tagrun, whatever PYTHONPATH has of that name
    sys.path[:] = [str(TOOL.parent), *others]
    import tagrun  # noqa: F401  (the empty package; all else of it is found through it)

    sys.path[:] = [*others, str(TOOL.parent)]


def _unknown(word: str) -> Exception:
    """Return the error for a word that is not a command."""
    from tagrun.core import finder
    from tagrun.core.cli import messages

    if word in INSTEAD:
        return messages.UserError(f'unknown command {word!r}: {INSTEAD[word]}', code=2)
    near = difflib.get_close_matches(word, [*finder.command_files(), *ALIASES], n=1)
    hint = f'did you mean {near[0]!r}?' if near else '`tagrun --help` lists all commands'
    return messages.UserError(f'unknown command {word!r}: {hint}', code=2)


def _missing_package(error: ModuleNotFoundError) -> str:
    from tagrun.core.cli.messages import quote

    install = f'{quote(sys.executable)} -m pip install -r {quote(TOOL.parent / "requirements.txt")}'
    return f'the package {error.name!r} is missing in {sys.executable}: {install}'


def _fail(sentence: str, code: int = 1) -> int:
    from tagrun.core.cli import messages

    messages.echo(messages.styled('tagrun:', 'bold'), f' {sentence}')
    return code


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
