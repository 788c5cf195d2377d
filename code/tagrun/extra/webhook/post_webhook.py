"""Post one JSON object, as a program of its own that waits for the server so that no run must;
after_webhook.py starts it.

    echo '{"url": "https://example.org/hook", "body": {"event": "finished"}}' \\
        | python -I code/tagrun/extra/webhook/post_webhook.py

The address comes by stdin, for everybody can see a command line. It follows no redirection. Where
the server does not take it, the exit code is 1 and one line says why, without the address. It needs
Python's own library alone, and imports nothing of ours.
"""

import base64
import http.client
import json
import signal
import sys
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

PATIENCE_S = 5  # with the server
END_S = 15  # with everything, a name server too
MAX_REASON = 200  # characters


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The user says where the address leads to, not the server."""

    def redirect_request(self, *_: Any) -> None:
        return None


def post(url: str, body: Any) -> str:
    """Post a body as JSON; return why it was not taken, or ''."""
    try:
        with urllib.request.build_opener(_NoRedirect).open(_request(url, body), timeout=PATIENCE_S):
            return ''
    except urllib.error.HTTPError as error:
        return f'it answered {error.code}'
    except urllib.error.URLError as error:
        return str(getattr(error.reason, 'strerror', None) or error.reason)
    except (OSError, ValueError, http.client.HTTPException) as error:
        return str(getattr(error, 'strerror', None) or type(error).__name__)


def _request(url: str, body: Any) -> urllib.request.Request:
    """Return the request; a login in the URL goes into a header."""
    parts = urllib.parse.urlsplit(url)
    headers = {'Content-Type': 'application/json', 'User-Agent': 'tagrun'}
    if parts.username is not None:
        name = urllib.parse.unquote(parts.username)
        password = urllib.parse.unquote(parts.password or '')
        login = base64.b64encode(f'{name}:{password}'.encode()).decode()
        headers['Authorization'] = f'Basic {login}'
    address = parts._replace(netloc=parts.netloc.rpartition('@')[2]).geturl()
    return urllib.request.Request(
        address, json.dumps(body).encode() + b'\n', headers, method='POST'
    )


if __name__ == '__main__':
    signal.alarm(END_S)
    order = json.load(sys.stdin)
    sys.exit(post(order['url'], order['body'])[:MAX_REASON] or 0)
