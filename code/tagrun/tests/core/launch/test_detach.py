"""Going on in the background."""

import subprocess
import sys

from project_factory import CODE, wait_for

from tagrun.core.launch import detach

HEAD = f'import os, sys; sys.path.append({str(CODE)!r}); from tagrun.core.launch import detach\n'


def python(code, **streams):
    return subprocess.run([sys.executable, '-c', HEAD + code], start_new_session=True, **streams)


def test_it_goes_on_in_a_session_of_its_own_and_the_caller_ends(tmp_path):
    code = (
        'if not detach.in_background(): sys.exit(7)\n'
        f'open({str(tmp_path / "new")!r}, "w").write(f"{{os.getsid(0)}} {{os.getpid()}}")\n'
        f'os.rename({str(tmp_path / "new")!r}, {str(tmp_path / "done")!r})\n'
        'print("to nobody")'
    )
    done = python(code, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (7, '', '')
    wait_for((tmp_path / 'done').exists, what='the process in the background')
    session, process = (tmp_path / 'done').read_text().split()
    assert session == process


def test_without_a_terminal_nobody_sends_us_ctrl_c():
    assert python('sys.exit(detach.in_foreground())').returncode == 0


def test_only_output_that_goes_nowhere_is_silent(capfd):
    code = 'sys.exit(detach.is_silent())'
    assert python(code, stderr=subprocess.DEVNULL).returncode == 1
    assert python(code, stderr=subprocess.PIPE).returncode == 0
    assert not detach.is_silent()
