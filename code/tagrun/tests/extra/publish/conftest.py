"""A project with hostile texts, and `tagrun publish gsheet` to a server that speaks the API's
requests.
"""

import json

import pytest
import run_factory
import stub_project

HOSTILE = (
    '=1+1',
    '+cmd',
    '-2+3',
    '@SUM(A1)',
    '=HYPERLINK("http://x","y")',
    '\tTAB',
    '＝1',
    "'quoted",
)


@pytest.fixture(scope='module')
def project(tmp_path_factory):
    project = stub_project.make(tmp_path_factory.mktemp('gsheet') / "a 'b; c")
    for number, text in enumerate(HOSTILE):
        run_factory.run(
            project.root,
            f't/{number}',
            {'model': text, text: 1, 'lr': -0.5},
            {'val/acc': number / 10 if number else 'nan'},
        )
    run_factory.run(project.root, 'seeded/0', seed=2**62 + 1)
    return project


@pytest.fixture
def google(tmp_path, project):
    pytest.importorskip('gspread', reason='pip install -r code/requirements-gsheet.txt')
    import fake_google

    with fake_google.Google(tmp_path) as google:
        project.git('config', 'tagrun.gsheet.key', google.key)
        project.git(
            'config',
            'tagrun.gsheet.sheet',
            f'https://docs.google.com/spreadsheets/d/{fake_google.ID}/edit#gid=0',
        )
        yield google


@pytest.fixture
def publish(project, google):
    """Runs the verb; whatever it says, nothing of the key, the token or a header is in it."""

    def run(*words, code=0, **more):
        done = project.tagrun('publish', 'gsheet', *words, code=code, env=google.env, **more)
        for secret in (
            'CANARY',
            'PRIVATE KEY',
            'Bearer',
            'Authorization',
            json.loads(google.key.read_text()).get('private_key', 'no key')[60:90],
        ):
            assert secret not in done.stdout + done.stderr, done.stderr
        return done

    return run


@pytest.fixture
def hostile():
    """The texts of the project's runs, which a spreadsheet might take for formulas."""
    return HOSTILE
