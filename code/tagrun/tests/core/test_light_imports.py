"""Light commands do not pay for heavy packages."""

import os
import subprocess
import sys

import pytest
from project_factory import CODE

HEAVY = ('torch', 'pandas', 'matplotlib', 'tensorboard', 'optuna')
MODULES = (
    'tagrun.command.run',
    'tagrun.command.expls',
    'tagrun.command.table',
    'tagrun.core.launch.launch',
    'tagrun.core.cli.selectors',
)


@pytest.mark.parametrize('module', MODULES)
def test_no_light_command_imports_a_heavy_package(module):
    code = f'import sys; sys.path.append({str(CODE)!r}); import {module}; print(*sys.modules)'
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, env=os.environ, check=True
    )
    assert not set(HEAVY) & set(done.stdout.split())
