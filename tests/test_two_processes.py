"""Several web processes and workers on one database and one Redis: news reaches every socket of its owner."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import requests
from django.utils import timezone
from websockets.sync.client import connect

from accounts import services as accounts
from dev.testing.live import until
from tests.people import customer
from verifications import services as verifications

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

    from dev.testing.live import LiveStack

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("live")]


@contextmanager
def open_socket(url: str, user_id: int, secret: str) -> Iterator[ClientConnection]:
    """A signed-in socket, past its hello."""
    with connect(f"{url.replace('http', 'ws')}/ws/notifications/{user_id}") as socket:
        socket.send(json.dumps({"type": "auth", "token": secret}))
        hello = json.loads(socket.recv(timeout=60))
        assert hello["type"] == "hello", hello
        yield socket


def frames_of(socket: ClientConnection, **wanted: dict[str, object]) -> dict[str, dict]:
    """The first frame of each wanted type that has the wanted fields, in whatever order they come."""
    found: dict[str, dict] = {}
    while found.keys() != wanted.keys():
        frame = json.loads(socket.recv(timeout=60))
        fields = wanted.get(frame["type"])
        if fields is not None and fields.items() <= frame.items():
            found.setdefault(frame["type"], frame)
    return found


def test_a_socket_on_one_process_gets_what_happens_in_the_other(live: LiveStack) -> None:
    verifications.sync_catalogue(now=timezone.now())
    other, _worker = live.another_web(), live.another_worker()
    user = customer(cents=5_00)
    _key, secret = accounts.create_api_key(user=user, name="two processes")
    with open_socket(live.url, user.pk, secret) as here, open_socket(other.url, user.pk, secret) as there:
        answer = requests.post(
            f"{other.url}/api/v1/verify/create",
            json={"service_name": "test_success"},
            headers={"Authorization": f"Bearer {secret}"},
            timeout=60,
        )
        assert answer.status_code == 201, answer.text
        for socket in (here, there):
            told = frames_of(
                socket,
                balance_update={"available": "4.50", "balance": "4.50"},
                verification={"status": "completed"},
                notification={"notification_type": "verification_complete"},
            )
            assert told["balance_update"]["version"] == 2
            assert (told["verification"]["id"], told["verification"]["code"]) == (answer.json()["id"], "123456")
            assert told["notification"]["message"].startswith("Code: 123456 for ")
    until(lambda: not user.verifications.filter(status="waiting").exists(), "nothing is left waiting")
