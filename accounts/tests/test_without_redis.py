"""Redis is a convenience: people sign in, and are held to the limits, without it."""

from __future__ import annotations

import time
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core.cache import cache, caches
from django.test import Client

from accounts.tests.factories import make_user
from config.lib.redis import cache as shared

pytestmark = pytest.mark.django_db

PASSWORD = "correct-horse-battery"


@pytest.fixture(autouse=True)
def redis_is_away(settings: Any) -> None:
    was = settings.CACHES
    settings.CACHES = {
        "default": {**was["default"], "LOCATION": "redis://127.0.0.1:9/0", "KEY_PREFIX": str(time.time())}
    }


def sign_in(client: Client, password: str = PASSWORD) -> Any:
    return client.post("/account/login/", {"login": "ada@example.test", "password": password})


def test_people_sign_up_and_sign_in(client: Client, mailoutbox: list[Any]) -> None:
    began = time.monotonic()
    body = {"email": "ada@example.test", "password1": PASSWORD}
    assert client.post("/account/signup/", body)["Location"] == "/account/confirm-email/"
    EmailAddress.objects.update(verified=True)
    assert sign_in(Client())["Location"] == "/"
    assert time.monotonic() - began < 20
    assert len(mailoutbox) == 1


def test_wrong_passwords_are_still_counted(client: Client) -> None:
    user = make_user("ada@example.test", password=PASSWORD)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    pages = [sign_in(client, "wrong").content.decode() for _ in range(6)]
    assert ["Too many attempts" in page for page in pages] == [False] * 5 + [True]


def test_calls_are_still_throttled(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("config.lib.api.throttling.KeyThrottle.THROTTLE_RATES", {"key": "2/min", "user": "9/min"})
    client = Client()
    client.force_login(make_user())
    answers = [client.get("/api/keys") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert (answers[2].json()["code"], int(answers[2]["Retry-After"]) > 0) == ("throttled", True)


def test_a_value_is_remembered_meanwhile_and_forgotten_when_redis_is_back(settings: Any, redis_server: Any) -> None:
    cache.set("colour", "green", 60)
    assert (cache.get("colour"), cache.add("colour", "red", 60), cache.get("shape", "none")) == ("green", False, "none")
    shared.guard._try_at = 0.0  # the pause is over
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": settings.REDIS_URL}}
    assert caches["default"].get("colour") is None
    assert not shared.guard.is_down
    cache.delete("colour")
