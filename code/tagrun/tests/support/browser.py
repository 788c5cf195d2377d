"""A headless Chromium, driven over its DevTools protocol.

    with browser.open_browser(tmp_path) as chromium:
        page = chromium.page(); page.go(path); page.value('document.title'); page.requests

It has no network: whatever it asks for goes to a proxy of ours, which answers nothing and keeps the
first lines in `asked`.
"""

import base64
import contextlib
import itertools
import json
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

FLAGS = (
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-3d-apis',
    '--disable-background-networking',
    '--disable-component-update',
    '--no-first-run',
    '--disable-dev-shm-usage',
    '--proxy-bypass-list=<-loopback>',
    '--remote-debugging-port=0',
    '--remote-allow-origins=*',
)
PROGRAM = next(
    filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None
)


def missing():
    """Return why no browser can be tested in; '' if one can."""
    if PROGRAM is None:
        return 'there is no chromium on PATH'
    try:
        import websocket  # noqa: F401
    except ModuleNotFoundError:
        return 'the package websocket-client is missing: requirements-test.txt has it'
    return ''


@contextlib.contextmanager
def open_browser(folder):
    """Yield a Browser whose profile lies in `folder`; it ends with the block."""
    profile = Path(folder) / 'profile'
    proxy, asked = socket.create_server(('127.0.0.1', 0)), []
    threading.Thread(target=_listen, args=(proxy, asked), daemon=True).start()
    process = subprocess.Popen(
        [
            PROGRAM,
            *FLAGS,
            f'--proxy-server=127.0.0.1:{proxy.getsockname()[1]}',
            f'--user-data-dir={profile}',
            'about:blank',
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield Browser(_address(profile / 'DevToolsActivePort', process), asked)
    finally:
        process.terminate()
        process.wait(20)
        proxy.close()


def _listen(proxy, asked):
    """Keep the first line of each request: 'GET http://example.org/ HTTP/1.1'."""
    with contextlib.suppress(OSError):  # closed: the end
        while True:
            connection, _ = proxy.accept()
            with connection, contextlib.suppress(OSError):
                connection.settimeout(5)
                asked.append(connection.recv(4096).partition(b'\r\n')[0].decode('utf-8', 'replace'))


def _address(path, process):
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError, ValueError):
            port, path_of_browser = path.read_text().splitlines()
            return f'ws://127.0.0.1:{port}{path_of_browser}'
        time.sleep(0.05)
    raise AssertionError(f'chromium did not begin; its exit code is {process.poll()}')


class Browser:
    def __init__(self, address, asked):
        import websocket

        self.asked = asked
        self._socket = websocket.create_connection(address, timeout=60)
        self._numbers = itertools.count(1)
        self._pages = {}

    def page(self):
        target = self.call('Target.createTarget', {'url': 'about:blank'})['targetId']
        session = self.call('Target.attachToTarget', {'targetId': target, 'flatten': True})[
            'sessionId'
        ]
        self._pages[session] = Page(self, session)
        for domain in ('Page', 'Network', 'Runtime', 'Log'):
            self.call(f'{domain}.enable', {}, session)
        return self._pages[session]

    def call(self, method, words, session=None):
        """Return what the browser answers; events that come before it go to their pages."""
        number = next(self._numbers)
        request = {'id': number, 'method': method, 'params': words}
        if session:
            request['sessionId'] = session
        self._socket.send(json.dumps(request))
        while True:
            message = json.loads(self._socket.recv())
            if message.get('id') == number:
                assert 'error' not in message, f'{method}: {message["error"]}'
                return message['result']
            if message.get('sessionId') in self._pages:
                self._pages[message['sessionId']].hear(message)


class Page:
    """A tab.

    requests: addresses that it asked for; dialogs, complaints (errors, breaches of its own policy)
    and visited: texts.
    """

    def __init__(self, browser, session):
        self._browser, self._session = browser, session
        self.requests, self.dialogs, self.complaints, self.visited = [], [], [], []
        self._loaded = False

    def call(self, method, **words):
        return self._browser.call(method, words, self._session)

    def hear(self, message):
        kind, params = message.get('method'), message.get('params', {})
        if kind == 'Network.requestWillBeSent':
            self.requests.append(params['request']['url'])
        elif kind == 'Page.javascriptDialogOpening':
            self.dialogs.append(params['message'])
        elif kind == 'Runtime.exceptionThrown':
            self.complaints.append(json.dumps(params['exceptionDetails'])[:600])
        elif kind == 'Log.entryAdded':
            self.complaints.append(
                f'{params["entry"].get("text")} {params["entry"].get("url", "")}'
            )
        elif kind == 'Page.frameNavigated':
            self.visited.append(params['frame']['url'])
        elif kind == 'Page.loadEventFired':
            self._loaded = True

    def go(self, path, timeout_s=60):
        """Open a file and wait for it to be loaded; return the seconds that this took."""
        self._loaded, began = False, time.monotonic()
        self.call('Page.navigate', url=Path(path).resolve().as_uri())
        while not self._loaded and time.monotonic() < began + timeout_s:
            self.value('1')
        assert self._loaded, f'{path} was not loaded in {timeout_s} s'
        return time.monotonic() - began

    def value(self, expression):
        """Return the value of JavaScript, as JSON has it; a promise is awaited."""
        answer = self.call(
            'Runtime.evaluate', expression=expression, returnByValue=True, awaitPromise=True
        )
        assert 'exceptionDetails' not in answer, f'{expression}: {answer["exceptionDetails"]}'
        return answer['result'].get('value')

    def settle(self):
        """Wait until two frames were drawn."""
        self.value(
            'new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))'
        )

    def size(self, width, height, mobile=False):
        self.call(
            'Emulation.setDeviceMetricsOverride',
            width=width,
            height=height,
            deviceScaleFactor=2 if mobile else 1,
            mobile=mobile,
        )

    def media(self, **features):
        """prefers_color_scheme='dark'"""
        self.call(
            'Emulation.setEmulatedMedia',
            features=[
                {'name': name.replace('_', '-'), 'value': value} for name, value in features.items()
            ],
        )

    def click(self, selector):
        self.value(f'document.querySelector({json.dumps(selector)}).click()')

    def point(self, x, y):
        """Move the pointer there."""
        self.call('Input.dispatchMouseEvent', type='mouseMoved', x=x, y=y)

    def picture(self, path, whole=True):
        Path(path).write_bytes(
            base64.b64decode(
                self.call('Page.captureScreenshot', format='png', captureBeyondViewport=whole)[
                    'data'
                ]
            )
        )

    def print(self, path):
        Path(path).write_bytes(
            base64.b64decode(
                self.call('Page.printToPDF', printBackground=False, preferCSSPageSize=True)['data']
            )
        )
