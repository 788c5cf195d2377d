"""The project and the terminal of the tests of the shell files."""

import pytest
from shells import Terminal, make_project


@pytest.fixture
def project(tmp_path):
    return make_project(tmp_path / "a 'b; c")


@pytest.fixture
def terminal(request, project):
    return Terminal(request.param, project)
