"""What secrets look like: found and hidden in every form, and nothing else taken for one."""

import importlib.util
import json
import random
import sysconfig
import time
from pathlib import Path

import pytest
from secret_kinds import KINDS, parts, text

from tagrun.core.record import secret_rules

# how a secret may stand in a file
FORMS = {
    'alone': '{}',
    'Python': 'x = "{}"\n',
    'YAML': 'a:\n  x: {}\n  y: 1\n',
    'sentence': 'I have {} and more.',
    'XML': '<x>{}</x>',
    'CSV': 'a,{},b\n',
    'colour': '\x1b[31m{}\x1b[0m',
    'Korean': '값은{}입니다',
    'JSON': json.dumps,
    'JSON after a line': lambda secret: json.dumps(f'the end\n{secret}\nbegin'),
    'JSON in JSON': lambda secret: json.dumps(json.dumps(f'the end\n{secret}\n')),
    'log': lambda secret: f'10:19:29 {secret}'.replace('\n', '\n10:19:29 '),
    'long line': lambda secret: 'a ' * 10_000 + secret + ' b' * 10_000,
}
# packages that many have; each file of theirs is an ordinary one
PACKAGES = (
    'torch',
    'numpy',
    'pandas',
    'sklearn',
    'matplotlib',
    'PIL',
    'git',
    'rich',
    'tensorboard',
)
SUFFIXES = {
    '.py',
    '.md',
    '.rst',
    '.txt',
    '.json',
    '.csv',
    '.toml',
    '.yaml',
    '.h',
    '.html',
    '.ipynb',
}
# lines that ordinary projects have
HARMLESS = [
    'api_key = os.environ["API_KEY"]',
    "password = getpass.getpass('password: ')",
    'parser.add_argument("--hf_token", default=os.getenv("HF_TOKEN"))',
    'token = tokenizer.convert_ids_to_tokens(12345678901234567890)',
    'tokenizer.pad_token = tokenizer.eos_token  # <|endoftext|>',
    'DATABASE_URL=postgres://user:password@localhost/db',
    'url = f"https://{user}:{password}@{host}/x"',
    'git clone ssh://git@github.com/me/project.git',
    'pip install --index-url https://$USER:$PASS@host/simple',
    'commit 0a1b2c3d4e5f67890a1b2c3d4e5f67890a1b2c3d',
    'sha256:0a1b2c3d4e5f67890a1b2c3d4e5f67890a1b2c3d4e5f67890a1b2c3d4e5f6789',
    'wandb.init(project="x", name="run-0a1b2c3d4e5f67890a1b2c3d4e5f67890a1b2c3d")',
    'task-0123456789abcdef0123456789abcdef0123456789abcdef',
    'MARKERS = ("-----BEGIN RSA ' + 'PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----")',
    'hf_hub_download_with_a_long_name_of_a_function_in_it()',
    'export WANDB_API_KEY=<your key>; export COMET_API_KEY=xxxxxxxxxxxxxxxxxxxxxxxxx',
    'curl -u "$USER:$PASS" https://host',
    'Authorization: Bearer ${TOKEN}',
    'secret_key: the name of the secret, see kubernetes-secret-documentation',
]


def formed(form, secret):
    return FORMS[form].format(secret) if isinstance(FORMS[form], str) else FORMS[form](secret)


@pytest.mark.parametrize('kind', KINDS)
def test_a_secret_is_hidden_in_every_form(kind):
    for form in FORMS:
        content = formed(form, text(kind))
        hidden = secret_rules.redact(content.encode()).decode()
        assert '(hidden)' in hidden and not [part for part in parts(kind) if part in hidden], form
        if form.startswith('JSON'):
            json.loads(hidden)


@pytest.mark.parametrize('kind', ['rsa key', 'openssh key', 'pgp key'])
def test_of_a_private_key_without_its_end_no_line_is_left(kind):
    secret = text(kind)
    for cut in range(60, len(secret), 97):
        for end in ('', '\nand then\n'):
            hidden = secret_rules.redact((secret[:cut] + end).encode()).decode()
            assert not [part for part in parts(kind) if part in hidden], cut
            assert end.strip() in hidden


@pytest.mark.parametrize('line', HARMLESS)
def test_what_is_not_a_secret_is_not_taken_for_one(line):
    assert secret_rules.find(line.encode()) == []


def ordinary_files(count):
    """So many source files and documents of packages at hand, the same ones each time."""
    paths = []
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        if spec and spec.submodule_search_locations:
            folder = Path(spec.submodule_search_locations[0])
            files = sorted(path for path in folder.rglob('*') if path.suffix in SUFFIXES)
            paths.append(random.Random(0).sample(files, min(len(files), -(-count // 5))))
    library = sorted(Path(sysconfig.get_path('stdlib')).glob('*.py'))
    paths.append(random.Random(0).sample(library, min(len(library), count // 5)))
    return [path for files in paths for path in files]


@pytest.mark.parametrize(
    'count', [pytest.param(40, id='some'), pytest.param(400, id='many', marks=pytest.mark.slow)]
)
def test_ordinary_files_of_packages_raise_no_alarm(count):
    files = ordinary_files(count)
    assert len(files) >= count
    alarms = []
    for path in files:
        content = path.read_bytes()
        for secret in secret_rules.find(content):
            alarms.append((str(path), secret.rule, content.count(b'\n', 0, secret.start) + 1))
    assert alarms == []


def test_a_value_is_hidden_by_its_name_and_another_stays_the_same_object():
    value = {'lr': 0.1, 'nan': float('nan'), 'pad_token': '<pad>', 'phases': ('train', 'val')}
    assert secret_rules.redact_value(value) is value
    value = {
        'lr': 0.1,
        'db': {'password': 'hunter2', 'user': 'me'},
        'api_key': ['x1'],
        'secret': '',
    }
    assert secret_rules.redact_value(value) == {
        'lr': 0.1,
        'db': {'password': '(hidden)', 'user': 'me'},
        'api_key': ['(hidden)'],
        'secret': '',
    }


def test_json_stays_json_and_without_a_secret_as_it_was():
    content = b'{"a":1,   "b": "\\u00e9\\ud800"}'
    assert secret_rules.redact_json(content) is content
    torn = b'{"a": "abc://me:hunter2-' + b'k@host'
    assert b'hunter2' not in secret_rules.redact_json(torn)


def test_logins_of_urls_are_hidden_whatever_they_are():
    for login in ('me:pass', 'me', 'me:p@ss', ':x', 'a%20b:$x'):
        content = f'at https://{login}@host/x'.encode()
        assert secret_rules.redact(content) == b'at https://(hidden)@host/x'


@pytest.mark.parametrize(
    'content',
    [
        b'a' * 1_000_000,
        b'eyJ' * 300_000,
        b'-----BEGIN ' * 50_000,
        (b'-----BEGIN ' + b'PRIVATE KEY-----\n') * 3_000,
        b'password=' * 100_000,
        b'://a:b' * 100_000,
        b'api_key="' + b'my-' * 100_000,
        b'user=' * 50_000 + b';password',
        b'wandb ' * 100_000,
        b'"auths" ' * 50_000,
        bytes(random.Random(0).randbytes(1_000_000)),
    ],
    ids=range(11),
)
def test_no_text_takes_long(content):
    start = time.process_time()
    secret_rules.redact(content)
    assert time.process_time() - start < 20, 'seconds for a megabyte'


def test_the_rules_can_be_read_by_this_python_and_name_their_source():
    assert 'gitleaks' in secret_rules.FILE.read_text()
    names = [rule.name for rule in secret_rules.rules()]
    assert len(names) == len(set(names)) > 80
    assert all(all(rule.near) for rule in secret_rules.rules())
