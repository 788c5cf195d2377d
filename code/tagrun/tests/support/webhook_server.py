"""A server on this machine that takes the posts of a webhook.

server = WebhookServer(); server.status = 500; server.got; server.close()
"""

import http.server
import threading
import time

SECRET = 'T0kenInThePath'


class WebhookServer:
    """Answers every POST with `status`, after `delay_s`.

    `got` holds (path, Authorization, body).
    """

    def __init__(self):
        self.status, self.delay_s, self.got = 200, 0, []
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers['Content-Length']))
                server.got.append((self.path, self.headers['Authorization'], body))
                time.sleep(server.delay_s)
                self.send_response(server.status)
                self.send_header('Location', '/elsewhere')
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def url(self, login=''):
        return f'http://{login}127.0.0.1:{self._server.server_port}/{SECRET}?key=1'

    def close(self):
        self._server.shutdown()
        self._server.server_close()
