"""What the page of a report shows in a real headless Chromium, wide, on a phone and printed, with
three runs and with a thousand.
"""

import json

import pytest
import stub_project
from report_pages import IN_CHROMIUM, commits, make_run, reported
from run_factory import METRIC, listed


@pytest.fixture
def page(chromium, three):
    found = chromium.page()
    found.size(1300, 900)
    found.go(three[1])
    found.settle()
    return found


def column(page, heading):
    """The shown cells below a heading."""
    return page.value(
        f"(() => {{ const at = [...document.querySelectorAll('#runs th')].findIndex(one => "
        f"one.textContent === {json.dumps(heading)}); "
        "return [...document.querySelectorAll('#runs tbody tr')].filter(row => "
        "!row.hidden).map(row => row.cells[at].textContent); })()"
    )


def press(page, heading):
    page.value(
        "[...document.querySelectorAll('#runs th button')].find(one => one.textContent "
        f"=== {json.dumps(heading)}).click()"
    )


def search(page, words):
    page.value(
        f"document.getElementById('filter').value = {json.dumps(words)}; "
        "document.getElementById('filter').dispatchEvent(new Event('input'))"
    )


@IN_CHROMIUM
def test_the_table_has_what_differs_and_sorts(page):
    assert (
        column(page, 'run') == ['base/0', 'wide/0', 'base/1']
        and column(page, 'status') == ['finished'] * 3
    )
    assert column(page, 'lr') == ['0.1', '0.3', '0.1']
    assert not page.value(
        "[...document.querySelectorAll('#runs th')].some(one => one.textContent === 'steps')"
    ), 'it is the same of all'
    press(page, 'run')
    assert column(page, 'run') == ['base/0', 'base/1', 'wide/0']
    press(page, 'lr')
    press(page, 'lr')
    assert column(page, 'lr') == ['0.3', '0.1', '0.1'] and column(page, 'verdict') == [
        '',
        '',
        'the same as base/0',
    ]


@IN_CHROMIUM
@pytest.mark.parametrize(
    'words, left',
    [
        ('wide', ['wide/0']),
        ('lr>0.2', ['wide/0']),
        ('lr<=0.1 base/1', ['base/1']),
        ('model=none', ['base/0', 'base/1']),
        ('acc>=0.5 model!=none', ['wide/0']),
        ('nothing-of-that', []),
        ('', ['base/0', 'wide/0', 'base/1']),
    ],
)
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
    x, y, width, height = page.value(
        "(box => [box.left, box.top, box.width, "
        "box.height])(document.querySelector('.u-over').getBoundingClientRect())"
    )
    page.point(x + width - 2, y + height / 2)
    page.settle()
    page.point(x + width - 3, y + 12)
    page.settle()
    assert page.value(
        "[...document.querySelectorAll('.tip')].filter(tip => !tip.hidden).map(tip => "
        "tip.textContent)"
    ) == ['wide/0  epoch 3: 0.75']


@IN_CHROMIUM
def test_the_ticks_choose_the_curves(page):
    names = (
        "[...document.querySelectorAll('#legend > span')]"
        ".map(one => one.textContent.trim().split(' ')[0])"
    )
    assert sorted(page.value(names)) == ['base/0', 'base/1', 'wide/0']
    page.click('#runs tbody tr:nth-child(2) input')
    assert sorted(page.value(names)) == ['base/0', 'base/1']
    page.click('#pick-none')
    assert (
        page.value(names) == []
        and page.value("document.querySelectorAll('#charts canvas').length") == 0
    )
    search(page, 'wide')
    page.click('#pick-all')
    assert page.value(names) == ['wide/0']
    page.click('#log')
    page.settle()
    assert (
        page.value("document.querySelectorAll('#charts canvas').length") == 1
        and not page.complaints
    )


@IN_CHROMIUM
def test_a_run_tells_its_code_arguments_matrix_environment_reruns_and_log(page):
    def card(number):
        return page.value(f"document.getElementById('run-{number}').textContent")

    assert 'Does it learn at all?' in card(
        0
    ) and 'made again by base/1: the same, bit for bit' in card(0)
    assert 'made again from base/0: the same, bit for bit' in card(2)
    assert (
        '-"""The network: none."""' in card(1)
        and '+"""The network: none yet."""' in card(1)
        and "+model = 'cnn'" in card(1)
    )
    assert (
        'Arguments that differ from base/0' in card(1)
        and 'val/confusion at epoch 1' in card(1)
        and '37' in card(1)
    )
    assert (
        'Environment, not as that of base/0' in card(1)
        and '3.12.1' in card(1)
        and 'trained, finished' in card(1)
    )
    page.value("document.querySelector('#run-0 .same a').click()")
    page.settle()
    assert (
        page.value('location.hash') == '#base%2F1'
        and page.value('document.activeElement.id') == 'run-2'
    )


@IN_CHROMIUM
@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_it_fits_a_phone(chromium, three, scheme):
    page = chromium.page()
    page.size(390, 844, mobile=True)
    page.media(prefers_color_scheme=scheme)
    page.go(three[1])
    page.settle()
    assert page.value('document.documentElement.scrollWidth') == 390
    assert page.value(
        "[...document.querySelectorAll('.chart canvas')].every(one => "
        "one.getBoundingClientRect().right <= 390)"
    )
    dark = page.value("getComputedStyle(document.body).backgroundColor") != 'rgb(255, 255, 255)'
    assert dark == (scheme == 'dark')


@IN_CHROMIUM
def test_it_is_printed(page, tmp_path):
    page.print(tmp_path / 'page.pdf')
    assert (tmp_path / 'page.pdf').read_bytes().startswith(b'%PDF') and (
        tmp_path / 'page.pdf'
    ).stat().st_size > 20_000


@IN_CHROMIUM
def test_a_thousand_runs_are_read_sorted_and_drawn_without_waiting(chromium, tmp_path):
    project = stub_project.make(tmp_path / "a 'b; c")
    made = commits(
        project, ['A Tester'] * 100, [f'try {number}' for number in range(100)], 'model.py'
    )
    head, log = (
        'epoch,train/loss,train/acc,val/loss,val/acc,lr,seconds\n',
        ''.join(f'epoch {number}: a line of the log\n' for number in range(200)),
    )
    for number in range(1000):
        rows = ''.join(
            f'{epoch},{2 / epoch + number / 1e4},{1 - 1 / epoch},{2.1 / epoch},'
            f'{0.9 - 0.9 / epoch + number / 1e5},0.01,1.5\n'
            for epoch in range(1, 101)
        )
        make_run(
            project,
            f't{number // 10}/{number % 10}',
            made[number // 10],
            {},
            {'history.csv': head + rows, 'log': log},
            seed=number,
            metric={**METRIC, 'val/acc': number / 1000},
            hparam={'lr': number // 10 / 7, **{f'argument{place}': place for place in range(20)}},
        )
    listed(project.root, 'finished', *(f't{number}/*' for number in range(100)))
    _, path = reported(project)
    page = chromium.page()
    took = {'load': page.go(path)}
    for what, action in {
        'sort': "document.querySelectorAll('#runs th button')[5].click()",
        'all curves': "get('pick-all').click()",
        'filter': "get('filter').value = 'acc>0.5'; "
        "get('filter').dispatchEvent(new Event('input'))",
    }.items():
        took[what] = page.value(
            f'(() => {{ const began = performance.now(); {action}; document.body.offsetHeight; '
            'return (performance.now() - began) / 1000; })()'
        )
    assert (
        path.stat().st_size < 6e6
        and took['load'] < 15
        and max(took['sort'], took['filter']) < 2
        and took['all curves'] < 10
    )
    assert len(column(page, 'run')) == 499


@IN_CHROMIUM
def test_no_curve_is_too_wild_to_be_drawn(chromium, tmp_path):
    project = stub_project.make(tmp_path / "a 'b; c")
    wild = {
        'diverged': ['1', '1e30', '1e308'],
        'both': ['-1e308', '1e308', '0'],
        'tiny': ['1e-320', '5e-324', '1e-300'],
        'zero': ['0', '0', '0'],
        'below': ['-1', '-2', '-3'],
        'alone': ['nan', '0.5', 'inf'],
        'even': ['0.5'] * 3,
        'near': ['1', '1.0000000000000002', '1'],
    }
    for number, epochs in enumerate(
        [(1, 2, 3), (0, 10**15, 10**16), (-5, 0.25, 1e308), (3, 2, 1), (1, 1, 1), ('', 'x', 'nan')]
    ):
        rows = '\n'.join(
            ','.join([str(epoch), *(values[place] for values in wild.values()), '1'])
            for place, epoch in enumerate(epochs)
        )
        make_run(
            project,
            f't/{number}',
            files={'history.csv': f'epoch,{",".join(wild)},seconds\n{rows}\n'},
        )
        page = chromium.page()
        page.go(reported(project, f't/{number}')[1])
        for _ in range(2):
            page.click('#log')
            page.settle()
        assert (
            page.value("document.querySelectorAll('#charts canvas').length") == len(wild)
            and not page.complaints
        )
    page.go(reported(project, 't')[1])
    page.settle()
    assert not page.complaints
