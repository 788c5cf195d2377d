"""Find the verb's file by its name and run its main(argv).

    python code/tagrun table --sort-by val/acc        (what `tagrun table …` in the shell calls)

It knows no verb: a file in command/ or extra/ that defines main(argv) is one, and the first line of its docstring
is its help. It imports nothing of the researcher's.
"""
import difflib
import errno
import importlib
import os
import sys
from pathlib import Path

if sys.version_info < (3, 10):  # an old environment that is active, or named in TAGRUN_PYTHON
    sys.exit('tagrun: %s is Python %d.%d; 3.10 or newer is needed' % (sys.executable, *sys.version_info[:2]))

STORAGE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.ESTALE, errno.EACCES)   # the disk's fault, and no bug of ours
TOOL = Path(__file__).resolve().parent
ALIASES = {'con': 'continue', 'resume': 'continue', 're': 'rerun', 'expels': 'expls'}


def main(argv):
    # Python put this folder first on sys.path. code/ goes last instead: a researcher's queue.py must not hide Python's.
    sys.path[:] = [entry for entry in sys.path if Path(entry or '.').resolve() != TOOL] + [str(TOOL.parent)]
    sys.path.insert(0, str(TOOL.parent))    # but it is this tagrun, whatever PYTHONPATH has of that name
    import tagrun  # noqa: F401  (the empty package; all else of it is found through it)
    sys.path.pop(0)
    from tagrun.command import say
    try:
        return run_verb(argv)
    except say.Refusal as refusal:
        say.say(f'{say.bold("tagrun:")} {refusal}')
        return refusal.code
    except ModuleNotFoundError as error:
        if os.environ.get('TAGRUN_DEBUG') or (error.name or '').startswith('tagrun'):
            raise
        say.say(f'{say.bold("tagrun:")} the package {error.name!r} is missing in {sys.executable}: '
                f'{say.quote(sys.executable)} -m pip install -r {say.quote(TOOL.parent / "requirements.txt")}')
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `tagrun expls | head -1`: nobody reads on, and that is no error
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if os.environ.get('TAGRUN_DEBUG') or error.errno not in STORAGE:
            raise
        say.say(f'{say.bold("tagrun:")} {error}')   # it names the file
        return 1


def run_verb(argv):
    """Run `argv[0]` with the rest and return its exit code. Raises Refusal for a verb that is none."""
    from tagrun.command import say
    if not argv or argv[0] in ('-h', '--help', 'help'):
        print(usage())
        return 0 if argv else 2
    verb = ALIASES.get(argv[0], argv[0])
    for room in ('command', 'extra'):
        if verb.isidentifier() and (TOOL / room / f'{verb}.py').is_file():
            module = importlib.import_module(f'tagrun.{room}.{verb}')
            if hasattr(module, 'main'):
                return module.main(argv[1:]) or 0
    near = difflib.get_close_matches(argv[0], [*verbs(), *ALIASES], n=1)
    hint = f'did you mean {near[0]!r}?' if near else 'tagrun --help lists them.'
    raise say.Refusal(f'{argv[0]!r} is no verb: {hint}', code=2)


def verbs():
    """{name: first line of its docstring}, read from the files, without importing them."""
    import ast
    found = {}
    for file in sorted([*TOOL.glob('command/*.py'), *TOOL.glob('extra/*.py')]):
        tree = ast.parse(file.read_bytes())
        if any(isinstance(node, ast.FunctionDef) and node.name == 'main' for node in tree.body):
            found[file.stem] = (ast.get_docstring(tree) or '').partition('\n')[0]
    return found


def usage():
    lines = [f'  {name:<10} {sentence}' for name, sentence in verbs().items()]
    return '\n'.join([
        'Every run is tagged in git with its code, config and seed, and trains in a frozen copy of it.', '',
        '  run first              record the code and train it under the tag `first`',
        '  continue first         go on where it stopped',
        '  rerun first -f         make it again and say whether it is the same, bit for bit', '',
        'usage: tagrun <verb> …      tagrun <verb> -h tells more', *lines])


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
