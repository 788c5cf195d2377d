"""README.md and the pages in docs/: their size, their links and their English.

bash code/source.sh test code/tagrun/tests/docs
"""

import re

import pytest
from pages import DOCS, OWN_README, PAGES, README
from plain_english import CLAUSE_AS_SUBJECT, wrong_words
from project_factory import CODE

LINKED = [*PAGES, *sorted((CODE / 'tagrun').glob('*.md'))]
CHECKED = [path for path in LINKED if path.name != 'CHANGELOG.md']

WORDS = (1200, 1500)
COLUMNS = 88
LONGEST_SENTENCE = 25


def shown(path):
    return str(path.relative_to(CODE.parent))


def prose(path):
    """Return the text without blocks of code; code in a line becomes the word `code`."""
    text = path.read_text(encoding='utf-8')
    text = re.sub(r'^ *```.*?^ *```$', '', text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r'^ {4,}[^ |*].*(?=\n\n|\n {4}|\Z)', '', text, flags=re.MULTILINE)
    text = re.sub(r'`[^`]+`', 'code', text)
    return re.sub(r'\[([^\]]*)\]\([^)]*\)', r'\1', text)


def paragraphs(path):
    """Yield each paragraph, list item and row of a table as one line."""
    for block in re.split(r'\n\s*\n|\n(?=\s*(?:[*|#]|\d+\.) ?)', prose(path)):
        yield re.sub(r'^(\*|\d+\.) ', '', ' '.join(block.split()))


def sentences(path):
    """Yield the sentences of a page that stand in no table and no heading."""
    for paragraph in paragraphs(path):
        if not paragraph.startswith(('|', '#')):
            yield from re.split(r'(?<=[.!?])\**\s+(?=[A-Z`*"]|code\b)', paragraph)


def anchors(path):
    """Return the anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r'^ *```.*?^ *```$', '', path.read_text(encoding='utf-8'), flags=re.M | re.S)
    headings = re.findall(r'^#+ (.*)$', text, flags=re.MULTILINE)
    plain = [re.sub(r'\[([^\]]*)\]\([^)]*\)', r'\1', heading) for heading in headings]
    return {re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-') for heading in plain}


def broken_links(path):
    """Return the relative links of a page that lead to no file or no heading."""
    text = re.sub(r'^ *```.*?^ *```$', '', path.read_text(encoding='utf-8'), flags=re.M | re.S)
    broken = []
    for link in re.findall(r'\]\(([^)\s]+)\)', re.sub(r'`[^`]+`', '', text)):
        name, _, anchor = link.partition('#')
        target = (path.parent / name) if name else path
        if '://' in link:
            continue
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    return broken


def hard_sentences(path):
    """Return the sentences with too many words, or with a chain of colons and semicolons."""
    return [
        sentence
        for sentence in sentences(path)
        if len(sentence.split()) > LONGEST_SENTENCE or len(re.findall(r'[:;] ', sentence)) > 1
    ]


@pytest.mark.skipif(not OWN_README, reason='README.md is not that of Tagrun')
def test_the_readme_is_short_and_fits_the_screen():
    text = README.read_text(encoding='utf-8')
    assert WORDS[0] <= len(text.split()) <= WORDS[1], len(text.split())
    assert [line for line in text.splitlines() if len(line) > COLUMNS] == []


@pytest.mark.parametrize('path', LINKED, ids=shown)
def test_each_relative_link_leads_to_a_file_and_a_heading(path):
    assert broken_links(path) == []


def test_the_index_has_each_page():
    linked = set(re.findall(r'\]\(([\w-]+\.md)\)', (DOCS / 'README.md').read_text()))
    assert {page.name for page in DOCS.glob('*.md')} - linked == {'README.md'}


@pytest.mark.parametrize('path', CHECKED, ids=shown)
def test_a_page_has_none_of_the_words_that_may_not_come_back(path):
    assert wrong_words('\n'.join(paragraphs(path)), CLAUSE_AS_SUBJECT) == []


@pytest.mark.parametrize('path', PAGES, ids=shown)
def test_a_page_has_one_idea_a_sentence(path):
    assert hard_sentences(path) == []
