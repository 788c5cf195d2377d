"""A sweep at work: its trials, from the first to the table of all.

    sweep = Sweep(repository, options, commit); code = sweep.run()      # options: those of `sweep`; or sweep.hand_over(), to an engine

What there is to do it reads from git and the runs' folders; it keeps nothing. The verb, and what is recorded, are in sweep.py.
"""
import importlib
import importlib.util
import os
import signal
import time

from tagrun.command import glance, jobs, launch, prepare, table
from tagrun.command.git import Failed
from tagrun.command.say import Refusal, duration, plural, quote, say
from tagrun.extra import grid, trials
from tagrun.extra.pool import VISIBLE, Pool
from tagrun.extra.sweep_screen import Screen
from tagrun.store import experlist, jsonfile, layout, statistic

DONE = (statistic.FINISHED, statistic.PRUNED)
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)


def axes(options, source):
    """{name: Axis}; of a grid, its size is checked too. Raises Refusal."""
    axes = grid.parse(options.values, source)
    if not axes and not options.vary:
        raise Refusal('values are needed: lr=0.1,0.01, for one', code=2)
    if options.search:
        if not axes:
            raise Refusal('a search needs arguments to choose: lr=log(1e-4,1e-1)', code=2)
    else:
        grid.combinations(axes)
    return axes


class Sweep:
    """The trials of a tag, from the first to the table of all."""

    def __init__(self, repository, options, commit):
        self.repository, self.options, self.commit, self.tag = repository, options, commit, options.tag
        self.codes = [trials.variant(repository, commit, word) for word in options.vary.split(',')]
        self.axes = axes(options, self.codes[0].config)
        self.seed = prepare.read_seed(repository.file(commit, trials.SEED))
        self.seeds = trials.seeds(self.seed, options.seeds)
        self.known = trials.recorded(repository, self.tag)
        self.pool = Pool(repository, options.jobs, options.nproc or 1)
        self.screen, self.stopped, self.took = Screen(), None, []
        self._seen = {}         # {id: what glance.look saw}, of those that have ended
        self.labels = {}        # {id: what sets it apart}, of the trials of this command
        self.source, self.judge = None if options.search else Grid(self), None
        if options.search or options.prune:
            from tagrun.extra.search import Judge
            self.judge = Judge(self)
        self.source = self.source or self.judge

    def number(self, trial):
        """The id of the trial's run, or None before it has one."""
        return self.known.get(trial.key)

    def folder(self, number):
        return layout.run_folder(self.repository.root, self.tag, number)

    def state(self, trial):
        """As statistic.state, 'new' for one that has no run yet; killed where statistic.json cannot be read, for training writes it again."""
        number = self.number(trial)
        state = 'new' if number is None else self.look(number).state
        return statistic.KILLED if state == glance.UNREADABLE else state

    def is_done(self, trial):
        """Whether nothing is to be trained: finished, pruned, or failed and left so."""
        if f'{self.tag}/{self.number(trial)}' in self.pool.children:
            return False
        state = self.state(trial)
        return state in DONE or state == statistic.FAILED and not self.options.failed

    def prepared(self, trial):
        """The folder of the trial's run, recorded if it is new."""
        number = self.number(trial)
        if number is None:
            folder = trials.record(self.repository, self.tag, self.commit, trial)
            number = self.known[trial.key] = int(folder.name)
            launch.tell_processes(folder, self.options)
        self.source.begun(trial)
        self._seen.pop(number, None)
        return trials.complete(self.repository, self.tag, number)

    # --- here ---

    def run(self):
        for number in self._elsewhere():
            engine, job = jobs.read(self.folder(number))
            raise Refusal(f'{self.tag}/{number} is in line elsewhere, as job {job} of {engine}: `tagrun cancel {self.tag}` takes all of it back')
        trials.record_results(self.repository, [self.folder(number) for number in self.labels if self.look(number).state in DONE])
        self._tell_shares()
        before = {number: signal.signal(number, self._stop) for number in STOPPING if signal.getsignal(number) != signal.SIG_IGN}
        try:
            while self._more():
                self._turn()
        except BaseException:
            self.pool.ask(signal.SIGTERM)   # nothing trains on unseen: it is saved, and the same command goes on
            raise
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        return self._end()

    def _more(self):
        """Start what there is room for; False when all is done, or was stopped."""
        while not self.stopped and self.pool.has_room():
            trial = self.source.next()
            if trial is None:
                break
            try:
                self.pool.start(self.prepared(trial))
            except Failed:      # Ctrl-C reached the git that recorded it
                if not self.stopped:
                    raise
        return bool(self.pool.children)

    def _turn(self):
        """Wait for what ends, tell it, and draw."""
        patience = 0.2 if self.options.prune else self.screen.patience_s
        for ended in self.pool.wait(patience):
            self._ended(ended)
        if self.options.prune:
            self.judge.look(self.pool.children)
        if self.screen.is_due():
            self._draw()

    def _ended(self, ended):
        number = int(ended.name.rpartition('/')[2])
        seen = self.look(number)
        if seen.state == statistic.RUNNING and not self.stopped:    # somebody else was quicker: that one is waited for
            self.pool.start(self.folder(number))
            return
        if ended.code is None:
            trials.record_results(self.repository, [self.folder(number)])
        if seen.state in DONE:
            self.took.append(ended.seconds)
        self.source.ended(number, seen)
        if self.judge and self.judge is not self.source:
            self.judge.ended(number, seen)
        why = ended.words or (seen.content.get('message', '') if seen.state not in (*DONE, statistic.RUNNING) else '')
        words = [f'{ended.name} {seen.state}', self.labels.get(number, ''), _figure(seen), why, self._summary()]
        if not self.screen.is_terminal or seen.state not in DONE:   # else the table says it
            self.screen.line('   '.join(word for word in words if word))

    def _stop(self, number, _):
        """The first asks all trainings to save and end, a second Ctrl-C to end at once."""
        self.stopped = self.stopped or number
        self.pool.ask(number)

    def give_up(self, why):
        """Stop as a signal does: what is trained is saved."""
        if not self.stopped:
            self.screen.line(f'tagrun: {why}')
            self._stop(signal.SIGTERM, None)

    def _end(self):
        if self.screen.is_terminal:
            self._draw()
        self.screen.close()
        runs = sorted(number for number in (self.number(trial) for trial in self.source.all()) if number is not None)
        self._list(runs)
        states = [self.look(number).state for number in runs]
        if any(state in DONE for state in states):
            self._table()
            self._plots()
        failed = [number for number, state in zip(runs, states) if state == statistic.FAILED]
        if failed:
            which = experlist.compact([(self.tag, number) for number in failed])
            say(f'{plural(len(failed), "trial")} failed: {which}; the same command with --failed goes on with them')
        killed = [(self.tag, number) for number, state in zip(runs, states) if state not in (*DONE, statistic.FAILED)]
        if killed and not self.stopped:
            say(f'{plural(len(killed), "trial")} did not come to an end: {experlist.compact(killed)}; the same command goes on with them')
        if self.stopped and sum(state in DONE for state in states) < self.source.total:
            say(f'stopped after {sum(state in DONE for state in states)} of {self.source.total} trials: the same command goes on')
            return launch.CTRL_C if self.stopped == signal.SIGINT else launch.RESUMABLE
        return 1 if failed or any(state not in DONE for state in states) else 0

    def _table(self):
        say()
        words = [self.tag, '--only-changed', *(['--group'] if self.options.seeds > 1 else []),
                 *(['--keep', 'variant'] if self.options.vary else []), *(['--sort-by', self.judge.metric] if self.options.search and not self.stopped else [])]
        table.main(words)
        best = self._best([self.look(number) for number in sorted(self.labels)])
        name = best.name if best else f'{self.tag}/0'
        say(f'  next     table {" ".join(words)}')
        say(f'           git diff {self.tag} refs/tagrun/code/{name}      what sets the best apart')
        say(f'           rerun {name} -f')

    def _plots(self):
        """The metric over each argument that has several values, by extra/plot.py where that is there, if anything was trained."""
        several = [name for name, axis in self.axes.items() if len(axis.texts) > 1 or axis.span]
        if not self.took or self.stopped or not self.repository.flag('curves', True) or not importlib.util.find_spec('tagrun.extra.plot'):
            return
        plot = importlib.import_module('tagrun.extra.plot')
        for name in several:
            metric = ['--metric', self.judge.metric] if self.options.search else []
            by = ['--by', *(other for other in several if other != name)] if len(several) == 2 and not self.options.search else []
            try:
                plot.main([f'@{self.tag}', '--over', name, *by, *metric])
            except Refusal as refusal:
                say(f'tagrun: no plot over {name}: {refusal}')

    def _list(self, runs):
        """The trials as a set, for `table <tag>`."""
        if experlist.add(self.repository.root, self.tag, [(self.tag, number) for number in runs if (self.folder(number) / statistic.NAME).is_file()]):
            say(f'the set {self.tag!r}: {quote(os.path.relpath(layout.list_file(self.repository.root, self.tag)))}')

    def _tell_shares(self):
        """What the trainings share, where there is less than each asks for."""
        at_once, devices = self.pool.at_once, len(self.pool.devices)
        threads = jsonfile.number(trials.literal(self.codes[0].config, 'threads')) or 1
        cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
        wanted = at_once * threads * self.pool.processes
        if devices and at_once * self.pool.processes > devices:
            say(f'tagrun: {at_once} at once share {plural(devices, "GPU")}')
        elif devices:
            say(f'{plural(at_once, "trial")} at once, each with {plural(self.pool.processes, "GPU")} of its own ({VISIBLE})')
        if wanted > cores and not devices:
            say(f'tagrun: {at_once} at once with threads = {threads:g} want {wanted:g} of {cores} cores; threads stay as in config.py, '
                'for another number may change a result')

    # --- elsewhere ---

    def _elsewhere(self):
        """{id: what it does} of the runs that an engine has."""
        known = {number: jobs.read(self.folder(number)) for number in self.labels}
        return jobs.states(self.repository.root, {number: job for number, job in known.items() if job})

    def hand_over(self):
        """Record all trials and give those that are to be trained to the engine."""
        there = self._elsewhere()
        todo = [trial for trial in self.source.all() if self.number(trial) not in there and not self.is_done(trial) and self.state(trial) != statistic.RUNNING]
        folders = [self.prepared(trial) for trial in todo]
        done = self.source.total - len(todo)
        say(f'{self.tag}: {plural(len(todo), "trial")} for {self.options.on}' + (f'; {done} are done, running or there already' if done else ''))
        experlist.add(self.repository.root, self.tag, [(self.tag, number) for number in sorted(map(self.number, self.source.all()))])
        return launch.engine(self.options.on).submit(self.repository, folders, self.options) if folders else 0

    # --- how it looks ---

    def print_list(self):
        for trial in self.source.all():
            number, state = self.number(trial), self.state(trial)
            print(f'{f"{self.tag}/{number}" if number is not None else "new":<{len(self.tag) + 6}}  {"" if state == "new" else state:<12}{trial.label}'.rstrip())

    def look(self, number):
        """The run as it stands; of one that has ended it is kept."""
        if number not in self._seen:
            seen = glance.look(self.repository.root, self.tag, number)
            if seen.state not in (*DONE, statistic.FAILED) or seen.name in self.pool.children:
                return seen
            self._seen[number] = seen
        return self._seen[number]

    def _draw(self):
        seen = [self.look(number) for number in sorted(self.labels)]
        running = [each for each in seen if each.name in self.pool.children]
        if len(seen) > self.screen.height():    # those that train, and the last and the best of the others
            others = [each for each in seen if each not in running]
            best = self._best(others)
            room = max(1, self.screen.height() - len(running) - 1)
            seen = [*([best] if best else []), *[each for each in others[-room:] if each is not best], *running]
        now = time.time()
        rows = [(each.name, self._status(each, now), self.labels[each.id], _figure(each)) for each in seen]
        self.screen.draw(('trial', 'status', 'values', 'best'), rows, (), self._summary())

    def _status(self, seen, now):
        if seen.name not in self.pool.children or 'epoch' not in seen.content:
            return 'starting' if seen.name in self.pool.children else seen.state
        eta = seen.eta_s(now)
        return f'epoch {seen.content["epoch"]}/{seen.content.get("epochs", "?")}' + (f', {duration(eta)} left' if eta is not None else '')

    def _summary(self):
        """'5/12 done, 2 at work, 1 min 20 s left; best nets/3: val/acc 0.9750, model=cnn'."""
        done = self.source.done()
        parts = [f'{done}/{self.source.total} done', f'{len(self.pool.children)} at work' if self.pool.children else '', self._left(done)]
        best = self._best([self.look(number) for number in sorted(self.labels)])
        return ', '.join(filter(None, parts)) + (f'; best {best.name}: {_figure(best)}' if best else '')

    def _left(self, done):
        """How long the rest will take, from what the trials so far did."""
        if not self.took or done >= self.source.total:
            return ''
        each, now = sum(self.took) / len(self.took), time.monotonic()
        at_work = [max(0.0, each - (now - child.began)) for child in self.pool.children.values()]
        rest = max(0, self.source.total - done - len(at_work)) * each + sum(at_work)
        return f'{duration(max([rest / self.pool.at_once, *at_work]))} left'

    def _best(self, seen):
        best = None
        for each in seen:
            if each.best is not None and (best is None or glance.better(each, best)):
                best = each
        return best


class Grid:
    """All combinations, in order; what is done is passed over."""

    def __init__(self, sweep):
        self.sweep = sweep
        self._all = _unlike(trial for code in sweep.codes for values in grid.combinations(sweep.axes) for trial in trials.make(code, values, sweep.axes, sweep.seeds))
        for trial in self._all:
            self.begun(trial)
        self.total = len(self._all)
        self._left = [trial for trial in self._all if not sweep.is_done(trial)]
        self._done = self.total - len(self._left)

    def all(self):
        return self._all

    def begun(self, trial):
        """A trial has a run now, or had one before."""
        if self.sweep.number(trial) is not None:
            self.sweep.labels[self.sweep.number(trial)] = trial.label

    def next(self):
        """The next trial to train, or None."""
        return self._left.pop(0) if self._left else None

    def ended(self, number, seen):
        self._done += seen.state in (*DONE, statistic.FAILED)

    def done(self):
        return self._done


def _unlike(all_trials):
    """Each once: two variants may come to the same code."""
    found = {}
    for trial in all_trials:
        found.setdefault(trial.key, trial)
    return list(found.values())


def _figure(seen):
    return '' if seen.best is None else f'{seen.watch} {seen.best:.4g}'
