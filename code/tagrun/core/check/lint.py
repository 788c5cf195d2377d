"""Check Tagrun's own source: ruff (style), ruff format, mypy (types), shellcheck (shell).

failed = lint.run_all(python)           # ['mypy'], after its remarks were printed; [] if clean

The settings are in code/tagrun/ruff.toml and mypy.ini. The researcher's files are checked too, and
never formatted.
"""

import os
import subprocess
from pathlib import Path

from tagrun.core.project import CODE, ROOT, TOOL

SHELL_FILES = (
    CODE / 'source.sh',
    TOOL / 'completion.sh',
    TOOL / 'docker' / 'build.sh',
    ROOT / '.ci' / 'run',
)


def run_all(python: str) -> list[str]:
    """Run each tool; return the names of those that found something. Their output is printed.

    python: the interpreter whose environment has the packages and the tools.
    """
    tools: dict[str, list[str | Path]] = {
        'ruff check': ['ruff', 'check', '--config', TOOL / 'ruff.toml', CODE],
        'ruff format': ['ruff', 'format', '--check', '--config', TOOL / 'ruff.toml', CODE],
        'mypy': ['mypy', '--config-file', TOOL / 'mypy.ini', '--python-executable', python],
        'shellcheck': ['shellcheck', *filter(Path.is_file, SHELL_FILES)],
    }
    return [name for name, words in tools.items() if not _is_clean(python, words)]


def _is_clean(python: str, words: list[str | Path]) -> bool:
    """Run a tool that lies beside `python`, in code/, where mypy finds the package tagrun."""
    program = Path(python).with_name(str(words[0]))
    arguments = [str(word) for word in words[1:]]
    no_cache = {'RUFF_NO_CACHE': 'true', 'MYPY_CACHE_DIR': os.devnull}
    environment = {**os.environ, **no_cache}
    return subprocess.run([program, *arguments], cwd=CODE, env=environment).returncode == 0
