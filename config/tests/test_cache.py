"""What stands in the cache is data: reading it runs nothing, whoever wrote it."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
import waffle
from django.core.cache import cache
from waffle.models import Switch

RAN: list[str] = []


def run(words: str) -> str:
    RAN.append(words)
    return words


class Payload:
    def __reduce__(self) -> Any:
        return run, ("code from Redis",)


@pytest.mark.parametrize("written", [pickle.dumps(Payload()), b"\xff\xfe", b"{"], ids=["pickle", "no text", "no JSON"])
def test_what_somebody_else_wrote_to_redis_is_a_miss_and_is_not_run(redis_server: Any, written: bytes) -> None:
    redis_server.set(cache.make_key("planted"), written)  # type: ignore[attr-defined]
    assert (cache.get("planted", "nothing"), RAN) == ("nothing", [])


def test_values_are_kept_as_json(redis_server: Any) -> None:
    cache.set("times", [1.5, "x", None], 60)
    assert redis_server.get(cache.make_key("times")) == b'[1.5, "x", null]'  # type: ignore[attr-defined]
    assert cache.get("times") == [1.5, "x", None]


@pytest.mark.django_db
def test_flags_work_and_are_not_in_redis(redis_server: Any) -> None:
    Switch.objects.create(name="new-shop", active=True)
    assert [waffle.switch_is_active("new-shop") for _ in range(2)] == [True, True]
    assert redis_server.keys("*waffle*") == []
