"""Keys by API, and what a key may do there."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts import services
from accounts.errors import TooManyKeys
from accounts.models import ApiKey, User
from accounts.tests.factories import make_user

pytestmark = pytest.mark.django_db


def bearer(user: User, *scopes: str, **fields: Any) -> Client:
    _key, secret = services.create_api_key(user=user, name="test", scopes=scopes or None, **fields)
    return Client(headers={"Authorization": f"Bearer {secret}"})


def post(client: Client, body: Any) -> Any:
    return client.post("/api/keys", body, content_type="application/json")


def test_the_list_shows_everything_but_the_secret() -> None:
    user = make_user()
    client = bearer(user, "read")
    key = ApiKey.objects.get()
    answer = client.get("/api/keys").json()
    key.refresh_from_db()
    assert key.last_used_at is not None
    assert answer == {
        "total": 1,
        "keys": [
            {
                "id": key.pk,
                "name": "test",
                "prefix": key.prefix,
                "scopes": ["read"],
                "created_at": key.created_at.isoformat().replace("+00:00", "Z"),
                "expires_at": None,
                "last_used_at": key.last_used_at.isoformat().replace("+00:00", "Z"),
            }
        ],
    }


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_costs_the_same_whatever_its_length(count: int, django_assert_num_queries: Any) -> None:
    user = make_user()
    for _ in range(count):
        services.create_api_key(user=user, name="more")
    client = Client()
    client.force_login(user)
    client.get("/api/keys")
    with django_assert_num_queries(4):  # session, user, count, rows
        assert client.get("/api/keys").json()["total"] == count


def test_the_secret_stands_in_the_answer_to_its_making_alone() -> None:
    user = make_user()
    client = bearer(user)
    answer = post(client, {"name": "shop", "scopes": ["read", "buy"]})
    body = answer.json()
    assert (answer.status_code, body["name"], body["scopes"]) == (201, "shop", ["buy", "read"])
    assert answer["Cache-Control"] == "no-store"
    made = services.authenticate_key(secret=body["key"])
    assert made is not None
    assert made.pk == body["id"]
    assert body["key"] not in client.get("/api/keys").content.decode()


@pytest.mark.parametrize("misspelled", [{"scope": ["read"]}, {"scopes": ["read"], "expires": "2036-12-01T00:00:00Z"}])
def test_what_is_misspelled_makes_no_key_that_may_more_than_was_meant(misspelled: dict[str, Any]) -> None:
    answer = post(bearer(make_user()), {"name": "shop", **misspelled})
    wrong = next(name for name in misspelled if name != "scopes")
    assert (answer.status_code, answer.json()["code"], list(answer.json()["errors"])) == (
        400,
        "validation_error",
        [wrong],
    )
    assert ApiKey.objects.count() == 1


def test_a_key_can_not_mint_more_than_it_has() -> None:
    answer = post(bearer(make_user(), "manage"), {"name": "more", "scopes": ["manage", "pay"]})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert ApiKey.objects.count() == 1


def test_a_key_mints_by_default_what_it_has_for_as_long_as_it_lives() -> None:
    end = timezone.now() + timedelta(days=2)
    answer = post(bearer(make_user(), "manage", expires_at=end), {"name": "same"}).json()
    assert (answer["scopes"], answer["expires_at"]) == (["manage"], end.isoformat().replace("+00:00", "Z"))


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer rf_wrong"}, {"Authorization": "Bearer "}])
def test_nobody_without_a_key_or_session_gets_in(headers: dict[str, str]) -> None:
    answer = Client(headers=headers).get("/api/keys")
    body = answer.json()
    assert (answer.status_code, answer["Content-Type"]) == (401, "application/problem+json")
    assert answer["WWW-Authenticate"] == 'Bearer realm="api"'
    assert body | {"detail": ""} == {
        "type": "http://localhost:8000/help#not_authenticated",
        "title": body["title"],
        "status": 401,
        "detail": "",
        "code": "not_authenticated",
        "errors": {},
    }


def test_an_expired_key_is_told_so() -> None:
    client = bearer(make_user())
    ApiKey.objects.update(expires_at=timezone.now())
    assert client.get("/api/keys").json()["detail"] == "This API key is unknown, expired or revoked."


@pytest.mark.parametrize(
    ("scopes", "method", "path", "needed"),
    [
        (["buy", "pay", "manage"], "get", "/api/keys", "read"),
        (["read", "buy", "pay"], "post", "/api/keys", "manage"),
        (["read", "buy", "pay"], "delete", "/api/keys/1", "manage"),
    ],
)
def test_a_key_without_the_scope_is_told_which(scopes: list[str], method: str, path: str, needed: str) -> None:
    answer = getattr(bearer(make_user(), *scopes), method)(path)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert answer.json()["detail"] == f"This API key lacks the scope '{needed}'."


def test_revoking_ends_a_key_at_once() -> None:
    user = make_user()
    key, secret = services.create_api_key(user=user, name="old")
    client = bearer(user)
    assert client.delete(f"/api/keys/{key.pk}").status_code == 204
    assert services.authenticate_key(secret=secret) is None
    assert client.delete(f"/api/keys/{key.pk}").status_code == 204


@pytest.mark.parametrize("key_id", ["another", "0", "9" * 25])
def test_what_is_not_ones_own_does_not_exist(key_id: str) -> None:
    other, _secret = services.create_api_key(user=make_user(), name="theirs")
    answer = bearer(make_user()).delete(f"/api/keys/{other.pk if key_id == 'another' else key_id}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    other.refresh_from_db()
    assert other.revoked_at is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x" * 65_536}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": ["a"]}, "name"),
        ({"name": "a", "scopes": []}, "scopes"),
        ({"name": "a", "scopes": ["root"]}, "scopes"),
        ({"name": "a", "scopes": "read"}, "scopes"),
        ({"name": "a", "expires_at": "tomorrow"}, "expires_at"),
        ({"name": "a", "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
    ],
)
def test_a_refusal_names_the_field(body: dict[str, Any], field: str) -> None:
    answer = post(bearer(make_user()), body)
    problem = answer.json()
    assert (answer.status_code, problem["code"], list(problem["errors"])) == (400, "validation_error", [field])
    assert ApiKey.objects.count() == 1


def test_a_page_needs_the_csrf_token_for_it() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_user())
    answer = post(client, {"name": "from elsewhere"})
    assert (answer.status_code, answer["Content-Type"], answer.json()["code"]) == (
        403,
        "application/problem+json",
        "forbidden",
    )
    assert ApiKey.objects.count() == 0


# --- how many there may be


@pytest.mark.django_db
def test_there_are_no_more_live_keys_than_the_limit(settings: Any) -> None:
    settings.MAX_API_KEYS = 3
    user = make_user()
    keys = [services.create_api_key(user=user, name=f"key {number}")[0] for number in range(3)]
    with pytest.raises(TooManyKeys, match="You have 3 API keys, the most there can be"):
        services.create_api_key(user=user, name="one more")
    services.revoke_api_key(user=user, key_id=keys[0].pk)
    ApiKey.objects.filter(pk=keys[1].pk).update(expires_at=timezone.now())
    for name in ("a", "b"):
        services.create_api_key(user=user, name=name)
    services.create_api_key(user=make_user(), name="another's")


@pytest.mark.races
@pytest.mark.drill
@pytest.mark.django_db(transaction=True)
def test_keys_made_at_once_don_t_pass_the_limit(settings: Any, in_threads: Any) -> None:
    settings.MAX_API_KEYS = 3
    user = make_user()
    made = in_threads(lambda: services.create_api_key(user=user, name="key"), times=10)
    assert sum(isinstance(one, TooManyKeys) for one in made) == 7
    assert ApiKey.objects.count() == 3
