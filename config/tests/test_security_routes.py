"""Every address, with no user, with another user's ids, and with ids that are none: a refusal, never a fault."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.test import Client

from accounts.models import ApiKey, User
from accounts.tests.factories import make_user
from config.tests.routes import PUBLIC, Route, belongings, routes

pytestmark = pytest.mark.django_db

# What a stranger may see, and why.
OPEN = {
    "home", "help", "policy", "health-live", "health-ready",
    "metrics",  # while DEBUG is on
    "schema", "docs",
    "account_login", "account_signup", "account_inactive", "account_email_verification_sent",
    "account_confirm_email", "account_reset_password", "account_reset_password_done",
    "account_reset_password_from_key", "account_reset_password_from_key_done",
}  # fmt: skip
# Signed by their senders instead.
SIGNED = {"webhook-stripe", "webhook-textverified"}
ROUTES = routes()
WITH_PARAMETERS = [route for route in ROUTES if route.parameters and not route.path.startswith("/account/")]


def ids(route: Route) -> str:
    return route.path


def stranger() -> Client:
    return Client(raise_request_exception=False)


def signed_in(**fields: Any) -> Client:
    """As somebody without a password, whose hashing would cost most of this file's time."""
    client = stranger()
    client.force_login(User.objects.create(email=f"{uuid.uuid4()}@example.test", password="!", **fields))
    return client


def anything(route: Route) -> dict[str, str]:
    """Parameters of the right kind which name nothing."""
    known = {**PUBLIC, "verification_id": str(uuid.UUID(int=7)), "reference": "none"}
    return {name: known.get(name, "4000000000") for name in route.parameters}


def test_the_walk_finds_the_product() -> None:
    assert len(ROUTES) > 60
    assert {route.name for route in ROUTES} >= OPEN | SIGNED, "remove what is gone from the lists above"


@pytest.mark.parametrize("route", [route for route in ROUTES if route.path.startswith("/api/")], ids=ids)
def test_the_api_asks_strangers_for_a_key(route: Route) -> None:
    for method in ("get", "post", "put", "patch", "delete"):
        answer = getattr(stranger(), method)(route.at(**anything(route)))
        if route.name in OPEN:
            assert answer.status_code in {200, 405}
        else:
            assert (answer.status_code, answer["Content-Type"]) == (401, "application/problem+json")
            assert answer.json()["code"] == "not_authenticated"


@pytest.mark.parametrize("route", [route for route in ROUTES if not route.path.startswith("/api/")], ids=ids)
def test_the_pages_ask_strangers_to_sign_in(route: Route) -> None:
    path = route.at(**anything(route))
    seen, sent = stranger().get(path), stranger().post(path)
    if route.name in OPEN:
        assert seen.status_code in {200, 302, 404}
        assert sent.status_code in {200, 302, 404, 405}
    elif route.name in SIGNED:
        assert (seen.status_code, sent.status_code) in {(405, 400), (405, 401), (405, 503)}
    else:
        for answer in (seen, sent):
            leads_away = answer.status_code == 302 and answer["Location"].startswith(("/account/", "/settings/"))
            assert leads_away or answer["Location"] == "/" if answer.status_code == 302 else answer.status_code == 405


@pytest.mark.parametrize("route", WITH_PARAMETERS, ids=ids)
def test_what_belongs_to_another_does_not_exist(route: Route) -> None:
    theirs = belongings(make_user())
    if "refund" in route.path:
        theirs["reference"] = theirs["refund_reference"]
    if "resource_id" in route.parameters:
        theirs |= {"resource_type": "verification", "resource_id": theirs["verification_id"]}
    client = signed_in()
    path = route.at(**{**PUBLIC, **theirs})
    for method in ("get", "post", "put", "patch", "delete"):
        answer = getattr(client, method)(path)
        body = answer.content.decode()
        if route.name == "api-activities-of-resource" and answer.status_code == 200:
            assert answer.json() == {"total": 0, "activities": []}
        elif route.name == "revoke-key" and answer.status_code == 302:
            assert "You have no such API key." in client.get(answer["Location"]).content.decode()
        elif route.name in {"buy-service", "api-favourite"}:  # the shop is everybody's
            assert answer.status_code in {200, 204, 302, 404, 405}
        else:
            assert answer.status_code in {404, 405}
        assert theirs["reference"] not in body or answer.status_code == 404
    assert ApiKey.objects.get(pk=theirs["key_id"]).revoked_at is None


BAD_IDS = ["0", "-1", "9" * 30, "%00", "a%00b", "%ff%fe", "..%2f..", "%27%20OR%201=1--", "x" * 5000, "٣", "None",
           "%0d%0aSet-Cookie:a=b"]  # fmt: skip


@pytest.mark.parametrize("route", [route for route in ROUTES if route.parameters], ids=ids)
def test_ids_that_are_none_are_not_found(route: Route) -> None:
    client = signed_in()
    for bad in BAD_IDS:
        path = route.at(**dict.fromkeys(route.parameters, bad))
        for method in ("get", "post"):
            answer = getattr(client, method)(path)
            assert answer.status_code < 500, (method, bad)
            if not route.path.startswith(("/account/", "/settings/keys", "/api/activities/resource")):
                assert answer.status_code in {400, 404, 405}, (method, bad)


BAD_QUERIES = [
    "skip=-1", "skip=99999999999999999999", "skip=x", "limit=0", "limit=101", "limit=1e3", "limit=", "limit=%00",
    "q=%00", "q=" + "x" * 20_000, "q=%ff%fe", "%ff=%ff", "before=%00", "before=99999999999999999999", "after=-1",
    "after=99999999999999999999", "after=x", "start_date=x", "start_date=0000-00-00", "end_date=9999-12-31",
    "start_date=2026-02-30", "start_date=9999-12-31T23:59:59Z&end_date=0001-01-01T00:00:00Z", "type=%00", "type=x",
    "status=%00", "status=x", "country=%00", "country=" + "x" * 9999, "sort=%00", "category=x", "is_read=x",
    "minutes=x", "minutes=99999999999999999999", "minutes=-5", "format=%00", "format=xml", "page=x", "next=%00",
    "resource_type=%00", "activity_type=x", "amount=1e999999999", "a=1&" * 2000, "version=%0d%0aX", "lang=%0d%0aX",
]  # fmt: skip


@pytest.mark.parametrize("route", [route for route in ROUTES if not route.parameters], ids=ids)
def test_no_query_breaks_an_address(route: Route) -> None:
    client = signed_in(is_staff=True, is_superuser=True)
    broken = {query[:60]: answer for query in BAD_QUERIES if (answer := _status(client, route, query)) >= 500}
    assert broken == {}


def _status(client: Client, route: Route, query: str) -> int:
    answer = client.get(f"{route.path}?{query}")
    if answer.streaming:
        b"".join(answer.streaming_content)
    return int(answer.status_code)


BODIES: list[Any] = [
    None, [], {}, "text", 5, {"name": "a\x00b"}, {"query": "\x00"}, {"query": "x" * 65_536}, {"ids": ["x"]},
    {"ids": [10**30]}, {"ids": "all"}, {"ids": []}, {"all": "yes"}, {"amount": "1e999999999"}, {"amount": 10**40},
    {"amount": "NaN"}, {"amount": -1}, {"amount": {}}, {"service_name": "\x00"}, {"service_name": "x" * 65_536},
    {"service_name": "none", "country": "\ud83d\ude00"}, {"service_name": "none", "max_price": "1e400"},
    {"service_name": "none", "idempotency_key": "\x00"}, {"service_name": ["a"]}, {"verification_id": "x"},
    {"payment_reference": "\x00", "reason": "\x00"}, {"text": "\x00", "title": "\x00"}, {"user_id": 10**30},
]  # fmt: skip


@pytest.mark.parametrize("route", [route for route in ROUTES if route.path.startswith("/api/")], ids=ids)
def test_no_body_breaks_an_address(route: Route) -> None:
    client = signed_in(is_staff=True, is_superuser=True)
    path = route.at(**anything(route))
    for body in BODIES:
        answer = client.post(path, body, content_type="application/json")
        assert answer.status_code < 500, (body, answer.content[:300])


FIELDS = (
    "name",
    "amount",
    "gateway",
    "key",
    "country",
    "area_code",
    "max_price",
    "next",
    "ids",
    "email",
    "login",
    "code",
)


@pytest.mark.parametrize("route", [route for route in ROUTES if not route.path.startswith("/api/")], ids=ids)
def test_no_form_breaks_a_page(route: Route) -> None:
    client = signed_in()
    for value in ("\x00", "1e999999999", "x" * 65_536, "-1", "😀"):
        answer = client.post(route.at(**anything(route)), dict.fromkeys(FIELDS, value))
        assert answer.status_code < 500, value[:20]
