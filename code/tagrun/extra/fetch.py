"""Bring the runs that others have shared, through git alone, and put their files where your own runs are.

Of each run that is not here come statistic.json, history.csv, environment.json, confusion.json, run.json and the log, into __result__/<tag>/<id>/, and
`table`, `expls`, `why` take it like any other; `rerun <tag>/<id> -f` makes it again here and says whether it is the same. Checkpoints
and data do not travel. What you have stays as it is: another run of a name that is yours comes as <tag>@<remote>/<id>.
Exit codes: 0 done, 1 refused, or a run could not be read; 2 usage.
"""
import os
import re
from pathlib import Path

from tagrun.command import result
from tagrun.command.git import Failed, Repository
from tagrun.command.say import Refusal, parser, plural, printable, say
from tagrun.extra import sharing
from tagrun.extra.sharing import CODE, RESULT, TAG
from tagrun.store import atomic, confusion, experlist, jsonfile, layout, names, run_json, statistic, trace

EXAMPLES = ('fetch                        what others have shared, from the remote',
            'fetch --always               from now on a plain `git fetch` brings the refs too',
            'fetch --remote backup        from another remote')
ROOT = Path(__file__).resolve().parents[3]
RAW = ('history.csv', 'environment.json', confusion.NAME, 'log', trace.EPOCHS)     # taken as they are: who reads them expects the worst
NEEDED = (statistic.NAME, run_json.NAME)
LARGEST = 16 << 20  # bytes of one file that are taken
ATONCE = 200        # runs that are read at once
SAID = 2000         # runs after which it says how far it is
PACK = 1000         # new refs that are worth one file
SHOWN = 10


def main(argv):
    options = parser('fetch', __doc__, EXAMPLES)
    options.add_argument('--remote', metavar='NAME', help='the remote (git config tagrun.remote, else origin)')
    options.add_argument('--always', action='store_true', help="let a plain `git fetch` bring the refs too: three lines in this clone's git config")
    options = options.parse_args(argv)
    repository = Repository.at(ROOT)
    remote = sharing.remote(repository, options.remote)
    if options.always:
        _always(repository, remote)
    try:
        repository.fetch(remote, sharing.refspecs(remote))
    except Failed as error:
        raise sharing.unreachable(repository, remote, error) from None
    theirs = sharing.fetched(repository, remote)
    taken = Taken(repository, remote, theirs)
    taken.take()
    _tell(remote, theirs, taken)
    return 1 if taken.bad else 0


def _always(repository, remote):
    """Set the refspecs, once."""
    name = f'remote.{remote}.fetch'
    try:
        there = repository.git('config', '--get-all', name).splitlines()
    except Failed:
        there = []
    new = [spec for spec in sharing.refspecs(remote) if spec not in there]
    for spec in new:
        repository.set_config(name, spec)
    done = f'{len(new)} lines added; a plain `git fetch {remote}` brings the refs, and `tagrun fetch` the files'
    say(f'git config {name}: {done if new else "as it should be"}')


class Taken:
    """The runs of a remote that are made runs of this clone: new names, those that stand beside another's, those that cannot be read."""

    def __init__(self, repository, remote, theirs):
        self.repository, self.remote, self.theirs = repository, remote, theirs
        self.new, self.updated, self.beside, self.bad = [], [], {}, []     # names here; {name there: name here}; [(name there, why)]
        self._mine = sharing.here(repository)
        self._there = {f'{tag}/{number}' for tag in layout.tags(repository.root) for number in layout.numbers(repository.root, tag)}
        self._tags = {f'{TAG}{tag}' for tag in self._mine.tags}
        self._result = layout.result(repository.root)
        self._names = {}        # {name there: name here}

    def take(self):
        wanted, refs = self._choose()
        for start in range(0, len(wanted), ATONCE):
            if start and start % SAID == 0:
                say(f'{start:,} of {len(wanted):,} runs …')
            self._fill(wanted[start:start + ATONCE])
        if refs > PACK:
            self.repository.pack_refs()

    def _choose(self):
        """([(name there, name here, Run), …] whose files are to be written, refs made); the names of all others are known then."""
        pairs, who, wanted, made = self._mine.pairs(), sharing.slug(self.remote), [], 0
        for name, run in self.theirs.runs.items():
            here = pairs.get(run.pair) or self._room(name, run, who)
            if not here:
                continue
            before = self._mine.runs.get(here)
            self._names[name] = here
            if before is None or not self._is_later(before, run):
                self._mine.add(here, run)
                wanted.append((name, here, run, before))
            elif before.result and not self._is_filled(here):
                wanted.append((name, here, before, before))
            made += before is None
        return wanted, 6 * made     # its three refs, there and here

    def _room(self, name, run, who):
        tag = name.partition('/')[0]
        tags = sharing.suffixes(tag, who) if run.result else [tag]     # of one without a result there is nothing to show yet
        return sharing.fitting(name, run, self._mine, tags, lambda here, there: self._fits(here, there, run))

    def _fits(self, here, mine, run):
        """Whether a run of theirs may have a name here: nobody has it, or what has it is an earlier word of that run, fetched before."""
        if mine is None:
            return here not in self._there
        if mine.code != run.code:
            return False
        if self._is_later(mine, run):
            return True
        earlier = mine.result is None or self.repository.is_ancestor(mine.result, run.result)
        return earlier and (here not in self._there or self._is_fetched(here))

    def _is_later(self, mine, run):
        """Whether what is here of a run is as new as what the remote has."""
        return run.result in (None, mine.result) or mine.result is not None and self.repository.is_ancestor(run.result, mine.result)

    def _folder(self, here):
        return self._result / here

    def _is_fetched(self, here):
        try:
            return bool(run_json.read(self._folder(here)).get('fetched_from'))
        except FileNotFoundError:
            return not any(self._folder(here).iterdir())
        except (OSError, ValueError):
            return False

    def _is_filled(self, here):
        """Whether its files are all here; one that was killed while it was written is not, and one of our own is left alone."""
        try:
            return here in self._there and os.stat(f'{self._result}/{here}/{statistic.NAME}').st_size > 0
        except OSError:
            return not self._is_fetched(here)

    # --- their files ---

    def _fill(self, wanted):
        """Make the refs of some runs, then their folders: a kill between the two is made good by the next fetch."""
        files = self._read([run.result for _, _, run, _ in wanted if run.result])
        ready, refs = [], {}
        for name, here, run, before in wanted:
            try:
                made = self._made(name, here, run, files[run.result]) if run.result else None
            except ValueError as error:
                self.bad.append((name, str(error)))
                continue
            refs[here] = self._refs(here, run, before)
            if made:
                ready.append((name, here, made, before is not None and before.result not in (None, run.result)))
        made = self._set(refs)
        ready = [each for each in ready if each[1] in made]
        for name, here, content, went_on in ready:
            self._write(here, content)
            (self.updated if went_on else self.new).append(here)
            if name != here:
                self.beside[name] = here
        finished = [names.split_run(here) for _, here, content, _ in ready if content[statistic.NAME]['status'] == statistic.FINISHED]
        if finished:
            experlist.add(self.repository.root, 'finished', finished)

    def _read(self, results):
        """{result commit: {'commit': its own bytes, file: bytes}}; of a file that is none, or too large, None."""
        known = (*NEEDED, *RAW)
        places = [*results, *(f'{commit}:{name}' for commit in results for name in known)]
        kinds = self.repository.kinds(places) if places else {}
        fine = [place for place, (kind, size) in kinds.items() if size <= LARGEST and kind == ('blob' if ':' in place else 'commit')]
        blobs = self.repository.blobs(fine)
        return {commit: {'commit': blobs.get(commit), **{name: blobs.get(f'{commit}:{name}') for name in known}} for commit in results}

    def _made(self, name, here, run, files):
        """{file: bytes, or an object for JSON} of a run as it will lie here. Raises ValueError."""
        if not files['commit']:
            raise ValueError('its result is no commit')
        head, _, message = files['commit'].partition(b'\n\n')
        parents = re.findall(rb'^parent ([0-9a-f]+)$', head, re.MULTILINE)
        if not parents or parents[0].decode() != run.code:
            raise ValueError('its result is not that of its code')
        for each in NEEDED:
            if files[each] is None:
                raise ValueError(f'there is no {each}, or one of more than {LARGEST >> 20} MB')
        content, info = (self._parsed(each, files[each]) for each in NEEDED)
        if type(info.get('seed')) is not int:
            raise ValueError("run.json: 'seed' is missing or wrong")
        tag, number = names.split_run(here)
        status = content.get('status')
        if status == statistic.RUNNING and not message.partition(b'\n')[0].endswith(f' {result.SO_FAR}'.encode()):
            status = statistic.KILLED
        content = {**content, 'run': here, 'commit': run.code, 'status': status if isinstance(status, str) else statistic.KILLED, 'fetched_from': self.remote}
        info = run_json.build(self.repository.root, tag, number, run.code, info['seed'], fetched_from=self.remote, **self._further(info))
        return {**{each: files[each] for each in RAW if files[each] is not None}, run_json.NAME: info, statistic.NAME: content}

    @staticmethod
    def _parsed(name, content):
        try:
            return jsonfile.parse(content)
        except ValueError as error:
            raise ValueError(f'{name}: {error}') from None

    def _further(self, info):
        """What else run.json may say: of which run it is a rerun, by the name that one has here, and the verdict."""
        more = {key: self._names.get(info[key]) for key in ('rerun_of', 'continued_from') if isinstance(info.get(key), str)}
        more = {key: value for key, value in more.items() if value}
        if 'rerun_of' in more and info.get('exact') is True:
            more['exact'] = True
            if isinstance(info.get('verdict'), dict) and type(info['verdict'].get('same')) is bool:
                more['verdict'] = info['verdict']
        return more

    def _refs(self, here, run, before):
        """{ref: (id, what it is until now)} that make it a run of this clone."""
        tag, refs = here.partition('/')[0], {}
        if run.tag:
            refs[f'{TAG}{tag}'] = (run.tag, None)
        if before is None:
            refs[f'{CODE}{here}'] = (run.code, None)
        if run.result and (before is None or before.result != run.result):
            refs[f'{RESULT}{here}'] = (run.result, before.result if before else None)
        return refs

    def _set(self, wanted):
        """Set the refs of {name: refs}; the names for which git took them. One that it cannot have stops no other."""
        wanted = {here: {name: value for name, value in refs.items() if name not in self._tags} for here, refs in wanted.items()}
        everything = {name: value for refs in wanted.values() for name, value in refs.items()}
        self._tags.update(name for name in everything if name.startswith(TAG))
        try:
            if everything:
                self.repository.update_refs(everything)
            return set(wanted)
        except Failed:
            return {here for here, refs in wanted.items() if self._set_one(here, refs)}

    def _set_one(self, here, refs):
        tags = {row[0] for row in self.repository.refs('refs/tags', ('refname',))}
        try:
            self.repository.update_refs({name: value for name, value in refs.items() if name not in tags})
            return True
        except Failed as error:
            self.bad.append((here, str(error)))
            return False

    def _write(self, here, files):
        """The folder of a run, its statistic.json last: with that it is whole."""
        folder = self._folder(here)
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.parent.is_symlink() or folder.is_symlink():
            raise Refusal(f'{folder} is a link to another place: nothing is written there')
        folder.mkdir(exist_ok=True)
        for name, content in files.items():
            content = content if isinstance(content, bytes) else jsonfile.dumps(content).encode('utf-8', 'backslashreplace')
            atomic.write(folder / name, content, durable=False)     # git has it


def _tell(remote, theirs, taken):
    """What came, and under what names."""
    if taken.new:
        say(f'{plural(len(taken.new), "run")} from {remote}: {_compact(taken.new)}')
    if taken.updated:
        say(f'{plural(len(taken.updated), "run")} went on at {remote}: {_compact(taken.updated)}')
    for name, here in list(taken.beside.items())[:SHOWN]:
        say(f'  {remote} has another {name} than you: it is {here} here, yours stays {name}')
    if len(taken.beside) > SHOWN:
        say(f'  … and {len(taken.beside) - SHOWN} more that have a name beside yours')
    for name, why in taken.bad[:SHOWN]:
        say(f'  {name} was left out: {why}')
    if len(taken.bad) > SHOWN:
        say(f'  … and {len(taken.bad) - SHOWN} more')
    if not taken.new and not taken.updated:
        say(f'nothing new on {remote}: {plural(len(theirs.runs), "run")} there')
    elif taken.new:
        say(f'`expls` and `table` show them; `rerun {printable(taken.new[0])} -f` makes one again: the same, bit for bit?')


def _compact(runs):
    pairs = [names.split_run(name) for name in runs]
    return experlist.compact(pairs[:SHOWN]) + (f' … and {len(pairs) - SHOWN:,} more' if len(pairs) > SHOWN else '')
