"""Where this project is: the checkout whose code/tagrun runs.

repository = Repository.at(project.ROOT)
"""

from pathlib import Path

TOOL = Path(__file__).resolve().parents[1]  # code/tagrun
CODE = TOOL.parent
ROOT = CODE.parent
EXTRA = TOOL / 'extra'
