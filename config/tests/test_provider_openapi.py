"""The adapter's requests against the vendor's own document, with what the vendor added since."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from config.lib.remote.errors import RemoteError
from dev.tests.test_sandbox_openapi import complaints, document
from verifications.providers.base import Spec
from verifications.providers.textverified import TextVerified

__all__ = ["complaints", "document"]  # fixtures

ROOT = "/textverified"
BODIES = {
    "/api/pub/v2/verifications": "NewVerificationRequest",
    "/api/pub/v2/pricing/verifications": "VerificationPriceCheckRequest",
}
ADDED_SINCE = {"/api/pub/v2/inventory/verifications": {"serviceName", "numberType", "capability"}}


@pytest.fixture
def requests(sandbox, settings):
    """One of every request that the adapter makes."""
    settings.PROVIDER_TIMEOUT_SECONDS = 5
    provider = TextVerified()
    provider.services()
    provider.quote(Spec("whatsapp", area_code="212"))
    full = Spec("test_pending", area_code="212", max_cost=Decimal("0.35"))
    numbers = [provider.purchase(full, key="k1"), provider.purchase(Spec("test_timeout"), key="k2")]
    for n in range(60):
        sandbox.sms(numbers[0].phone_number, f"Message {n}")
        provider.purchase(Spec("test_success"), key=f"more-{n}")
    provider.fetch(numbers[0].provider_id)
    with pytest.raises(RemoteError):
        provider.cancel(numbers[0].provider_id)
    provider.report(numbers[1].provider_id)
    provider.recent(since=datetime.now(UTC) - timedelta(hours=1))
    provider.balance()
    return [{**entry, "path": entry["path"].removeprefix(ROOT)} for entry in sandbox.request_log()]


def operation(document, entry):
    """The document's entry for a request, with `{id}` for what stands there."""
    parts = entry["path"].split("/")
    for path, methods in document["paths"].items():
        pattern = path.split("/")
        if len(pattern) == len(parts) and all(a in (b, "{id}") for a, b in zip(pattern, parts, strict=True)):
            return methods.get(entry["method"].lower())
    return None


def test_every_request_is_in_the_document(requests, document):
    asked = {(entry["method"], entry["path"]) for entry in requests if operation(document, entry) is None}
    assert asked == {("POST", path) for path in ADDED_SINCE}


def test_every_body_is_as_documented(requests, complaints):
    wrong = [
        (entry["path"], complaints(BODIES[entry["path"]], json.loads(entry["body"])))
        for entry in requests
        if entry["method"] == "POST" and entry["path"] in BODIES
    ]
    assert len(wrong) > 60
    assert [entry for entry in wrong if entry[1]] == []


def test_bodies_of_what_was_added_since_are_as_documented(requests):
    bodies = {entry["path"]: set(json.loads(entry["body"])) for entry in requests if entry["path"] in ADDED_SINCE}
    assert bodies == ADDED_SINCE


def test_other_posts_have_no_body(requests):
    others = [e for e in requests if e["method"] == "POST" and e["path"] not in BODIES and e["path"] not in ADDED_SINCE]
    assert {entry["path"].rpartition("/")[2] for entry in others} == {"auth", "cancel", "report"}
    assert {entry["body"] for entry in others} == {""}


def test_only_documented_questions_are_asked(requests, document):
    """Next pages are the vendor's own links, whose queries it need not document."""
    asked = {
        (entry["path"], name)
        for entry in requests
        if "before" not in entry["query"]
        for name in [pair.split("=")[0] for pair in entry["query"].split("&") if pair]
    }
    known = {
        (path, parameter["name"])
        for path, methods in document["paths"].items()
        for parameter in methods.get("get", {}).get("parameters", [])
        if parameter["in"] == "query"
    }
    assert asked
    assert asked <= known


def test_every_order_has_a_key_of_1_to_256_characters(requests):
    orders = [e for e in requests if (e["method"], e["path"]) == ("POST", "/api/pub/v2/verifications")]
    assert all(1 <= len(entry["key"] or "") <= 256 for entry in orders)
