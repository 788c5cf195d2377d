"""Write a run's bare weights to a .safetensors or .pt file.

The file is for other programs. It has the weights alone, by the names of the model's state_dict,
and in its metadata the run, the commit, the checkpoint with its SHA-256, the digest of the weights,
all arguments and the metrics. Without :best, :last or :3 behind the run it is the best checkpoint,
or else the last.

Exit codes: 0 written, 1 refused, 2 usage.
"""

import argparse
import os
from pathlib import Path

from tagrun.core.cli.messages import UserError, echo, plural, quote
from tagrun.core.cli.parser import Parser, argument_parser
from tagrun.core.project import ROOT
from tagrun.extra.loading import checkpoint_file, weights_file
from tagrun.extra.loading.loaded_run import LoadedRun

GROUP = 'Share', 5
EXAMPLES = (
    'tagrun weights first -o model.safetensors      the best epoch of the latest run',
    'tagrun weights first/0:last -o model.pt        the last one, as torch.load reads it',
    'tagrun weights first -o model.pt --force       replace the file',
)
ENDINGS = (weights_file.SAFETENSORS, weights_file.TORCH)


def main(argv: list[str]) -> int:
    """Run `tagrun weights`; return its exit code."""
    args = _parse(argv)
    ref, file = checkpoint_file.of_word(ROOT, args.run)
    path, kind = _destination(args.output, args.force), Path(args.output).suffix
    if kind == weights_file.SAFETENSORS:
        weights_file.require_safetensors()
    run = LoadedRun(ROOT, ref, file)
    weights = weights_file.weights_of(run)
    metadata = weights_file.metadata_of(run, weights)
    weights_file.write(path, kind, weights, metadata)
    count = sum(tensor.numel() for tensor in weights.values() if hasattr(tensor, 'numel'))
    echo(
        f'{quote(args.output)}: {plural(len(weights), "tensor")}, {plural(count, "number")}, of '
        f'{ref}, {run.checkpoint.file}\n'
        f'SHA-256 of the weights: {metadata["weights"]}'
    )
    return 0


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = build_parser()
    args = parser.parse_args(argv)
    if not args.output.endswith(ENDINGS):
        parser.error(f'-o {args.output}: the name ends in {" or ".join(ENDINGS)}')
    return args


def build_parser() -> Parser:
    """Return the parser of the command line."""
    parser = argument_parser('weights', __doc__, EXAMPLES)
    parser.add_argument('run', help='<tag>/<id>, <tag> or @last; :best, :last, :3 behind it')
    parser.add_argument(
        '-o', '--output', metavar='FILE', required=True, help='it ends in .safetensors or .pt'
    )
    parser.add_argument('--force', action='store_true', help='replace the file if there is one')
    return parser


def _destination(output: str, force: bool) -> Path:
    """Return where to write, behind the user's own links. Raises UserError."""
    path = Path(os.path.realpath(output))
    if path.exists() and not path.is_file():
        raise UserError(f'{output} is not a file: name one')
    if path.exists() and not force:
        raise UserError(f'{output} exists: --force replaces it')
    if not path.parent.is_dir():
        raise UserError(f'{output}: there is no folder {path.parent}')
    return path
