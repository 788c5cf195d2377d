"""Words and patterns that may not come back in a page or a message: DESIGN's rules 2 to 6."""

import re

FORBIDDEN = (
    r'(?<!there )\b(is|are|was|were) (no|(?-i:none))\b(?! longer)',  # X is not a Y, e.g. Z
    r'(?m)\bfor one($|[,.;:)])',  # e.g.
    r'\bfor want of\b',
    r'\bin line\b',  # queued
    r'\bcure(s|d)?\b',  # fix
    r'\bmend(s|ed|ing)?\b',  # fix, repair
    r'\btold\b',
    r'\bdesks?\b',
    r'\bverbs?\b',  # command
    r'\bblotted\b',  # redacted
    r'\bceased?\b',
    r'\bwhoever\b',
    r'\b(no|some)body\b',
    r'\b(says|tells|knows|speaks)\b',  # programs and files do not
)
CLAUSE_AS_SUBJECT = r'(?m)(^|[.!?] )(What|Who|Whatever) [^.?!\n]*[.!](\s|$)'


def wrong_words(text, *more):
    """Return what the forbidden patterns, and `more` of them, find in a text."""
    found = []
    for pattern in (*FORBIDDEN, *more):
        found += [match.group().strip() for match in re.finditer(pattern, text, flags=re.I)]
    return found
