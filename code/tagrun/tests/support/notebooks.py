"""Run a notebook in a real kernel.

texts = executed(['1 + 1', '%run code/main.py'], folder, tmp_path)      # ['2', …]
"""

import os

import nbclient
import nbformat


def executed(sources, folder, own, **env):
    """Return all that each cell printed. folder: the notebook's. own: for Jupyter's files."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    content = nbformat.v4.new_notebook(cells=cells)
    client = nbclient.NotebookClient(
        content, timeout=120, allow_errors=True, resources={'metadata': {'path': folder}}
    )
    places = {name: str(own / name) for name in ('IPYTHONDIR', 'JUPYTER_RUNTIME_DIR')}
    client.execute(env={**os.environ, **places, **env})
    return [_printed(cell) for cell in content.cells]


def _printed(cell):
    parts = []
    for output in cell.outputs:
        data = output.get('data', {}).get('text/plain', '')
        parts.append(output.get('text', '') + data + output.get('evalue', ''))
    return ''.join(parts)
