"""How the sandbox's own tests speak to it: plain HTTP, and a place where its webhooks arrive."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from dev.sandbox.testing import RunningSandbox


def sign_in(sandbox: RunningSandbox) -> httpx.Client:
    """TextVerified with a bearer token. Paths begin after /api/pub/v2."""
    client = httpx.Client(base_url=f"{sandbox.textverified_url}/api/pub/v2", trust_env=False, timeout=10)
    credentials = {
        "X-API-KEY": sandbox.config.textverified_api_key,
        "X-API-USERNAME": sandbox.config.textverified_username,
    }
    token = client.post("/auth", headers=credentials).json()["token"]
    client.headers["Authorization"] = f"Bearer {token}"
    return client


def buy(client: httpx.Client, service: str = "test_pending", *, key: str | None = None, **body: Any) -> httpx.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post("/verifications", json={"serviceName": service, "capability": "sms", **body}, headers=headers)


def bought(client: httpx.Client, service: str = "test_pending", **body: Any) -> dict[str, Any]:
    """The details of a number just sold."""
    return client.get(buy(client, service, **body).headers["Location"]).json()


def plain(sandbox: RunningSandbox) -> httpx.Client:
    return httpx.Client(base_url=sandbox.base_url, trust_env=False, timeout=10)


@dataclass
class Inbox:
    """Webhooks as they came in. `answers` are the statuses to give, in turn; then 200."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    posts: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    def bodies(self) -> list[Any]:
        return [json.loads(body) for _, _, body in self.posts]


@contextmanager
def inbox() -> Iterator[Inbox]:
    taken = Inbox()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.posts.append((self.path, dict(self.headers), body))
            self.send_response(taken.answers.pop(0) if taken.answers else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    taken.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield taken
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
