"""Secrets in files, in the environment and in URLs, X16 and X17, are in no output."""

import subprocess
from pathlib import Path

import pytest
from hostile_inputs import COUNTS, inputs
from project_factory import make_project

from tagrun.core.cli.messages import UserError
from tagrun.core.git.status import Change
from tagrun.core.record import secret_scan

SECRET_NAMES = [
    '.env',
    '.env.local',
    '.ENV',
    'prod.env.key',
    'key.pem',
    'KEY.PEM',
    'x.key',
    'x.p12',
    'x.pfx',
    'x.jks',
    'x.keystore',
    'x.kdbx',
    'x.ovpn',
    'id_rsa',
    'id_rsa.bak',
    'id_dsa',
    'id_ecdsa',
    'id_ed25519',
    '.boto',
    '.dockercfg',
    '.git-credentials',
    '.htpasswd',
    '.netrc',
    '_netrc',
    '.npmrc',
    '.pgpass',
    '.pypirc',
    '.s3cfg',
    'my_service_account_3.json',
    'service-account.json',
    'credentials',
    'credentials.json',
    'client_secret_1.json',
    'kaggle.json',
    'secrets.yaml',
    'secrets.toml',
    '.vault_pass',
]
NO_SECRETS = [
    '.env.example',
    'id_rsa.pub',
    'secrets.py',
    'environment.yml',
    'keys.md',
    'credentials.py',
    'model.keyed',
    'tokens.txt',
]
TOKENS = [
    '-----BEGIN RSA ' + 'PRIVATE KEY-----',
    '-----BEGIN ' + 'PRIVATE KEY-----',
    '-----BEGIN OPENSSH ' + 'PRIVATE KEY-----',
    'AKIA' + 'ABCDEFGHIJKLMNOP',
    'ghp_' + 'a1' * 18,
    'gho_' + 'a1' * 18,
    'github_pat_' + 'a1' * 41,
    'glpat-' + 'a1' * 10,
    'hf_' + 'aB' * 17,
    'sk-' + 'a1' * 24,
    'sk-proj-' + 'a1' * 24,
    'xoxb-' + '1234567890-' * 3,
    'AIza' + 'a1-' * 11 + 'ab',
    'npm_' + 'a1' * 18,
    'pypi-' + 'a1' * 30,
]


@inputs('X17 secret files', 'name', SECRET_NAMES)
def test_a_new_file_with_a_secrets_name_is_refused(tmp_path, name):
    (tmp_path / name).write_text('x')
    with pytest.raises(UserError, match='looks like a secret.*gitignore'):
        secret_scan.check(tmp_path, [Change('new', name)])


@inputs('X17 secrets in files', 'token', TOKENS)
@pytest.mark.parametrize('what', ['new', 'modified'])
def test_a_changed_file_that_holds_a_token_is_refused_without_telling_it(tmp_path, token, what):
    (tmp_path / 'notes.ipynb').write_text(f'{{"cells": [\n"key = \\"{token}\\""]}}\n')
    with pytest.raises(UserError, match='notes.ipynb, line 2') as refused:
        secret_scan.check(tmp_path, [Change(what, 'notes.ipynb')])
    assert token not in str(refused.value)


@pytest.mark.parametrize('name', NO_SECRETS)
def test_a_file_that_only_sounds_like_a_secret_is_taken(tmp_path, name):
    (tmp_path / name).write_text(
        'api_key = os.environ["KEY"]  # ghp_, hf_ and sk- begin one; hf_hub_download does not\n'
    )
    assert secret_scan.check(tmp_path, [Change('new', name)]) is None


PLANTED = {
    'AWS_SECRET_ACCESS_KEY': 'planted-aws-01',
    'WANDB_API_KEY': 'planted-wandb-02',
    'HF_TOKEN': 'planted-hf-03',
    'PIP_INDEX_URL': 'https://u:planted-pip-04@127.0.0.1:9/',
    'HTTPS_PROXY': 'http://u:planted-proxy-05@127.0.0.1:9',
    'GITHUB_TOKEN': 'planted-github-06',
    'OPENAI_API_KEY': 'planted-openai-07',
    'SLURM_JOB_COMMENT': 'planted-slurm-08',
    'SSH_AUTH_SOCK': '/tmp/planted-ssh-09',
    'GIT_ASKPASS': 'planted-askpass-10',
    'DATABASE_URL': 'postgres://u:planted-db-11@127.0.0.1:9/x',
}


@inputs('X16 planted secrets', 'planted', [[*PLANTED, 'remote']])
def test_twelve_planted_secrets_are_found_in_no_output(tmp_path, data, planted):
    project = make_project(tmp_path / 'real', data, epochs='1')
    project.git('remote', 'add', 'origin', 'https://me:planted-remote-12@example.org/x.git')
    outputs = []
    for words in (
        ('run', 't1'),
        ('rerun', 't1', '-f'),
        ('record', 't1'),
        ('title',),
        ('table',),
        ('table', '--format', 'html', '-o', '__statistic__/t.html'),
        ('expls', '--json'),
        ('doctor', '--json'),
        ('continue', 't1'),
    ):
        done = project.tagrun(*words, env=PLANTED)
        outputs += [done.stdout, done.stderr]
    objects = subprocess.run(
        ['git', 'cat-file', '--batch', '--batch-all-objects'],
        cwd=project.root,
        capture_output=True,
        check=True,
    ).stdout
    assert 'planted-' not in ''.join(outputs) and b'planted-' not in objects
    for folder in ('__result__', '__statistic__'):
        for path in filter(Path.is_file, (project.root / folder).rglob('*')):
            assert b'planted-' not in path.read_bytes(), path


COUNTS['X16 planted secrets'] = len(PLANTED) + 1
