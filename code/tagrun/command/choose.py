"""Which runs the words of a command line mean: TAG, TAG/ID, a unique prefix of a tag, @last; where several are meant, @<set> too.

    tag, number = run(root, 't1')            # ('t1', 2): the latest of the tag
    several(root, ['t1', '@record'])         # [('t1', 0), ('t1', 1), ('t1', 2), …]: all its runs, and those of a list
"""
from tagrun.command import sets
from tagrun.command.say import Refusal, did_you_mean, plural, say
from tagrun.store import experlist, layout, names


def run(root, word):
    """(tag, id) of one run that has a folder; of a bare tag the latest. Raises Refusal."""
    tag, number = parts(root, word)
    known = layout.numbers(root, tag)
    if number is None and known:
        return tag, known[-1]
    if number not in known:
        raise Refusal(f'there is no run {word!r}: {tag} has {plural(len(known), "run")}' + (f', {known[0]} to {known[-1]}' if known else ''))
    return tag, number


def several(root, words):
    """[(tag, id), …] of words, each once; a bare tag means all its runs. Raises Refusal."""
    return list(dict.fromkeys(name for word in words for name in _several(root, word)))


def _several(root, word):
    if word.startswith('@') and word != '@last':
        return _of_set(root, word[1:])
    tag, number = parts(root, word)
    return [(tag, each) for each in layout.numbers(root, tag)] if number is None else [run(root, f'{tag}/{number}')]


def _of_set(root, name):
    """The runs of a list; its bad lines are named, and the others count."""
    listed = experlist.read(root, sets.name(root, name))
    for bad in listed.bad:
        say(f'{name}.txt, line {bad.number}: {bad.text}: {bad.reason}')
    if not listed.runs:
        raise Refusal(f'the set {name!r} names no run: `record <tag> --to {name}` adds one')
    return listed.runs


def parts(root, word):
    """(tag, id or None) of a word, the tag completed to a folder that is there. Raises Refusal."""
    if word == '@last':
        return last(root)
    found = names.split_run(word)
    if found is None:
        raise Refusal(f'{word!r} is no run: <tag> or <tag>/<id> is, t1/0 for one', code=2)
    tag, number = found
    if layout.numbers(root, tag):
        return tag, number
    tags = [name for name in layout.tags(root) if layout.numbers(root, name)]
    near = [name for name in tags if name.startswith(tag)]
    if len(near) == 1:
        return near[0], number
    if near:
        raise Refusal(f'{tag!r} could be {", ".join(sorted(near)[:5])}{" …" if len(near) > 5 else ""}')
    raise Refusal(f'there is no run of {tag!r} here.{did_you_mean(tag, tags)}')


def last(root):
    """(tag, id) of the run that was started last. Raises Refusal if there is none."""
    newest = [(layout.run_folder(root, tag, layout.numbers(root, tag)[-1]), tag) for tag in layout.tags(root) if layout.numbers(root, tag)]
    if not newest:
        raise Refusal('there is no run yet: `run first` makes one')
    folder, tag = max(newest, key=lambda pair: pair[0].stat().st_ctime_ns)
    return tag, int(folder.name)
