"""600 calls a minute for a key, 20 purchases a second for a user: counted exactly, whoever calls at once."""

from __future__ import annotations

import math
import time
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings as django_settings
from rest_framework.test import APIClient

from accounts import services
from accounts.tests.factories import make_user
from config.lib.api.throttling import KeyThrottle, PurchaseThrottle, UserThrottle

MINUTE = 1_000_000_020.0  # where a window of a minute begins


class Clock:
    now = MINUTE

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(KeyThrottle, "clock", clock)
    return clock


@pytest.fixture
def without_redis(settings: Any) -> None:
    was = settings.CACHES
    settings.CACHES = {
        "default": {**was["default"], "LOCATION": "redis://127.0.0.1:9/0", "KEY_PREFIX": str(time.time())}
    }


@pytest.fixture
def patient_with_redis(settings: Any) -> None:
    """Forty at once on a busy machine may keep Redis from answering in time; counting alone is for another test."""
    default = settings.CACHES["default"]
    patient = {**default["OPTIONS"], "SOCKET_CONNECT_TIMEOUT": 30, "SOCKET_TIMEOUT": 30}
    settings.CACHES = {"default": {**default, "OPTIONS": patient}}


def caller(key: int | None = 1, user: int = 1) -> Any:
    signed_in = SimpleNamespace(pk=user, is_authenticated=True)
    return SimpleNamespace(auth=SimpleNamespace(pk=key) if key else None, user=signed_in)


def ask(throttle: type[KeyThrottle], request: Any, rate: str) -> tuple[bool, int]:
    """Whether it may pass, and the seconds it is told to wait."""
    asked = type("Asked", (throttle,), {"rate": rate})()
    return asked.allow_request(request, None), math.ceil(asked.wait()) if asked._wait else 0


def test_the_house_s_own_rates() -> None:
    assert django_settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"] == {
        "key": "600/min",
        "user": "1200/min",
        "purchase": "20/s",
    }
    assert (KeyThrottle().num_requests, KeyThrottle().duration) == (600, 60)
    assert (PurchaseThrottle().num_requests, PurchaseThrottle().duration) == (20, 1)


def test_what_is_above_the_rate_waits_and_what_was_refused_does_not_count(clock: Clock) -> None:
    answers = [ask(KeyThrottle, caller(), "3/min")[0] for _ in range(6)]
    assert answers == [True, True, True, False, False, False]
    clock.now += 80  # a third of the next window: 3 * 2/3 of the last one still weigh
    assert [ask(KeyThrottle, caller(), "3/min")[0] for _ in range(2)] == [True, False]


@pytest.mark.parametrize(("passed", "into"), [(3, 0.0), (3, 59.0), (2, 30.0)])
def test_whoever_waits_as_long_as_told_passes(clock: Clock, passed: int, into: float) -> None:
    for _ in range(passed):
        assert ask(KeyThrottle, caller(), "3/min") == (True, 0)
    clock.now += into
    while (answer := ask(KeyThrottle, caller(), "3/min"))[0]:
        pass
    assert 0 < answer[1] <= 120
    clock.now += answer[1]
    assert ask(KeyThrottle, caller(), "3/min") == (True, 0)


@pytest.mark.parametrize(("into", "reads"), [(0.0, 1), (30.0, 0)])
def test_the_window_before_is_read_only_where_it_can_matter(
    monkeypatch: pytest.MonkeyPatch, clock: Clock, into: float, reads: int
) -> None:
    read: list[str] = []
    monkeypatch.setattr("config.lib.api.throttling.cache.get", read.append)
    clock.now += into
    assert ask(KeyThrottle, caller(), "600/min") == (True, 0)
    assert len(read) == reads


def test_keys_count_apart_and_a_user_without_one_is_counted_by_itself(clock: Clock) -> None:
    for request in (caller(key=1), caller(key=2), caller(key=None), caller(key=None, user=2)):
        assert [ask(KeyThrottle, request, "1/min")[0] for _ in range(2)] == [True, False]


def test_all_keys_of_a_user_have_one_budget_beside_their_own(clock: Clock) -> None:
    assert [ask(UserThrottle, caller(key=key), "2/min")[0] for key in (1, 2, 3)] == [True, True, False]
    assert ask(UserThrottle, caller(key=4, user=2), "2/min")[0]
    assert [ask(UserThrottle, caller(key=None), "1/min")[0] for _ in range(3)] == [True] * 3  # counted by KeyThrottle


@pytest.mark.django_db
def test_twelve_keys_make_no_more_calls_than_the_user_may(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    monkeypatch.setattr(KeyThrottle, "THROTTLE_RATES", {"key": "5/min", "user": "10/min"})
    user = make_user()
    secrets = [services.create_api_key(user=user, name=f"key {number}")[1] for number in range(12)]
    calls = [
        APIClient(HTTP_AUTHORIZATION=f"Bearer {secret}").get("/api/wallet/balance").status_code
        for secret in secrets
        for _ in range(2)
    ]
    assert (calls.count(200), calls.count(429)) == (10, 14)


@pytest.mark.django_db
def test_what_a_busy_key_is_refused_leaves_the_others_their_budget(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setattr(KeyThrottle, "THROTTLE_RATES", {"key": "2/min", "user": "4/min"})
    user = make_user()
    busy, other = (
        APIClient(HTTP_AUTHORIZATION=f"Bearer {services.create_api_key(user=user, name=name)[1]}") for name in "ab"
    )
    assert [busy.get("/api/wallet/balance").status_code for _ in range(9)] == [200] * 2 + [429] * 7
    assert [other.get("/api/wallet/balance").status_code for _ in range(2)] == [200, 200]


def test_purchases_count_for_the_user_whatever_the_key(clock: Clock) -> None:
    assert [ask(PurchaseThrottle, caller(key=key), "2/s")[0] for key in (1, 2, 3)] == [True, True, False]
    assert ask(PurchaseThrottle, caller(key=4, user=2), "2/s")[0]


@pytest.mark.races
@pytest.mark.drill
def test_of_forty_at_the_same_moment_twenty_pass(clock: Clock, patient_with_redis: None, in_threads: Any) -> None:
    answers = in_threads(lambda: ask(PurchaseThrottle, caller(), "20/s")[0], times=40)
    assert sorted(answers) == [False] * 20 + [True] * 20


@pytest.mark.django_db
def test_the_answer_is_a_problem_that_says_when_to_come_again(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    monkeypatch.setattr(KeyThrottle, "THROTTLE_RATES", {"key": "2/min", "user": "9/min"})
    _key, secret = services.create_api_key(user=make_user(), name="fast")
    api = APIClient(HTTP_AUTHORIZATION=f"Bearer {secret}")
    assert [api.get("/api/keys").status_code for _ in range(2)] == [200, 200]
    answer = api.get("/api/keys")
    assert (answer.status_code, answer["Content-Type"]) == (429, "application/problem+json")
    assert (answer.json()["code"], answer["Retry-After"]) == ("throttled", str(answer.json()["retry_after"]))
    assert 60 < int(answer["Retry-After"]) <= 120


@pytest.mark.django_db
def test_the_twenty_first_purchase_of_a_second_is_refused_before_anything_is_done(clock: Clock) -> None:
    _key, secret = services.create_api_key(user=make_user(), name="fast")
    api = APIClient(HTTP_AUTHORIZATION=f"Bearer {secret}")
    answers = [api.post("/api/v1/verify/create", {"service_name": "none"}) for _ in range(21)]
    assert [answer.status_code for answer in answers] == [404] * 20 + [429]
    assert answers[20]["Retry-After"] in ("1", "2")


@pytest.mark.django_db
def test_without_redis_nobody_is_refused_for_it_and_calls_are_counted_in_the_process(
    without_redis: None, clock: Clock
) -> None:
    assert [ask(KeyThrottle, caller(), "2/min")[0] for _ in range(3)] == [True, True, False]
