"""What the environment, the PATH, files beside the code and TensorBoard's flags say, X19 and X22:
they have no say.
"""

import os
import shutil

from hostile_inputs import inputs

# ---- X19: TensorBoard's flags ----


@inputs(
    'X19 ports and hosts',
    'flags',
    [
        ['--host', '0.0.0.0'],
        ['--host=0.0.0.0'],
        ['--host', '::'],
        ['--host='],
        ['--host', 'example.org'],
        ['--bind_all'],
        ['--bind_a'],
        ['--ho=0.0.0.0'],
        ['--port', '0'],
        ['--port', 'x'],
        ['--port', ''],
        ['--logdir', '/'],
        ['--logdir=/etc'],
        ['--port=1e3'],
        ['--host', '127.0.0.1\n'],
    ],
)
def test_a_flag_that_would_open_tensorboard_to_others_is_refused(sandbox, command, flags):
    code, _, message = command('itb', 'real', '--', *flags)
    assert code in (1, 2) and message


# ---- X22: the environment ----


def evil_path(tmp_path):
    """A folder with programs of common names, which touch PWNED."""
    for name in ('git', 'python', 'python3', 'sh', 'bash', 'ls', 'less'):
        (tmp_path / 'bin').mkdir(exist_ok=True)
        (tmp_path / 'bin' / name).write_text(
            '#!/bin/sh\ntouch "$(dirname "$0")/../PWNED"\nexit 1\n'
        )
        (tmp_path / 'bin' / name).chmod(0o755)
    return str(tmp_path / 'bin')


ENVIRONMENTS = [
    {'GIT_DIR': '/nonexistent'},
    {'GIT_WORK_TREE': '/'},
    {'GIT_INDEX_FILE': '/dev/null'},
    {'GIT_OBJECT_DIRECTORY': '/nonexistent'},
    {'GIT_NAMESPACE': 'x'},
    {'GIT_COMMON_DIR': '/'},
    {'GIT_CEILING_DIRECTORIES': '/'},
    {'GIT_CONFIG_COUNT': '1', 'GIT_CONFIG_KEY_0': 'core.bare', 'GIT_CONFIG_VALUE_0': 'true'},
    {'GIT_CONFIG_PARAMETERS': "'core.bare=true'"},
    {'GIT_LITERAL_PATHSPECS': '1'},
    {'GIT_GLOB_PATHSPECS': '1'},
    {'GIT_ICASE_PATHSPECS': '1'},
    {'GIT_EXTERNAL_DIFF': 'touch PWNED'},
    {'GIT_PAGER': 'touch PWNED'},
    {'GIT_EDITOR': 'touch PWNED'},
    {'GIT_SSH_COMMAND': 'touch PWNED'},
    {'GIT_TRACE': '1'},
    {'GIT_OPTIONAL_LOCKS': '1'},
    {'GIT_DEFAULT_HASH': 'sha256'},
    {'GIT_SHALLOW_FILE': '/dev/null'},
    {'BASH_ENV': 'EVIL'},
    {'ENV': 'EVIL'},
    {'PROMPT_COMMAND': 'touch PWNED'},
    {'LC_ALL': 'de_DE.UTF-8', 'LANGUAGE': 'de'},
    {'LC_ALL': 'C'},
    {'LANG': ''},
    {'HOME': '/nonexistent'},
    {'TERM': '\x1b[2J'},
    {'COLUMNS': '-5'},
    {'NO_COLOR': ''},
    {'TAGRUN_RUN': '/etc'},
    {'PYTHONSTARTUP': 'EVIL'},
    {'PYTHONWARNINGS': 'error'},
    {'PYTHONOPTIMIZE': '2'},
    {'PYTHONDONTWRITEBYTECODE': ''},
    {'PYTHONIOENCODING': 'ascii'},
    {'TMPDIR': '/nonexistent'},
    {'TMPDIR': '/' + 'x' * 150},
    {'PYTHONSAFEPATH': '1'},
    {'PYTHONHASHSEED': '0'},
    {'MPLBACKEND': 'nonsense'},
    {'RANK': '3', 'WORLD_SIZE': '7', 'MASTER_ADDR': 'nowhere', 'TORCHELASTIC_RUN_ID': 'x'},
    {'LC_ALL': 'C', 'PYTHONCOERCECLOCALE': '0', 'PYTHONUTF8': '0'},
    {'GIT_AUTHOR_DATE': '2020-01-01T00:00:00Z'},
]


@inputs('X22 environment', 'env', ENVIRONMENTS)
def test_whatever_the_environment_says_the_run_is_that_of_this_project(scratched, env, tmp_path):
    evil = tmp_path / 'evil.sh'
    evil.write_text(f'touch {tmp_path}/PWNED\n')
    env = {name: str(evil) if value == 'EVIL' else value for name, value in env.items()}
    before = scratched.project.git('for-each-ref')
    scratched.project.tagrun('rerun', 'real', env=env, code=75)
    after = scratched.project.git('for-each-ref')
    assert set(before.splitlines()) < set(after.splitlines()) and not (tmp_path / 'PWNED').exists()


@inputs('X22 PATH', 'entry', ['.', '', 'bin', './bin'])
def test_a_git_that_lies_in_the_project_is_not_run(scratched, entry, tmp_path):
    evil_path(scratched.root)
    try:
        scratched.project.tagrun('expls', env={'PATH': f'{os.environ["PATH"]}:{entry}'})
    finally:
        shutil.rmtree(scratched.root / 'bin')


@inputs(
    'X22 files beside the code',
    'name',
    [
        'git.py',
        'json.py',
        'queue.py',
        'random.py',
        'torch.py',
        'tagrun.py',
        'sitecustomize.py',
        'code.py',
        'argparse.py',
    ],
)
def test_a_file_of_the_researcher_never_stands_for_a_module_of_the_tool(scratched, name):
    path = scratched.root / 'code' / name
    path.write_text('open("PWNED", "w")\n')
    try:
        for words in (('expls',), ('table', 'record'), ('run', '-n', 't9'), ('record', 't1')):
            scratched.project.tagrun(*words)
            scratched.project.tagrun(*words, cwd=scratched.root / 'code')
    finally:
        path.unlink()
