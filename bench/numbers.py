"""Bought numbers by the thousand, at the sandbox and in the database alike."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from bench import people
from bench.context import Context
from config.lib.unit_of_work import unit_of_work
from verifications.models import Service, Verification
from verifications.services.catalogue import ensure_categories

PRICE = 50
_LOAD = """
WITH given AS (
    SELECT gen_random_uuid() AS id, provider_id, phone, user_id, row_number() OVER (PARTITION BY user_id) AS place
    FROM unnest(%(provider_ids)s::text[], %(phones)s::text[], %(users)s::bigint[]) AS g (provider_id, phone, user_id)
), bought AS (
    INSERT INTO verifications_verification (
        id, user_id, service_id, country, capability, area_code, price, cost, currency, status, failure_reason, charged,
        fingerprint, provider, provider_id, phone_number, created_at, answered_at, sold_at, expires_at,
        next_poll_at, polls
    )
    SELECT id, user_id, %(service)s, 'US', 'sms', '', %(price)s, 0.25, %(currency)s, 'waiting', '', true,
        '', 'textverified', provider_id, phone, %(sold)s, %(sold)s, %(sold)s, %(ends)s, %(poll)s, 0
    FROM given
)
INSERT INTO wallet_transaction (
    wallet_id, sequence, amount, type, counterparty, balance_after, reference, description, service,
    resource_type, resource_id, status, created_at
)
SELECT w.id, w.version + g.place, -%(price)s, 'sms_purchase', 'sales', w.balance - g.place * %(price)s,
    format('verification:%%s:capture', g.id), 'Bench', %(name)s, 'verification', g.id::text, 'completed', %(sold)s
FROM given g JOIN wallet_wallet w USING (user_id)
"""
_PAY = """
UPDATE wallet_wallet w SET balance = w.balance - n.times * %(price)s, version = w.version + n.times
FROM (SELECT user_id, count(*) AS times FROM unnest(%(users)s::bigint[]) user_id GROUP BY 1) n
WHERE n.user_id = w.user_id
"""


def control(context: Context, path: str, **body: Any) -> Any:
    request = urllib.request.Request(context.sandbox_url + path, json.dumps(body).encode())  # noqa: S310  the loopback
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310
        return json.loads(answer.read() or b"null")


def let_rest() -> None:
    """What other benches bought is never due: their sandbox is gone."""
    later = timezone.now() + timedelta(days=1)
    Verification.objects.filter(status="waiting").update(next_poll_at=later, expires_at=later)


def buy(context: Context, count: int, *, service: str, customers: int, sold: datetime, ends: datetime) -> list[int]:
    """So many waiting numbers of so many new customers, whose ids these are. Polled from `sold` on."""
    there = control(context, "/__bench/sell", service=service, count=count)
    ids = people.make(customers, cents=1_000_00)
    load(there, ids, service=service, sold=sold, ends=ends)
    return ids


@unit_of_work()
def load(there: Sequence[Sequence[str]], ids: Sequence[int], *, service: str, sold: datetime, ends: datetime) -> None:
    category = ensure_categories()["testing"]
    row, _ = Service.objects.get_or_create(name=service, defaults={"title": service.title(), "category": category})
    values = {
        "provider_ids": [one[0] for one in there],
        "phones": [one[1] for one in there],
        "users": [ids[number % len(ids)] for number in range(len(there))],
        "service": row.pk,
        "name": service,
        "price": PRICE,
        "currency": settings.CURRENCY,
        "sold": sold,
        "ends": ends,
        "poll": sold,
    }
    with connection.cursor() as cursor:
        cursor.execute(_LOAD, values)
        cursor.execute(_PAY, values)
