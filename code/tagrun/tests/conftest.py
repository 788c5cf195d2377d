"""Fixtures and options of all tests; support/ has what they share."""

import sys

import pytest
from project_factory import CODE, make_data, make_project

sys.path.append(str(CODE))  # last, as __main__.py has it


def pytest_addoption(parser):
    parser.addoption('--slow', action='store_true', help='the long campaigns too')


def pytest_configure(config):
    config.addinivalue_line('markers', 'slow: minutes long; runs with --slow')
    for helper in (
        'bare_clone',
        'breakage',
        'evaluated_run',
        'hostile_inputs',
        'report_pages',
    ):  # their fixtures
        config.pluginmanager.import_plugin(helper)


def pytest_collection_modifyitems(config, items):
    if not config.getoption('--slow'):
        items[:] = [item for item in items if 'slow' not in item.keywords]


@pytest.fixture(scope='session')
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp('data'))


@pytest.fixture
def project(tmp_path, data):
    return make_project(tmp_path / "a 'b; c", data)


@pytest.fixture
def stubbed(tmp_path):
    """A project that trains nothing, for what does not ask how training goes."""
    import stub_project

    return stub_project.make(tmp_path / "a 'b; c")
