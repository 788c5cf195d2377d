"""Look at what the researcher's files import, before a tag is spent on a module that is missing.

    check(repository.root / 'code', files)

It reads the files' text and imports nothing. It finds a module that git ignores, which a run's
frozen copy would lack, and a file that hides an installed package whose parts are imported.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tagrun.core.cli.messages import UserError, echo, quote
from tagrun.core.record.code_check import is_installed
from tagrun.core.record.snapshot import LINK, File

MAIN, ENDING = 'main.py', '.py'
OURS = 'tagrun'
TRY = tuple(getattr(ast, name) for name in ('Try', 'TryStar') if hasattr(ast, name))


class Import(NamedTuple):
    """An import of a module; of `from a import b` there is a second one, for b may be a module."""

    file: str  # that has it, below code/
    line: int
    parts: tuple[str, ...]  # ('lib', 'parts')
    at_start: bool  # done as the file is imported, for it is in no function, `if` or `try`
    is_module: bool  # False: the last part may be an attribute, too


def check(code: Path, files: list[File]) -> None:
    """Raise UserError for an import that must fail in a run, and name hidden packages.

    code: the folder of the work tree. files: those that a run would have.
    """
    own = [file for file in files if file.mode != LINK and not file.path.startswith(f'{OURS}/')]
    contents = {file.path: file.content for file in own}
    known = {file.path for file in files}
    known |= {str(parent) for path in known for parent in Path(path).parents}
    for item in _reachable_imports(contents):
        if item.at_start:
            _check_recorded(code, known, item)
        _check_package(known, item)
    _report_hidden(known)


def _reachable_imports(contents: dict[str, bytes]) -> Iterator[Import]:
    """Yield the imports of main.py and of the files that it imports, directly or not."""
    waiting, seen = [MAIN], {MAIN}
    while waiting:
        file = waiting.pop()
        for item in _imports(file, contents[file]):
            yield item
            new = contents.keys() & set(_paths(item.parts)) - seen
            seen |= new
            waiting += sorted(new)


def _paths(parts: tuple[str, ...]) -> Iterator[str]:
    """Yield the files that a module and the packages around it may be."""
    for count in range(1, len(parts) + 1):
        path = '/'.join(parts[:count])
        yield from (f'{path}{ENDING}', f'{path}/__init__{ENDING}')


def _imports(file: str, content: bytes) -> Iterator[Import]:
    """Yield what a file imports, but nothing within `try`: it can do without that."""
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):  # code_check says so
        return
    for node, at_start in _statements(tree.body, True):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for parts, is_module in _modules(file, node):
                yield Import(file, node.lineno, parts, at_start, is_module)


def _statements(body: list[ast.stmt], at_start: bool) -> Iterator[tuple[ast.stmt, bool]]:
    """Yield each statement, but for those within `try`, and whether it is done at the import."""
    for node in body:
        yield node, at_start
        if not isinstance(node, TRY):
            for part in (node, *getattr(node, 'cases', ())):
                for name in ('body', 'orelse'):
                    yield from _statements(getattr(part, name, []), False)


def _modules(
    file: str, node: ast.Import | ast.ImportFrom
) -> Iterator[tuple[tuple[str, ...], bool]]:
    """Yield the modules that a statement imports, or (False) may import."""
    if isinstance(node, ast.Import):
        yield from ((tuple(alias.name.split('.')), True) for alias in node.names)
        return
    around = Path(file).parts[: -node.level] if node.level else ()
    package = (*around, *node.module.split('.')) if node.module else around
    if package:
        yield package, True
    yield from (((*package, alias.name), False) for alias in node.names)


def _check_recorded(code: Path, known: set[str], item: Import) -> None:
    """Raise UserError for a module of code/ that git does not record."""
    for count in range(1, len(item.parts) + 1):
        path = '/'.join(item.parts[:count])
        if path in known or f'{path}{ENDING}' in known:
            continue
        present = _present(code, path)
        if present and not (count == 1 and is_installed(path)):
            raise UserError(
                f'code/{item.file}, line {item.line}, imports {".".join(item.parts[:count])}, '
                f'but git ignores code/{present}, and the run would lack it: '
                f'git add -f {quote(f"code/{present}")}'
            )
        return


def _present(code: Path, path: str) -> str:
    """Return the file or folder of code/ that a module is in; '' where there is no such."""
    if (code / f'{path}{ENDING}').is_file():
        return f'{path}{ENDING}'
    return path if any((code / path).glob(f'*{ENDING}')) else ''


def _check_package(known: set[str], item: Import) -> None:
    """Raise UserError for a part of a package that a file of the researcher's hides."""
    name = item.parts[0]
    hides = f'{name}{ENDING}' in known and name not in known
    is_part = len(item.parts) > 1 and item.is_module
    if hides and is_part and (is_installed(name) or name in sys.stdlib_module_names):
        raise UserError(
            f'code/{item.file}, line {item.line}, imports {".".join(item.parts)}, but '
            f'code/{name}{ENDING} hides the package {name}: rename code/{name}{ENDING}'
        )


def _report_hidden(known: set[str]) -> None:
    """Say which installed packages cannot be imported in a run."""
    modules = {path.removesuffix(ENDING) for path in known if path.endswith(ENDING)}
    modules |= {path.removesuffix('/__init__') for path in modules}
    for name in sorted(module for module in modules if '/' not in module and module != OURS):
        if name not in sys.stdlib_module_names and is_installed(name):
            echo(
                f'tagrun: code/{name} hides the installed package {name}: `import {name}` means '
                'yours, in other packages too'
            )
