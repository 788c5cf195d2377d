"""A project, and `tagrun import` in it."""

import pytest
import stub_project


@pytest.fixture(scope='module')
def project(tmp_path_factory):
    return stub_project.make(tmp_path_factory.mktemp('import') / "a 'b; c")


@pytest.fixture
def bring(project):
    def run(*words, code=0):
        return project.tagrun('import', *words, code=code)

    return run
