"""Tell `tagrun doctor` of half-written lines at the end of journals of searches."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tagrun.core.check.finding import Finding
from tagrun.extra.sweep import journal


def find(root: Path) -> Iterator[Finding]:
    """Yield a finding for each journal whose last line was half-written."""
    for file in sorted(journal.folder(root).glob('*.log')):
        torn = journal.torn_bytes(file)
        if torn:
            what = f'its last line was half-written ({torn} bytes); no trial is lost'
            yield Finding(
                str(file.relative_to(root)),
                what,
                'cuts it off',
                partial(journal.cut_torn_line, file),
            )
