"""The whole API against its own description: every operation, sensible and senseless, with all of schemathesis' checks.

The same inputs in each run. `SCHEMATHESIS_EXAMPLES=200 pytest tests/test_schemathesis.py` looks longer.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any, NamedTuple
from uuid import uuid4
from zlib import crc32

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, settings
from rest_framework.throttling import SimpleRateThrottle
from schemathesis.config import SchemathesisConfig

from accounts import services as accounts
from accounts.models import ApiKey
from activity.models import Activity
from dev.sandbox.testing import RunningSandbox
from notifications.models import Notification
from payments import services as payments
from refunds.models import Refund
from tests.people import customer
from verifications import services

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # texts of one line have none, and no text has a NUL
EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "5"))
CONFIG = SchemathesisConfig.from_dict(
    {
        "generation": {"deterministic": True, "max-examples": EXAMPLES},
        # What is not enough money, used up or not to be had is an answer to good data too.
        "checks": {
            "positive_data_acceptance": {
                "expected-statuses": ["2xx", "401", "402", "403", "404", "409", "422", "429", "503"]
            },
            "not_a_server_error": {"expected-statuses": ["2xx", "4xx", "503"]},
        },
    }
)
schema = schemathesis.openapi.from_dict(SchemaGenerator().get_schema(public=True), config=CONFIG)
schema.app = get_wsgi_application()


class Somebody(NamedTuple):
    """A key's secret, and what its owner has."""

    secret: str
    ids: dict[str, Any]


@pytest.fixture(autouse=True)
def _one_connection() -> Iterator[None]:
    """The application runs in the test's transaction; by itself it closes its connection after each request."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def somebody(sandbox: RunningSandbox, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Somebody:
    """The key of somebody who has some of everything, and may call as often as the test wants."""
    monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", {"key": None, "user": None, "purchase": None})
    settings.PROVIDER_TIMEOUT_SECONDS = settings.GATEWAY_TIMEOUT_SECONDS = 2
    settings.MAX_PENDING = 5
    settings.TEXTVERIFIED_BASE_URL = f"{sandbox.textverified_url}/{uuid4().hex}/.."  # the adapter begins anew
    services.sync_catalogue(now=timezone.now())
    user = customer(cents=1_000_00)
    user.is_staff = user.is_superuser = True
    user.save()
    given_back = services.buy(user=user, service_name="test_pending").verification
    services.cancel(user=user, verification_id=given_back.pk)
    payment = payments.initiate(user=user, amount=20_00, now=timezone.now()).payment
    accounts.create_api_key(user=user, name="another")
    _key, secret = accounts.create_api_key(user=user, name="schemathesis")
    return Somebody(
        secret,
        {
            "key_id": ApiKey.objects.get(name="another").pk,
            "verification_id": str(given_back.pk),
            "activity_id": Activity.objects.latest("pk").pk,
            "notification_id": Notification.objects.latest("pk").pk,
            "resource_type": "verification",
            "resource_id": str(given_back.pk),
            "name": "test_pending",
            "payment": payment.reference,
            "refund": Refund.objects.get().reference,
        },
    )


def make_sense(case: Any, ids: dict[str, Any]) -> None:
    """Half of the good calls get ids that there are, and what a schema can't say is put right: limits, either-or."""
    if case.meta is not None and not case.meta.generation.mode.is_positive:
        return
    if crc32(str(case.path_parameters).encode()) % 2:
        for name in case.path_parameters or {}:
            real = ("refund" if "/refunds/" in case.operation.path else "payment") if name == "reference" else name
            case.path_parameters[name] = ids[real]
    has_key = any(name.lower() == "idempotency-key" for name in case.headers or {})
    for given in (case.body, case.query):
        if isinstance(given, dict):
            _make_sense_of(given, has_key=has_key)
    if case.operation.path.endswith("/search"):  # the words in one of both places
        case.query = {**(case.query or {}), "query": "whatsapp"}
    if isinstance(case.body, dict) and "/bulk-" in case.operation.path:
        case.body["all"] = "ids" not in case.body


def _make_sense_of(given: dict[str, Any], *, has_key: bool) -> None:
    for name, value in given.items():
        if isinstance(value, str) and value and (not value.strip() or CONTROL.search(value)):
            given[name] = CONTROL.sub("", value).strip() or "x"
    if isinstance(given.get("service_name"), str):
        given["service_name"] = "test_pending"
    if isinstance(given.get("amount"), str):
        given["amount"] = "20.00"
    if has_key:
        given.pop("idempotency_key", None)
    if "start_date" in given:
        given.pop("end_date", None)
    if "before" in given:
        given.pop("after", None)
    if {"before", "after"} & given.keys():
        given.pop("sort", None)
    given.pop("expires_at", None)  # may be in the past


@schema.parametrize()
@settings(
    max_examples=EXAMPLES, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
def test_the_api_is_as_it_says(case: Any, somebody: Somebody) -> None:
    make_sense(case, somebody.ids)
    case.call_and_validate(headers={"Authorization": f"Bearer {somebody.secret}"})
