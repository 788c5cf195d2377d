"""Install the packages of code/requirements.txt into .venv.

.venv is the project's own environment, with exactly those versions. The first command that needs
packages does it by itself. uv installs them if it is on the PATH, else pip. An environment of
yours, active or named in TAGRUN_PYTHON, is used as it is: nothing is installed into it, and what it
lacks is named. A `setup` that was killed begins again with an empty .venv.
"""

from tagrun.core.cli.messages import echo
from tagrun.core.cli.parser import Parser, argument_parser
from tagrun.core.environment import check, install

GROUP = 'Care', 1
EXAMPLES = (
    'tagrun setup            make .venv now',
    'tagrun setup --test     with what `tagrun test` needs, too',
)


def main(argv: list[str]) -> None:
    """Install what is missing, or say that nothing is."""
    args = build_parser().parse_args(argv)
    files = [check.REQUIREMENTS]
    if args.test:
        files.append(check.FOR_TESTS)
    if not install.install(files):
        names = ' and '.join(file.name for file in files)
        echo(f'tagrun: nothing to set up: {check.python()} has all of {names}')


def build_parser() -> Parser:
    """Return the parser of the command line."""
    parser = argument_parser('setup', __doc__, EXAMPLES)
    parser.add_argument('--test', action='store_true', help='also the packages that the tests need')
    return parser
