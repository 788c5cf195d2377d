"""core/project.py: where this project is."""

from project_factory import CODE

from tagrun.core import project


def test_the_project_is_the_one_whose_tool_runs():
    assert project.CODE == CODE and CODE.parent == project.ROOT
    assert CODE / 'tagrun' == project.TOOL and (project.TOOL / '__main__.py').is_file()
    assert CODE / 'tagrun' / 'extra' == project.EXTRA
