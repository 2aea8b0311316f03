"""A purchase by API: our share of its time, its round trips to the database, and how many a second."""

from __future__ import annotations

import http.client
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from unittest import mock

from django.test import Client
from django.utils import timezone

from bench import people, pgbench
from bench.context import Context
from bench.forked import Forked
from bench.postings import SCRIPT as POST
from bench.report import Row, above, below, quantile, spread
from bench.statements import Statements
from verifications.models import Offer, Service
from verifications.services import provider_calls
from verifications.services.catalogue import ensure_categories
from wallet import statements

EACH = 15  # purchases a customer: below what one may have pending
BUYERS = 16

_HOLD = statements.RESERVE % {
    "user": ":user",
    "amount": "50",
    "reference": "'pgbench:' || gen_random_uuid()",
    "description": "'bench'",
    "service": "'test_pending'",
    "resource_type": "''",
    "resource_id": "''",
    "now": "NULL",
}


def run(context: Context) -> Iterator[Row]:
    _for_sale()
    context.progress.step("purchases one by one")
    yield _share(context)
    context.progress.step(f"{BUYERS} buyers at once")
    yield _rate(context)


def _for_sale() -> None:
    category = ensure_categories()["testing"]
    service, _ = Service.objects.get_or_create(
        name="test_pending", defaults={"title": "Bench", "category": category, "blocked": False}
    )
    Offer.objects.update_or_create(
        service=service,
        country="US",
        provider="textverified",
        capability="sms",
        defaults={"cost": Decimal("0.25"), "price": 50, "quoted_at": timezone.now()},
    )


def _share(context: Context) -> Row:
    """Over the real adapter and the sandbox's HTTP; the call's time is measured apart and taken off."""
    count = context.size(300, 60)
    keys = people.keys_of(people.make(-(-count // EACH) + 1, cents=1_000_00))
    total: list[float] = []
    share: list[float] = []
    asked: list[float] = []

    def timed(verification: Any, admission: Any) -> Any:
        began = time.perf_counter()
        try:
            return purchase(verification, admission)
        finally:
            asked.append(time.perf_counter() - began)

    purchase = provider_calls.purchase
    client = Client()
    with context.sandbox(), mock.patch.object(provider_calls, "purchase", timed):
        for number in range(-5, count):
            began = time.perf_counter()
            _buy(client, keys[max(number, 0) // EACH if number >= 0 else -1])
            took = time.perf_counter() - began
            context.progress.count("purchases", max(number, 0), count)
            if number >= 0:  # the first ones warm everything up
                total.append(took)
                share.append(took - asked[-1])
        with Statements() as statements:
            _buy(client, keys[-1])
    floor = _floor_of_share(count)
    print(statements.listing("one purchase by API key"))
    p95 = quantile(share, 0.95)
    return Row(
        what="our share of a purchase (p50/p95/p99)",
        measured=f"{spread(share)}; {statements.round_trips} round trips",
        floor=f"hold and capture in bare SQL: {spread(floor)}",
        ratio=p95 / quantile(floor, 0.95),
        must="p95 < 60 ms",
        aim="p95 < 25 ms",
        met=below(p95, must=0.06, aim=0.025),
        limit=f"{statements.round_trips} round trips in {statements.transactions} transactions that wait "
        f"for the disk; the provider's HTTP beside it took {spread(asked[5:])}.",
    )


def _buy(client: Client, key: str) -> None:
    answer = client.post(
        "/api/v1/verify/create",
        json.dumps({"service_name": "test_pending", "country": "US"}),
        content_type="application/json",
        headers={"Authorization": f"Bearer {key}"},
    )
    if answer.status_code != 201:
        raise RuntimeError(f"{answer.status_code} {answer.content[:300]!r}")


def _floor_of_share(count: int) -> list[float]:
    """The same two durable commits, with nothing in them but the money."""
    import psycopg

    (user,) = people.make(1, cents=1_000_00)
    took = []
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        for number in range(count):
            values = {"user": user, "reference": f"floor:{number}", "now": None, "service": "", "description": "floor"}
            nothing = {"resource_type": "", "resource_id": ""}
            began = time.perf_counter()
            connection.execute(statements.RESERVE, {**values, **nothing, "amount": 50})
            connection.commit()
            money = {"type": "sms_purchase", "counterparty": "sales", "hold": f"floor:{number}"}
            connection.execute(statements.CAPTURE, {**values, **money, "reference": f"floor:{number}:capture"})
            connection.commit()
            took.append(time.perf_counter() - began)
    return took


def _rate(context: Context) -> Row:
    seconds = context.size(12, 5)
    ids = people.make(context.size(600, 200), cents=1_000_00)
    keys = people.keys_of(ids)
    script = "\n".join(
        (
            f"\\set user random({ids[0]}, {ids[-1]})",
            _HOLD + ";",
            POST.split("\n", 1)[1] + ";",
        )
    )
    with context.gunicorn("bench.stub"):
        load = Forked(lambda _: _load(context.port, keys, seconds))
        bought, refused = load.result()
    peer = pgbench.transactions_a_second(script, folder=context.folder, clients=BUYERS, seconds=max(2, seconds / 3))
    rate, cores = bought / seconds, os.cpu_count() or 1
    return Row(
        what=f"purchases/s end to end, {BUYERS} buyers, a provider that answers at once",
        measured=f"{rate:.0f}/s ({rate / cores:.0f}/s a core)" + (f"; refused: {dict(refused)}" if refused else ""),
        floor=f"pgbench, a hold and a posting: {peer:,.0f}/s",
        ratio=rate / peer,
        must="50/s a core",
        aim="the database's",
        met=above(rate / cores, must=50, aim=peer / cores),
        limit="Two gunicorn processes, PostgreSQL, Redis and the buyers share the cores: Python's share of a purchase.",
    )


def _load(port: int, keys: list[str], seconds: float) -> tuple[int, Counter[int]]:
    """Purchases answered with 201 within the time, and the other answers by status."""
    bought, refused, lock = [0], Counter[int](), threading.Lock()
    start = time.monotonic() + 1.5
    end = start + seconds

    def shop(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        turn = 0
        while (now := time.monotonic()) < end:
            mine = keys[number::BUYERS]
            headers = {"Content-Type": "application/json", "Authorization": f"Bearer {mine[turn % len(mine)]}"}
            turn += 1
            body = json.dumps({"service_name": "test_pending", "country": "US"})
            connection.request("POST", "/api/v1/verify/create", body, headers)
            answer = connection.getresponse()
            answer.read()
            with lock:
                if answer.status != 201:
                    refused[answer.status] += 1
                elif now >= start and time.monotonic() <= end:
                    bought[0] += 1

    threads = [threading.Thread(target=shop, args=(number,), daemon=True) for number in range(BUYERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds + 140)
    return bought[0], refused
