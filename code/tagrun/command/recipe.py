"""List the recipes, show what one would change, or apply it.

A recipe turns the template into another kind of training, e.g. a GAN: the few files that differ,
each trained by Tagrun's tests. It fits files that are as the template has them. --apply writes all
of its files or none, and refuses where work would be lost that is not committed. It commits
nothing.

Exit codes: 0 done, 1 refused, 2 usage.
"""

import json
from collections.abc import Sequence

from tagrun.core import recipes
from tagrun.core.cli.messages import UserError, echo, quote
from tagrun.core.cli.parser import Parser, argument_parser
from tagrun.core.environment import check
from tagrun.core.git.repository import Repository
from tagrun.core.project import ROOT
from tagrun.core.recipes import Change, Recipe

GROUP = 'Care', 4
EXAMPLES = (
    'tagrun recipe                  list them',
    'tagrun recipe gan              what it is, and which files it would change',
    'tagrun recipe gan --diff       every line that it would change, as git shows it',
    'tagrun recipe gan --apply      change them',
)
NAME_WIDTH = 16
STAT = '--stat=78'


def main(argv: Sequence[str]) -> int:
    """Run the command; return its exit code."""
    args = build_parser().parse_args(argv)
    if args.name is None:
        if args.diff or args.apply:
            raise UserError('--diff and --apply need the name of a recipe', code=2)
        _list(args.json)
        return 0
    recipe = recipes.find(args.name)
    repository = Repository.at(ROOT)
    if args.apply:
        change = recipes.plan(repository, recipe)
        recipes.apply(repository, change)
        _report(recipe, change)
        return 0
    if args.diff:
        change = recipes.plan(repository, recipe)
        return repository.show_diff([change.head, change.tree], ['code'])
    _show(repository, recipe, args.json)
    return 0


def build_parser() -> Parser:
    """Return the parser of the command line."""
    parser = argument_parser('recipe', __doc__, EXAMPLES)
    parser.add_argument('name', nargs='?', help='a recipe; without it, all are listed')
    what = parser.add_mutually_exclusive_group()
    what.add_argument('--diff', action='store_true', help='show every line that it would change')
    what.add_argument('--apply', action='store_true', help='write its files into code/')
    what.add_argument('--json', action='store_true', help='for a program')
    return parser


def _list(as_json: bool) -> None:
    known = recipes.listed()
    if as_json:
        print(json.dumps({recipe.name: recipe.sentence for recipe in known}, indent=2))
        return
    for recipe in known:
        print(f'{recipe.name:<{NAME_WIDTH}} {recipe.sentence}')
    echo('\n`tagrun recipe <name>` shows one, and what it would change')


def _show(repository: Repository, recipe: Recipe, as_json: bool) -> None:
    """Print the README, and which files the recipe would change; or that it does not fit."""
    if as_json:
        change = recipes.plan(repository, recipe)
        facts = {'name': recipe.name, 'sentence': recipe.sentence, 'files': list(change.after)}
        print(json.dumps(facts, indent=2))
        return
    print(recipe.readme())
    change = recipes.plan(repository, recipe)
    print(repository.diff(change.head, change.tree, 'code', form=STAT).rstrip('\n'))
    echo(f'\n`tagrun recipe {recipe.name} --diff` shows the lines, `--apply` writes them')


def _report(recipe: Recipe, change: Change) -> None:
    """Say what was written, which packages are missing, and what to type next."""
    echo(f'{recipe.name}: {", ".join(change.after)}')
    if f'code/{check.REQUIREMENTS.name}' in change.after:
        echo(f'  packages {_packages()}')
    echo('  next     git diff                         what was changed')
    echo('           git stash -u -- code             takes it back')
    for line in recipe.commands():
        echo(f'           {line}')


def _packages() -> str:
    """Return how the packages that were added to requirements.txt come into the environment."""
    if not check.is_yours():
        return f'the next command installs what is new in {check.REQUIREMENTS.name} into .venv'
    names = check.missing(check.REQUIREMENTS)
    if not names:
        return f'{check.python()} has them'
    pip = f'{quote(check.python())} -m pip install -r {quote(check.REQUIREMENTS)}'
    return f'{check.python()} lacks {", ".join(names)}: {pip}'
