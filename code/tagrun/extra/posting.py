"""Posts one JSON object, as a program of its own that waits for the server so that nobody else must: after_webhook.py starts it.

    echo '{"url": "https://example.org/hook", "body": {"event": "finished"}}' | python -I code/tagrun/extra/posting.py

The address comes by stdin, for a command line is seen by all. It follows no redirection. Exit code 1, and why in one line without the
address, where the server did not take it. Python's own library alone; it imports nothing of ours.
"""
import base64
import json
import signal
import sys
import urllib.error
import urllib.parse
import urllib.request

PATIENCE_S = 5      # with the server
END_S = 15          # with everything, a name server too


class _Stay(urllib.request.HTTPRedirectHandler):
    """Where the address leads to is for the user to say, not for the server."""

    def redirect_request(self, *_):
        return None


def post(url, body):
    """Why it was not taken, or ''."""
    parts = urllib.parse.urlsplit(url)
    headers = {'Content-Type': 'application/json', 'User-Agent': 'tagrun'}
    if parts.username is not None:
        login = f'{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or "")}'
        headers['Authorization'] = 'Basic ' + base64.b64encode(login.encode()).decode()
    place = parts._replace(netloc=parts.netloc.rpartition('@')[2]).geturl()
    request = urllib.request.Request(place, json.dumps(body).encode() + b'\n', headers, method='POST')
    try:
        with urllib.request.build_opener(_Stay).open(request, timeout=PATIENCE_S):
            return ''
    except urllib.error.HTTPError as error:
        return f'it answered {error.code}'
    except urllib.error.URLError as error:
        return str(getattr(error.reason, 'strerror', None) or error.reason)
    except (OSError, ValueError) as error:
        return str(getattr(error, 'strerror', None) or type(error).__name__)


if __name__ == '__main__':
    signal.alarm(END_S)
    order = json.load(sys.stdin)
    sys.exit(post(order['url'], order['body'])[:200] or 0)
