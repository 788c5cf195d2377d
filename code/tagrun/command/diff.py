"""Show the code of two runs beside each other, as git does: its colours, its pager.

With one run, what the files you have now are different in. All of code/ is compared, config.py and seed too. It is the code alone:
`why A B` names all else that may have made the results differ.
"""
from pathlib import Path

from tagrun.command import choose, recorded
from tagrun.command.git import Repository
from tagrun.command.say import Refusal, parser
from tagrun.store import layout, names

EXAMPLES = ('diff first wide          the code of their latest runs',
            'diff first/0 first/3     of two runs of one tag',
            'diff first               what you have changed since',
            'diff first wide --stat   which files, and how much')
ROOT = Path(__file__).resolve().parents[3]


def main(argv):
    options = parser('diff', __doc__, EXAMPLES)
    options.add_argument('run', help='<tag> (its latest run), <tag>/<id>, or @last')
    options.add_argument('other', nargs='?', help='the other run; without it, the files as they are now')
    options.add_argument('--stat', action='store_true', help='a line for each file, instead of what changed')
    options = options.parse_args(argv)
    repository = Repository.at(ROOT)
    commits = [commit(repository, word) for word in (options.run, options.other) if word is not None]
    return repository.show_diff(commits, ['code'], *(['--stat'] if options.stat else []))


def commit(repository, word):
    """The commit that a run ran; of one that only git knows, too. Raises Refusal."""
    try:
        tag, number = choose.run(ROOT, word)
    except Refusal:
        found = names.split_run(word) and (repository.resolve(f'refs/tagrun/code/{word}') or repository.resolve(f'refs/tags/{word}'))
        if not found:
            raise
        return found
    found = recorded.read(layout.run_folder(ROOT, tag, number))['commit']
    if not repository.resolve(found):
        raise Refusal(f'commit {found[:10]} of {tag}/{number} is not in this repository: git fetch origin {found} brings it, if it was pushed')
    return found
