"""A dead Redis is asked once, and then not for a while."""

from contextlib import suppress
from typing import Any

import pytest
from redis import ConnectionError as RedisConnectionError

from config.lib.redis import guard as module
from config.lib.redis.guard import Guard, RedisPaused


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module.time, "monotonic", made)
    return made


def fail(guard: Guard, error: Exception | None = None) -> None:
    with suppress(Exception), guard:
        raise error or RedisConnectionError


def is_asked(guard: Guard) -> bool:
    try:
        with guard:
            return True
    except RedisPaused:
        return False


def test_after_a_failure_it_refuses_for_the_pause(clock: Clock) -> None:
    guard = Guard(pause_seconds=2)
    assert is_asked(guard)
    fail(guard)
    assert (is_asked(guard), guard.is_down) == (False, True)
    clock.now += 2
    assert (is_asked(guard), guard.is_down) == (True, False)


def test_after_the_pause_one_tries_and_the_others_wait_for_it(clock: Clock) -> None:
    guard = Guard(pause_seconds=2)
    fail(guard)
    clock.now += 2
    with guard:
        assert not is_asked(guard)
    assert is_asked(guard)


def test_a_second_failure_begins_the_pause_again(clock: Clock) -> None:
    guard = Guard(pause_seconds=2)
    fail(guard)
    clock.now += 2
    fail(guard, OSError())
    clock.now += 1
    assert not is_asked(guard)


@pytest.mark.parametrize("error", [ValueError(), KeyError("x")])
def test_another_error_is_not_redis_failing(error: Any) -> None:
    guard = Guard(pause_seconds=2)
    fail(guard, error)
    assert is_asked(guard)
