"""`test --lint`: each tool's remarks count, and a clean file has none."""

import shutil
import sys
from pathlib import Path

import pytest

from tagrun.core.check import lint

TOOLS = ('ruff', 'mypy', 'shellcheck')
pytestmark = pytest.mark.skipif(
    not all(Path(sys.executable).with_name(tool).exists() for tool in TOOLS),
    reason='the linters are not beside this Python: `tagrun test` installs them',
)


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A small code/ with a package of each kind that mypy.ini names."""
    code = tmp_path / "a 'b; c" / 'code'
    for package in ('store', 'core', 'training'):
        (code / 'tagrun' / package).mkdir(parents=True)
        (code / 'tagrun' / package / '__init__.py').write_text('"""Nothing."""\n')
    (code / 'tagrun' / '__init__.py').write_text('"""Nothing."""\n')
    (code / 'source.sh').write_text('#!/usr/bin/env bash\necho "$1"\n')
    for name in ('ruff.toml', 'mypy.ini'):
        shutil.copy(lint.TOOL / name, code / 'tagrun')
    monkeypatch.setattr(lint, 'CODE', code)
    monkeypatch.setattr(lint, 'TOOL', code / 'tagrun')
    monkeypatch.setattr(lint, 'SHELL_FILES', (code / 'source.sh', code / 'missing.sh'))
    return code


def test_a_clean_checkout_has_no_remarks_and_no_cache_is_left(checkout):
    """Nor is the researcher's layout a remark."""
    (checkout / 'config.py').write_text('"""Arguments."""\nlr = 0.1        # a rate\n')
    assert lint.run_all(sys.executable) == []
    assert not list(checkout.rglob('.*_cache'))


def test_each_tool_that_has_a_remark_is_named(checkout, capfd):
    faults = {
        'tagrun/core/unused.py': '"""A."""\n\nimport os\n',
        'tagrun/core/layout.py': '"""A."""\n\nx = [1,2]\n',
        'tagrun/store/untyped.py': '"""A."""\n\n\ndef f(x):\n    return x\n',
        'tagrun/core/wrong_type.py': '"""A."""\n\n\ndef f(x: int) -> str:\n    return x\n',
        'source.sh': '#!/usr/bin/env bash\necho $1\n',
    }
    for path, text in faults.items():
        (checkout / path).write_text(text)
    assert lint.run_all(sys.executable) == ['ruff check', 'ruff format', 'mypy', 'shellcheck']
    printed = ''.join(capfd.readouterr())
    for path in faults:
        assert Path(path).name in printed


@pytest.mark.parametrize('failing', [[], ['mypy'], ['ruff', 'shellcheck']])
def test_the_tools_that_fail_are_named(tmp_path, failing):
    for name in TOOLS:
        tool = tmp_path / name
        tool.write_text(f'#!/bin/sh\nexit {int(name in failing)}\n')
        tool.chmod(0o755)
    failed = lint.run_all(str(tmp_path / 'python'))
    assert {name.split()[0] for name in failed} == set(failing)
