"""Use a run's model on new files, and write the results as CSV.

A process of its own runs the code that the run was trained with, and its predict.py: predict(model,
args, paths) yields a dict for each row. The rows go to stdout, or to the file of -o, which is
written as a whole or not at all. A file that cannot be read is named, and the others go on. Without
:best, :last or :3 behind the run it is the best checkpoint, or else the last.

Exit codes: 0 done, 1 a file was bad or it failed, 2 usage, 130 Ctrl-C.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType
from typing import Any, BinaryIO

from tagrun.core.cli.messages import UserError, echo
from tagrun.core.cli.parser import Parser, argument_parser
from tagrun.core.launch import training_environment
from tagrun.core.project import CODE, ROOT
from tagrun.extra.loading import checkpoint_file, row_writer
from tagrun.store import atomic, run_json
from tagrun.store.run_ref import RunRef

GROUP = 'Run', 6
EXAMPLES = (
    'tagrun predict first signals.npy               the rows to stdout',
    'tagrun predict first/0:last new/*.csv -o out.csv',
    'tagrun predict first new/*.npy -o out.jsonl    a line of JSON for each row',
)
DONE, SOME_BAD, CTRL_C = 0, 1, 130  # exit codes of the process with which its rows count, and not
GRACE_S = 5  # for that process to end
ENDING = '.jsonl'
# the first entry, '', would be the user's folder, where a queue.py may lie
PROGRAM = (
    'import sys; sys.path[:] = [*filter(None, sys.path), sys.argv[1]]; '
    'from tagrun.extra.loading import predict_worker; predict_worker.main()'
)


class _Failed(Exception):
    """The process failed: what it wrote does not count."""


def main(argv: list[str]) -> int:
    """Run `tagrun predict`; return its exit code."""
    args = _parse(argv)
    ref, file = checkpoint_file.of_word(ROOT, args.run)
    request = {
        'root': str(ROOT),
        'run': str(ref),
        'file': file or checkpoint_file.default(ROOT, ref),
        'paths': args.path,
        'output': args.output,
        'kind': row_writer.CSV,
        'device': args.device,
        'shows': bool(args.output) or not sys.stdout.isatty(),
    }
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _exit)
    if not args.output:
        code = _run(ref, request, None)
        return code if code in (DONE, SOME_BAD, CTRL_C) else 1
    if args.output.endswith(ENDING):
        request['kind'] = row_writer.JSONL
    return _write(_destination(args.output, args.path), ref, request)


def _parse(argv: list[str]) -> argparse.Namespace:
    return build_parser().parse_args(argv)


def build_parser() -> Parser:
    """Return the parser of the command line."""
    parser = argument_parser('predict', __doc__, EXAMPLES)
    parser.add_argument('run', help='<tag>/<id>, <tag> or @last; :best, :last, :3 behind it')
    parser.add_argument('path', nargs='+', help='a file that the run\'s predict.py reads')
    parser.add_argument(
        '-o', '--output', metavar='FILE', help='write CSV there; JSON lines if it ends in .jsonl'
    )
    parser.add_argument(
        '--device', metavar='NAME', help="cpu, cuda, …; without it the run's own device argument"
    )
    return parser


def _destination(output: str, paths: list[str]) -> Path:
    """Return where to write, behind the user's own links. Raises UserError."""
    path = Path(os.path.realpath(output))
    if path.exists() and not path.is_file():
        raise UserError(f'{output} is not a file: name one, or leave -o out for stdout')
    if str(path) in map(os.path.realpath, paths):
        raise UserError(f'{output} is one of the files to read: name another one')
    if not path.parent.is_dir():
        raise UserError(f'{output}: there is no folder {path.parent}')
    return path


def _write(path: Path, ref: RunRef, request: dict[str, Any]) -> int:
    """Have the rows written to a file that appears when all are there; return the exit code."""
    code = 1
    try:
        with atomic.replacing(path, durable=False) as file:
            code = _run(ref, request, file)
            if code not in (DONE, SOME_BAD):
                raise _Failed
    except _Failed:
        return CTRL_C if code == CTRL_C else 1
    except KeyboardInterrupt:
        echo(f'tagrun: stopped; {request["output"]} is not written')
        return CTRL_C
    except OSError as error:
        raise UserError(f'{path} cannot be written: {error.strerror}') from None
    return code


def _run(ref: RunRef, request: dict[str, Any], file: BinaryIO | None) -> int:
    """Run the process, its rows to a file or to stdout; return its exit code."""
    info = run_json.read_or_none(ref.folder(ROOT)) or {}
    process = subprocess.Popen(
        [sys.executable, '-c', PROGRAM, str(CODE)],
        env=training_environment.build(os.environ, info.get('seed', 0)),
        stdin=subprocess.PIPE,
        stdout=file,
    )
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps(request).encode() + b'\n')
        process.stdin.flush()
        code = process.wait()
    finally:
        # it ends itself when this is closed
        process.stdin.close()
        try:
            process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
    if code < 0:
        name = signal.Signals(-code).name
        echo(f'tagrun: the process was killed by {name}; it may have lacked memory')
    return code


def _exit(number: int, frame: FrameType | None) -> None:
    """End by an exception, so that no half file stays behind."""
    raise SystemExit(128 + number)
