"""What a client can make the web server hold or believe, seen through the real one: bodies, frames, the root path."""

from __future__ import annotations

import base64
import json
import os
import re
import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from accounts import services as accounts
from accounts.tests.factories import make_user
from dev.testing.live import until
from notifications.tests.sockets import announce

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

    from dev.testing.live import LiveStack

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("live")]

MEBIBYTE = 1024 * 1024


def test_a_client_cannot_choose_the_root_under_which_pages_and_mails_are_written(live: LiveStack) -> None:
    make_user(email="root@customer.test")
    evil = {"Daphne-Root-Path": "https://evil.example"}
    browser = requests.Session()
    form = browser.get(f"{live.url}/account/password/reset/", headers=evil, timeout=60)
    assert "evil.example" not in form.text
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form.text)
    assert token is not None
    browser.post(
        f"{live.url}/account/password/reset/",
        data={"email": "root@customer.test", "csrfmiddlewaretoken": token[1]},
        headers={**evil, "Referer": live.url},
        timeout=60,
    ).raise_for_status()
    (mail,) = [mail for mail in live.sandbox.mail() if "root@customer.test" in str(mail)]
    assert "evil.example" not in str(mail)
    assert f"{live.url}/account/password/reset/key/" in str(mail)


def test_an_announced_body_that_is_too_large_is_refused_before_it_is_sent(live: LiveStack) -> None:
    answer = _exchange(live, head="POST /nowhere", headers={"Content-Length": str(1000 * MEBIBYTE)})
    assert answer.startswith("HTTP/1.1 413 ")
    assert answer.endswith("The request is too large. Nothing was saved.\n")


def test_a_chunked_body_is_cut_off_and_never_kept_whole(live: LiveStack) -> None:
    before = _memory(live)
    sent = 0
    with _connected(live) as client:
        client.sendall(b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        try:
            while sent < 256 * MEBIBYTE:
                client.sendall(chunk)
                sent += len(chunk)
        except OSError:
            pass
    assert sent < 64 * MEBIBYTE
    assert _memory(live) - before < 64 * MEBIBYTE


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_somewhat_too_large_gets_a_sentence(live: LiveStack, chunked: bool) -> None:
    body = b"x" * (2 * MEBIBYTE)
    answer = requests.post(f"{live.url}/api/nowhere", data=iter([body]) if chunked else body, timeout=60)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_a_socket_that_does_not_read_is_closed_and_its_answers_are_not_kept(live: LiveStack) -> None:
    user = make_user()
    _, secret = accounts.create_api_key(user=user, name="test")
    announce(user, 250, title="x" * 400)  # an answer to `resume` is over 160 kB
    before = _memory(live)
    with _raw_socket(live, user.pk) as client:
        _send_frame(client, {"type": "auth", "token": secret})
        for _ in range(38):  # what one may send at once
            _send_frame(client, {"type": "resume", "after": 0})
        until(lambda: _is_reset(client), "the socket is closed")
    assert _memory(live) - before < 64 * MEBIBYTE


def test_a_customer_has_a_limited_number_of_sockets(live: LiveStack) -> None:
    user = make_user()
    _, secret = accounts.create_api_key(user=user, name="test")
    other = make_user()
    _, other_secret = accounts.create_api_key(user=other, name="test")
    open_ones = [_signed_in(live, user.pk, secret) for _ in range(50)]
    try:
        assert [json.loads(one.recv(timeout=60))["type"] for one in open_ones] == ["hello"] * 50
        one_more = _signed_in(live, user.pk, secret)
        refusal = json.loads(one_more.recv(timeout=60))
        assert (refusal["type"], refusal["code"]) == ("error", "over_limit")
        with pytest.raises(ConnectionClosed) as closed:
            one_more.recv(timeout=60)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1013
        with _signed_in(live, other.pk, other_secret) as another:
            assert json.loads(another.recv(timeout=60))["type"] == "hello"
    finally:
        for one in open_ones:
            one.close()


def test_a_frame_that_is_too_large_closes_its_socket(live: LiveStack) -> None:
    user = make_user()
    _, secret = accounts.create_api_key(user=user, name="test")
    with _signed_in(live, user.pk, secret) as client:
        assert json.loads(client.recv(timeout=60))["type"] == "hello"
        client.send("x" * 70_000)
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=60)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


def _connected(live: LiveStack) -> socket.socket:
    return socket.create_connection(("127.0.0.1", live.web.port), timeout=60)


def _exchange(live: LiveStack, *, head: str, headers: dict[str, str]) -> str:
    """Send the head of a request and no body; return the whole answer, until the server closes."""
    lines = [f"{head} HTTP/1.1", "Host: localhost", *(f"{name}: {value}" for name, value in headers.items())]
    with _connected(live) as client:
        client.sendall("\r\n".join([*lines, "", ""]).encode())
        answer = b""
        while part := client.recv(4096):
            answer += part
    return answer.decode()


def _memory(live: LiveStack) -> int:
    """Return the web process's resident bytes."""
    assert live.web.process is not None
    pages = Path(f"/proc/{live.web.process.pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _signed_in(live: LiveStack, user_id: int, secret: str) -> ClientConnection:
    client = connect(f"{live.url.replace('http', 'ws')}/ws/notifications/{user_id}", close_timeout=5, legacy=True)
    client.send(json.dumps({"type": "auth", "token": secret}))
    return client


@contextmanager
def _raw_socket(live: LiveStack, user_id: int) -> Iterator[socket.socket]:
    """Open a socket whose receive buffer is small, and of which nothing is read after the handshake."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(60)
        client.connect(("127.0.0.1", live.web.port))
        key = base64.b64encode(os.urandom(16)).decode()
        client.sendall(
            f"GET /ws/notifications/{user_id} HTTP/1.1\r\nHost: localhost:{live.web.port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += client.recv(1)
        assert answer.startswith(b"HTTP/1.1 101 ")
        yield client


def _send_frame(client: socket.socket, frame: dict[str, object]) -> None:
    """Send one text frame, masked as a client's must be (by zeros), of less than 126 bytes."""
    payload = json.dumps(frame).encode()
    assert len(payload) < 126
    client.sendall(bytes([0x81, 0x80 | len(payload)]) + bytes(4) + payload)


def _is_reset(client: socket.socket) -> bool:
    """Return whether the server has cut the connection, without reading from it."""
    waiting = select.poll()
    waiting.register(client, 0)
    return bool(waiting.poll(0))
