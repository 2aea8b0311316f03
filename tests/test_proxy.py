"""The proxy of compose.yaml, run for real: what reaches the application, and what never does."""

from __future__ import annotations

import contextlib
import http.client
import re
import shutil
import socket
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from dev.stack.environment import ROOT
from dev.stack.process import free_port, kill_group, spawn
from dev.testing.live import until


class Upstream(ThreadingHTTPServer):
    """Stands for the application: notes each request as soon as its head is there."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.begun: list[str] = []
        self.bodies: list[int] = []


class _Handler(BaseHTTPRequestHandler):
    server: Upstream

    def do_GET(self) -> None:
        self.server.begun.append(f"{self.command} {self.path}")
        self.server.bodies.append(len(self.rfile.read(int(self.headers.get("Content-Length", 0)))))
        self.send_response(204)
        self.end_headers()

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def proxy(upstream: Upstream, tmp_path: Path) -> Iterator[int]:
    """Return the port of a proxy with compose's configuration, but for the names that only its network knows."""
    port = free_port()
    text = yaml.safe_load((ROOT / "compose.yaml").read_text())["configs"]["caddy"]["content"]
    text = text.replace("{$$PUBLIC_URL}", f"http://127.0.0.1:{port}").replace("$$", "$")  # as compose reads it
    text, changed = re.subn(r"dynamic a (web|sockets) 8000", f"to 127.0.0.1:{upstream.server_port}", text)
    assert changed == 2
    text = text.replace("{\n", "{\n  admin off\n  auto_https off\n  persist_config off\n", 1)
    (tmp_path / "Caddyfile").write_text(text)
    binary = shutil.which("caddy", path=str(Path(sys.executable).parent))
    assert binary is not None
    env = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    argv = [binary, "run", "--config", str(tmp_path / "Caddyfile"), "--adapter", "caddyfile"]
    with (tmp_path / "log").open("wb") as log:
        process = spawn(argv, cwd=tmp_path, env=env, output=log)
    try:
        until(lambda: process.poll() is not None or _listens(port), "the proxy listens")
        assert process.poll() is None, (tmp_path / "log").read_text()
        yield port
    finally:
        kill_group(process)
        process.wait()


def test_slow_senders_hold_none_of_the_applications_threads(proxy: int, upstream: Upstream) -> None:
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(socket.create_connection(("127.0.0.1", proxy), timeout=60)) for _ in range(40)]
        for sender in slow:
            sender.sendall(b"POST /slow HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 3\r\n\r\na")
        assert _status(proxy, "GET", "/quick") == 204
        for sender in slow:
            sender.sendall(b"b")
        assert _status(proxy, "GET", "/quick") == 204
        assert upstream.begun == ["GET /quick", "GET /quick"]
        slow[0].sendall(b"c")
        assert slow[0].recv(64).startswith(b"HTTP/1.1 204")
    assert (upstream.begun[2], upstream.bodies[2]) == ("POST /slow", 3)


def test_a_body_that_is_too_large_never_reaches_the_application(proxy: int, upstream: Upstream) -> None:
    assert _status(proxy, "POST", "/large", body=b"x" * (3 * 1024 * 1024)) == 413
    assert upstream.begun == []


def test_a_head_that_is_too_large_never_reaches_the_application(proxy: int, upstream: Upstream) -> None:
    assert _status(proxy, "GET", "/", headers={"X-Large": "x" * 100_000}) == 431
    assert upstream.begun == []


def _status(port: int, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        return connection.getresponse().status
    finally:
        connection.close()


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
