"""Stop runs by signals at random moments, and count what was not stopped cleanly and resumably.

signals(runs, 'SIGTERM', 100, seed=1)       # Tally(tried=100, bad=[], more=[seconds, …])
"""

import random
import signal

from campaign import LAST_S, Tally, damage, last_line

from tagrun.store import statistic

SIGNALS = {
    'SIGINT': [signal.SIGINT],
    'SIGTERM': [signal.SIGTERM],
    'SIGHUP': [signal.SIGHUP],
    'SIGUSR1': [signal.SIGUSR1],
    'SIGINT twice within 50 ms': [signal.SIGINT, signal.SIGINT],
}
# seconds after which a forked child has its signal handlers, on a busy machine too
HANDLERS_S = 0.15


def signals(runs, kind, count, seed):
    """Send signals at random moments of training, every other one in the middle of a save.

    Each run is continued to its end. A stop must exit with 75 or 130, report that it was
    interrupted, and be resumable. more: the seconds from each signal to the exit.
    """
    draw, bad, late, tried = random.Random(seed), [], [], 0
    sent = SIGNALS[kind]
    code = 130 if sent[0] == signal.SIGINT else 75
    while tried < count:
        folder = runs.new()
        while tried < count:
            ended = _signalled(runs, folder, sent, draw, in_save=tried % 2)
            if ended.code == 0:
                break
            tried += 1
            late.append(ended.late)
            bad += _not_clean(folder, ended, code) + damage(folder)
            if not runs.resume(folder):
                break
        bad += filter(None, [runs.finish(folder)])
        runs.done_with(folder)
    return Tally(tried, bad, late)


def _signalled(runs, folder, sent, draw, in_save):
    """Train until the signals end it: at a random moment, or at a random call of a save.

    A second signal comes up to 50 ms later.
    """
    if in_save and len(sent) == 1:
        calls = {'action': 'signal', 'signal': sent[0], 'at': draw.randrange(1, 60)}
        return runs.server.train(folder, calls={**calls, 'name': 'checkpoint/*'})
    moment = HANDLERS_S + draw.uniform(0, LAST_S)
    moments = [moment + number * draw.uniform(0, 0.05) for number in range(len(sent))]
    return runs.server.train(folder, signals=list(zip(moments, sent, strict=True)))


def _not_clean(folder, ended, code):
    screen, status = (folder / 'screen').read_text(), statistic.read(folder)['status']
    if ended.code != code:
        return [f'{folder.name}: ended with {ended.code}, not {code}: {last_line(folder)}']
    if 'Traceback' in screen:
        return [f'{folder.name}: a traceback was shown']
    return [] if status == statistic.INTERRUPTED else [f'{folder.name}: its status is {status}']
