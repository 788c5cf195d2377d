"""The program that runs config.py in a process of its own; config_probe.py starts it.

    python config_program.py request.json           # {"code": folder, "sources": [text, …], …}

For each source it writes into the file that the request names: the arguments, or why they could
not be had. It runs beside any commit's code, so it loads arguments.py by its path.
"""

import contextlib
import importlib.util
import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

ARGUMENTS = Path(__file__).resolve().parents[2] / 'store' / 'arguments.py'
MISSING = object()


def main(file: str) -> None:
    """Answer the request in a file."""
    request = json.loads(Path(file).read_text(encoding='utf-8'))
    code = request['code']
    # as `python <code>/main.py` has them
    sys.path[0], sys.argv = code, [os.path.join(code, 'main.py')]
    arguments = _load(ARGUMENTS)
    answers = [
        _evaluate(arguments, code, source, expected)
        for source, expected in zip(request['sources'], request['expected'], strict=True)
    ]
    Path(request['answer']).write_text(json.dumps(answers), encoding='utf-8')


def _load(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location('tagrun_arguments', path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _evaluate(arguments: Any, code: str, source: str, expected: dict[str, Any]) -> dict[str, Any]:
    """Return {'values': …, 'lines': …}, or {'refused': why}, or {'error': …, 'file': …, 'line': …}.

    expected: {name: value} that the text seems to give; of those with another value `lines` says
    which line of config.py set it last.
    """
    path = os.path.join(code, 'config.py')
    try:
        module = _run(source, path)
    except BaseException as error:  # a SystemExit of the researcher's ends no run of ours
        return _described(error, code)
    try:
        values = arguments.of_module(module, source)
    except (TypeError, ValueError) as error:
        return {'refused': str(error)}
    other = arguments.differing(values, expected)
    lines = _setting_lines(source, path, list(other)) if other else {}
    return {'values': values, 'lines': lines}


def _run(source: str, path: str, trace: Callable[..., Any] | None = None) -> ModuleType:
    """Return the module that config.py is with this text."""
    module = ModuleType('config')
    module.__file__ = path
    _forget_modules(os.path.dirname(path))
    sys.modules['config'] = module
    compiled = compile(source, path, 'exec', dont_inherit=True)
    sys.settrace(trace)
    try:
        exec(compiled, vars(module))
    finally:
        sys.settrace(None)
    return module


def _forget_modules(code: str) -> None:
    """Forget the modules of code/, so that each source imports them as the first one did."""
    for name, module in list(sys.modules.items()):
        if str(getattr(module, '__file__', None)).startswith(code + os.sep):
            del sys.modules[name]


def _setting_lines(source: str, path: str, names: list[str]) -> dict[str, int]:
    """Return {name: the line of config.py that set it last}, of what the run again changes."""
    lines: dict[str, int] = {}
    texts: dict[str, str] = {}
    current = 1

    def look(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal current
        if frame.f_code.co_filename != path:
            return None
        compare()
        caller = frame.f_back
        if event == 'return' and caller and caller.f_code.co_filename == path:
            current = caller.f_lineno
        else:
            current = frame.f_lineno
        return look

    def compare() -> None:
        namespace = vars(sys.modules['config'])
        for name in names:
            text = repr(namespace.get(name, MISSING))
            if texts.get(name) != text:
                texts[name], lines[name] = text, current

    with contextlib.suppress(BaseException):
        _run(source, path, look)
        compare()
    return lines


def _described(error: BaseException, code: str) -> dict[str, Any]:
    """Return an error, and the innermost line of the researcher's own that it came through."""
    text = ''.join(traceback.format_exception_only(type(error), error)).strip()
    calls = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        text = f'{type(error).__name__}: {error.msg}'
        calls.append((error.filename, error.lineno))
    own = [(file, line) for file, line in calls if _is_own(file, code)]
    file, line = own[-1] if own else ('config.py', None)
    return {'error': text, 'file': os.path.relpath(file, code) if own else file, 'line': line}


def _is_own(file: str, code: str) -> bool:
    inside = file.startswith(code + os.sep)
    return inside and not os.path.relpath(file, code).startswith('tagrun' + os.sep)


if __name__ == '__main__':
    main(sys.argv[1])
