"""A server for the webhook's posts."""

import pytest
from webhook_server import WebhookServer


@pytest.fixture
def server():
    server = WebhookServer()
    yield server
    server.close()
