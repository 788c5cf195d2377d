"""The runs that a run came from, and those that came from it: reruns with their verdicts.

    of_runs(root, {'t1/1': info})['t1/1']     # [['made again from', 't1/0', 'same', ': …']]

info: the content of run.json.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tagrun.core.compare import first_divergence
from tagrun.extra.report import run_files
from tagrun.extra.report.page_text import cell
from tagrun.store import layout, table
from tagrun.store.run_ref import RunRef, split

# the key of run.json, and the words in both directions
RELATED = (
    ('rerun_of', 'made again from', 'made again by'),
    ('continued_from', 'began with a checkpoint of', 'a checkpoint of it began'),
)
Link = list[str]  # [words, the other run's name, class of the verdict, verdict]


def of_runs(root: Path, infos: Mapping[str, dict[str, Any]]) -> dict[str, list[Link]]:
    """Return {run: its links}, of links from runs of the same tags that are not in `infos` too."""
    links: dict[str, list[Link]] = {name: [] for name in infos}
    for name, info in _all_infos(root, infos).items():
        for key, of_this, of_that in RELATED:
            other = info.get(key)
            if not isinstance(other, str) or not split(other) or other == name:
                continue
            kind, verdict = _verdict(info.get('verdict')) if key == 'rerun_of' else ('', '')
            links.get(name, []).append([of_this, cell(other), kind, verdict])
            links.get(other, []).append([of_that, name, kind, verdict])
    return links


def _all_infos(root: Path, infos: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return {run: the content of run.json} of all runs of the tags, in the tags' order."""
    of_all: dict[str, dict[str, Any]] = {}
    for tag in dict.fromkeys(name.partition('/')[0] for name in infos):
        for number in layout.numbers(root, tag):
            run = RunRef(tag, number)
            info = infos.get(str(run))
            of_all[str(run)] = run_files.read_info(run.folder(root)) if info is None else info
    return of_all


def _verdict(value: Any) -> tuple[str, str]:
    """Return (class, words) for the verdict in run.json."""
    if not isinstance(value, dict):
        return '', ': no verdict yet'
    if value.get('same') is True:
        return 'same', ': the same, bit for bit'
    first = value.get('first_difference')
    if not isinstance(first, dict):
        return 'differs', ': not the same'
    stream = table.text(first.get('stream', '?'))
    where = cell(first_divergence.WORDS.get(stream, stream) + first_divergence.place(first))
    values = f'{cell(first.get("here"))} in the later, {cell(first.get("there"))} in the first'
    return 'differs', f': not the same: {where} ({values})'
