"""The pages that users read. README.md of a project that is not Tagrun any more is left out."""

from project_factory import CODE

README = CODE.parent / 'README.md'
DOCS = CODE / 'tagrun' / 'docs'
OWN_README = README.is_file() and README.read_text(encoding='utf-8').startswith('# Tagrun\n')
FIRST = [*([README] if OWN_README else []), *sorted(DOCS.glob('*.md'))]
PAGES = [*FIRST, *sorted(set((CODE / 'tagrun').glob('*/**/*.md')) - set(FIRST))]
