"""A stand-in for Google: a proxy on 127.0.0.1 that answers for its sheets and its logins.

    with fake_google.Google(folder) as google:
        project.tagrun('publish', 'gsheet', env=google.env)
        google.sheets['finished']

It answers for sheets.googleapis.com and oauth2.googleapis.com with a certificate of its own.
gspread, google-auth and requests are the real ones: they reach it by TLS, through HTTPS_PROXY and
the bundle of trusted certificates, as behind a company's proxy. Nothing leaves the machine.
"""

import datetime
import json
import re
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from google.auth import jwt

HOSTS = ('sheets.googleapis.com', 'oauth2.googleapis.com')
ID = '1aBcDeFgHiJkLmNoPqRsTuVwXyZ_0123456789-abcde'
EMAIL = 'tagrun@project-1.iam.gserviceaccount.com'
TOKEN = 'ya29.CANARY-the-token'


class Google:
    """The sheets it has, the requests it saw, and what it answers next: `trouble`, statuses or
    'hang' or 'drop', one a request.
    """

    def __init__(self, folder):
        self.folder, self.sheets, self.sizes, self.requests, self.trouble, self.lock = (
            folder,
            {},
            {},
            [],
            [],
            threading.Lock(),
        )
        self.fake = new_key()
        self._make_certificate()
        self.key = folder / 'key.json'
        self.write_key(self.fake)
        handler = type('Handler', (_Handler,), {'google': self})
        self.server = _Server(('127.0.0.1', 0), handler)
        self.server.daemon_threads = True
        self.env = {
            'HTTPS_PROXY': f'http://127.0.0.1:{self.server.server_address[1]}',
            'REQUESTS_CA_BUNDLE': str(folder / 'ca.pem'),
            'NO_PROXY': '',
            'no_proxy': '',
        }

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def write_key(self, key):
        """A service account's key file, as Google's console gives it."""
        self.key.write_text(
            json.dumps(
                {
                    'type': 'service_account',
                    'project_id': 'project-1',
                    'private_key_id': 'CANARY-id',
                    'private_key': _pem(key).decode(),
                    'client_email': EMAIL,
                    'client_id': '1',
                    'token_uri': 'https://oauth2.googleapis.com/token',
                }
            )
        )
        self.key.chmod(0o600)

    def rows(self, title):
        """A worksheet's cells as rows; '' where nothing stands."""
        cells = self.sheets[title]
        last = max((row for (row, _), value in cells.items() if value != ''), default=0)
        width = max((column for (_, column), value in cells.items() if value != ''), default=0)
        columns = range(1, width + 1)
        rows = []
        for row in range(1, last + 1):
            rows.append([cells.get((row, column), '') for column in columns])
        return rows

    def _make_certificate(self):
        key, name = new_key(), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, 'Googly')])
        now = datetime.datetime.now(datetime.timezone.utc)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(
                x509.SubjectAlternativeName([x509.DNSName(host) for host in HOSTS]), critical=False
            )
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        (self.folder / 'ca.pem').write_bytes(pem)
        (self.folder / 'server.pem').write_bytes(_pem(key) + pem)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(self.folder / 'server.pem')

    def token(self, body):
        """(status, answer) to a signed request for a token."""
        try:
            public = self.fake.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            claims = jwt.decode(
                parse_qs(body)['assertion'][0],
                certs=public,
                audience='https://oauth2.googleapis.com/token',
            )
        except ValueError:
            return 400, {'error': 'invalid_grant', 'error_description': 'Invalid JWT Signature.'}
        assert (
            claims['iss'] == EMAIL
            and claims['scope'] == 'https://www.googleapis.com/auth/spreadsheets'
        )
        return 200, {'access_token': TOKEN, 'expires_in': 3600, 'token_type': 'Bearer'}

    def spreadsheet(self):
        sheets = []
        for number, title in enumerate(self.sheets):
            rows, columns = self.sizes[title]
            grid = {'rowCount': rows, 'columnCount': columns}
            properties = {'sheetId': number, 'title': title, 'index': number}
            sheets.append({'properties': {**properties, 'gridProperties': grid}})
        return {
            'spreadsheetId': ID,
            'properties': {'title': 'T'},
            'spreadsheetUrl': f'https://docs.google.com/spreadsheets/d/{ID}/edit',
            'sheets': sheets,
        }

    def change(self, requests):
        """spreadsheets.batchUpdate: addSheet and updateSheetProperties."""
        replies = []
        for request in requests:
            ((what, how),) = request.items()
            properties = how['properties']
            grid = properties['gridProperties']
            title = (
                properties['title']
                if what == 'addSheet'
                else list(self.sheets)[properties['sheetId']]
            )
            self.sheets.setdefault(title, {})
            self.sizes[title] = (int(grid['rowCount']), int(grid['columnCount']))
            replies.append(
                {
                    'addSheet': {
                        'properties': {
                            **properties,
                            'sheetId': list(self.sheets).index(title),
                            'index': 0,
                        }
                    }
                }
                if what == 'addSheet'
                else {}
            )
        return {'spreadsheetId': ID, 'replies': replies}

    def put(self, body):
        """values.batchUpdate. RAW, and inside of the grid, or it is refused as Google would."""
        assert body['valueInputOption'] == 'RAW'
        for part in body['data']:
            title, row, column = _place(part['range'])
            for down, line in enumerate(part['values']):
                for right, value in enumerate(line):
                    assert (
                        row + down <= self.sizes[title][0]
                        and column + right <= self.sizes[title][1]
                    ), 'outside of the grid'
                    self.sheets[title][row + down, column + right] = value
        return {'spreadsheetId': ID}

    def clear(self, body):
        for text in body['ranges']:
            title, first_row, first_column = _place(text.partition(':')[0])
            _, last_row, last_column = _place(f"'{title}'!{text.partition(':')[2]}")
            for cell in list(self.sheets[title]):
                if first_row <= cell[0] <= last_row and first_column <= cell[1] <= last_column:
                    del self.sheets[title][cell]
        return {'spreadsheetId': ID}


class _Server(ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):  # a client that waited no longer
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    google = None

    def log_message(self, *_):
        pass

    def do_CONNECT(self):
        # google-auth asks another where the account may work; it does without
        if self.path.partition(':')[0] not in HOSTS:
            self.send_error(502)
            return
        self.send_response(200)
        self.end_headers()
        self.connection = self.google.tls.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = (
            self.connection.makefile('rb'),
            self.connection.makefile('wb', buffering=0),
        )
        self.close_connection = False

    def do_GET(self):
        self._answer('')

    def do_POST(self):
        self._answer(self.rfile.read(int(self.headers.get('Content-Length', 0))).decode())

    def _answer(self, body):
        google, url = self.google, urlsplit(self.path)
        path = unquote(url.path)
        with google.lock:
            google.requests.append((self.command, path, body))
            trouble = google.trouble.pop(0) if google.trouble else None
        if trouble == 'drop':
            self.close_connection = True
            self.connection.close()
            return
        if trouble == 'hang':
            time.sleep(2)
        if isinstance(trouble, int):
            self._send(
                trouble,
                {
                    'error': {
                        'code': trouble,
                        'message': f'no: {self.headers.get("Authorization")}',
                        'status': 'X',
                    }
                },
            )
        elif path == '/token':
            self._send(*google.token(body))
        elif self.headers.get('Authorization') != f'Bearer {TOKEN}':
            self._send(
                401, {'error': {'code': 401, 'message': 'no token', 'status': 'UNAUTHENTICATED'}}
            )
        elif not path.startswith(f'/v4/spreadsheets/{ID}'):
            self._send(
                404,
                {
                    'error': {
                        'code': 404,
                        'message': 'Requested entity was not found.',
                        'status': 'NOT_FOUND',
                    }
                },
            )
        else:
            with google.lock:
                what = path.removeprefix(f'/v4/spreadsheets/{ID}')
                content = json.loads(body) if body else {}
                self._send(
                    200,
                    {
                        '': google.spreadsheet,
                        ':batchUpdate': lambda: google.change(content['requests']),
                        '/values:batchUpdate': lambda: google.put(content),
                        '/values:batchClear': lambda: google.clear(content),
                    }[what](),
                )

    def _send(self, status, content):
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def new_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _place(text):
    """('finished', 2, 1) of 'finished'!A2."""
    title, letters, row = re.fullmatch(r"'?(.*?)'?!([A-Z]+)(\d+)(?::.*)?", text).groups()
    column = 0
    for letter in letters:
        column = 26 * column + ord(letter) - 64
    return title, int(row), column
