"""How the sandbox's own tests speak to it: plain HTTP, and a place where its webhooks arrive."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

from dev.sandbox.testing import RunningSandbox


class Client(requests.Session):
    """Calls paths below one address, or whole addresses; follows no redirect and heeds no proxy of the environment."""

    def __init__(self, base_url: str) -> None:
        super().__init__()
        self.base_url, self.timeout, self.trust_env = base_url, 10.0, False

    def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> requests.Response:
        address = url if url.startswith("http") else f"{self.base_url}{url}"
        if (body := kwargs.pop("json", None)) is not None:  # without blanks, as the sandbox logs it
            kwargs["data"] = json.dumps(body, separators=(",", ":"))
            kwargs["headers"] = {"Content-Type": "application/json", **(kwargs.get("headers") or {})}
        return super().request(method, address, *args, **{"timeout": self.timeout, **kwargs, "allow_redirects": False})


def sign_in(sandbox: RunningSandbox) -> Client:
    """TextVerified with a bearer token. Paths begin after /api/pub/v2."""
    client = Client(f"{sandbox.textverified_url}/api/pub/v2")
    credentials = {
        "X-API-KEY": sandbox.config.textverified_api_key,
        "X-API-USERNAME": sandbox.config.textverified_username,
    }
    token = client.post("/auth", headers=credentials).json()["token"]
    client.headers["Authorization"] = f"Bearer {token}"
    return client


def buy(client: Client, service: str = "test_pending", *, key: str | None = None, **body: Any) -> requests.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post("/verifications", json={"serviceName": service, "capability": "sms", **body}, headers=headers)


def bought(client: Client, service: str = "test_pending", **body: Any) -> dict[str, Any]:
    """The details of a number just sold."""
    return client.get(buy(client, service, **body).headers["Location"]).json()


def plain(sandbox: RunningSandbox) -> Client:
    return Client(sandbox.base_url)


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
