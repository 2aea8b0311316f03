"""The API's description is made once and handed out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.test import Client
from drf_spectacular.generators import SchemaGenerator

from config import api_schema

JSON = {"Accept": "application/vnd.oai.openapi+json"}


@pytest.fixture(autouse=True)
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """One entry for each time that the description is made."""
    times: list[int] = []
    make = SchemaGenerator.get_schema

    def count(*args: Any, **kwargs: Any) -> Any:
        times.append(1)
        return make(*args, **kwargs)

    monkeypatch.setattr(SchemaGenerator, "get_schema", count)
    api_schema._schema.cache_clear()
    api_schema._document.cache_clear()
    yield times
    api_schema._schema.cache_clear()
    api_schema._document.cache_clear()


def test_it_is_made_once_for_all_who_ask(made: list[int]) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: Client().get("/api/schema", headers=JSON), range(8)))
    answers.append(Client().get("/api/schema"))
    assert {answer.status_code for answer in answers} == {200}
    assert len(made) == 1


@pytest.mark.parametrize(
    ("query", "headers", "media_type"),
    [
        ("", {}, "application/vnd.oai.openapi"),
        ("", JSON, "application/vnd.oai.openapi+json"),
        ("?format=json", {}, "application/vnd.oai.openapi+json"),
        ("?format=yaml", {}, "application/vnd.oai.openapi"),
    ],
)
def test_it_comes_as_yaml_or_json(query: str, headers: dict[str, str], media_type: str) -> None:
    answer = Client().get(f"/api/schema{query}", headers=headers)
    assert (answer.status_code, answer["Content-Type"].partition(";")[0]) == (200, media_type)
    if "json" in media_type:
        assert json.loads(answer.content)["info"]["title"] == "Ringfence API"
    else:
        assert answer.content.startswith(b"openapi: 3.0")


def test_what_has_not_changed_is_not_sent_again() -> None:
    first = Client().get("/api/schema")
    again = Client().get("/api/schema", headers={"If-None-Match": first["ETag"]})
    other = Client().get("/api/schema", headers={**JSON, "If-None-Match": first["ETag"]})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    assert (other.status_code, other["ETag"] != first["ETag"]) == (200, True)
    assert (first["Vary"].startswith("Accept"), first["Cache-Control"]) == (True, "public, max-age=300")


@pytest.mark.parametrize("query", ["version=%0d%0aX", "version=2", "lang=de", "lang=%0d%0aX", "format=%0d%0aX", "x="])
def test_what_it_does_not_know_is_refused(query: str) -> None:
    answer = Client().get(f"/api/schema?{query}")
    assert answer.status_code in (400, 406)
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] in ("validation_error", "not_acceptable")
