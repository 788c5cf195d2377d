"""What a run's folder and git say of its code: run.json, its code ref, its tag; and a word where they do not agree.

    info = run(repository, folder)       # its run.json, checked; Refusal where the recorded code is not known for certain

The commit in run.json is what counts; a tag that was deleted or moved since is only told.
"""
from tagrun.command.say import Refusal, quote, say
from tagrun.store import run_json

FURTHER = 'with another seed'   # how the subject of a rerun's side commit ends
TRIAL = 'with other values'     # … and that of a sweep's trial
DEEPEST = 100                   # reruns of reruns that are followed to the tag's commit


def run(repository, folder):
    """The run.json of a run whose code is the one that was recorded. Raises Refusal."""
    info = read(folder)
    name, commit = run_json.name(info), info['commit']
    recorded = repository.resolve(f'refs/tagrun/code/{name}')
    if recorded and recorded != commit:
        raise Refusal(f'{name} ran commit {commit[:10]}, but git says {recorded[:10]}: one of the two was changed')
    _tell_of_the_tag(repository, info['tag'], name, commit)
    return info


def read(folder):
    """The run.json of a run with a commit. Raises Refusal."""
    try:
        info = run_json.read(folder)
    except (OSError, ValueError) as error:
        why = getattr(error, 'strerror', None) or error
        raise Refusal(f'{quote(folder / run_json.NAME)} cannot be read ({why}), so its code is not known: `rerun {folder.parent.name}` runs the tag\'s') from None
    if info.get('imported'):
        raise Refusal(f'{run_json.name(info)} was imported: what code made it nobody recorded, so it cannot go on or be made again')
    if not info['commit']:
        raise Refusal('a scratch run has no recorded code to go on with: `run <tag>` records it')
    return info


def _tell_of_the_tag(repository, tag, name, commit):
    named = repository.resolve(f'refs/tags/{tag}')
    if not named:
        say(f'tagrun: git has no tag {tag!r} any more; {name} has its code, commit {commit[:10]}: git tag {tag} {commit[:10]} brings the name back')
    elif not _leads_to(repository, commit, named):
        say(f'tagrun: the tag {tag!r} names commit {named[:10]} now, which is not the code of {name}; this goes on with that of {name}, commit {commit[:10]}')


def _leads_to(repository, commit, named):
    """Whether a run's commit is the tag's, or that one with another seed or other values. True where git lacks it: then it is refused with the cure later."""
    if not repository.resolve(commit):
        return True
    rows = repository.git('rev-list', '--first-parent', f'--max-count={DEEPEST}', '--format=%H %s', '--end-of-options', commit).splitlines()
    for row in rows[1::2]:      # each after its line `commit <id>`
        if row.startswith(named):
            return True
        if not row.endswith((FURTHER, TRIAL)):
            return False
    return False
