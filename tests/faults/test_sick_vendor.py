"""A vendor that hangs or fails in one operation, or for one service: everybody else goes on as without it.

Each drill prints its figures beside those of the same run without the fault.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from accounts import services as accounts
from dev.stack.environment import ROOT
from dev.testing.live import Web, until
from tests.people import customer
from verifications import services as verifications
from verifications.models import Verification
from verifications.tests.factories import make_offer

if TYPE_CHECKING:
    from tests.faults.conftest import Drill

pytestmark = [pytest.mark.drill, pytest.mark.side_by_side, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

ORDER = "POST /textverified/api/pub/v2/verifications$"
CANCEL = "POST .*/cancel$"
QUOTE = "/pricing/verifications$"
CHECKOUT = "POST /stripe/v1/checkout/sessions$"
SHORTER = {"GATEWAY_TIMEOUT_SECONDS": "3"}  # a checkout is tried twice
LIMIT = 1.0  # seconds that others may wait, beyond what they wait without the fault: the machine may be busy
READS = {"live": "/health/live", "balance": "/api/wallet/balance", "list": "/api/v1/verify"}
Call = Callable[[], requests.Response]
_numbers = count()


class Gunicorn(Web):
    """The Dockerfile's command, on a port of its own."""

    def __init__(self, like: Web, log: Path) -> None:
        super().__init__("gunicorn", like.env, log)
        command = json.loads(
            re.findall(r"^CMD (\[\"gunicorn\".*\])$", Path(ROOT, "Dockerfile").read_text(), re.MULTILINE)[-1]
        )
        command[command.index("--bind") + 1] = f"127.0.0.1:{self.port}"
        self.argv = ("-m", *command)


class Shopper:
    """A customer with a key at one web server."""

    def __init__(self, url: str, *, cents: int = 100_00) -> None:
        self.url, self.user = url, customer(cents=cents)
        _key, secret = accounts.create_api_key(user=self.user, name="drill")
        self.headers = {"Authorization": f"Bearer {secret}"}

    def get(self, path: str) -> requests.Response:
        return requests.get(f"{self.url}{path}", headers=self.headers, timeout=60)

    def post(self, path: str, body: dict[str, Any] | None = None) -> requests.Response:
        return requests.post(f"{self.url}{path}", json=body or {}, headers=self.headers, timeout=60)

    def buy(self, service: str) -> requests.Response:
        return self.post("/api/v1/verify/create", {"service_name": service})

    def bought(self, service: str) -> Verification:
        """A number bought in this process, before the drill."""
        return verifications.buy(user=self.user, service_name=service).verification


@contextmanager
def serving(drill: Drill, server: str) -> Iterator[str]:
    """The address of that web server."""
    if server == "daphne":
        drill.start(drill.stack.web, **SHORTER)
        yield drill.stack.url
        return
    web = Gunicorn(drill.stack.web, drill.stack.folder / "gunicorn.log")
    web.start(**SHORTER)
    try:
        yield web.url
    finally:
        web.end()


def cancels(shoppers: Sequence[Shopper]) -> list[Call]:
    """Each has bought ten numbers, and gives them back."""
    calls: list[Call] = []
    for shopper in shoppers:
        for _ in range(10):
            row = shopper.bought("test_pending")
            calls.append(lambda shopper=shopper, row=row: shopper.post(f"/api/v1/verify/{row.pk}/cancel"))  # type: ignore[misc]
    return calls


def purchases(shoppers: Sequence[Shopper]) -> list[Call]:
    return [lambda shopper=shopper: shopper.buy("test_pending") for shopper in shoppers for _ in range(10)]  # type: ignore[misc]


def quotes(shoppers: Sequence[Shopper]) -> list[Call]:
    """Prices that nobody has asked for yet."""
    calls: list[Call] = []
    for shopper in shoppers:
        for _ in range(10):
            offer = make_offer(f"unpriced{next(_numbers)}", cost=None, price=None, quoted_at=None)
            path = f"/api/v1/services/{offer.service.name}"
            calls.append(lambda shopper=shopper, path=path: shopper.get(path))  # type: ignore[misc]
    return calls


def checkouts(shoppers: Sequence[Shopper]) -> list[Call]:
    return [
        lambda shopper=shopper: shopper.post("/api/payments/initialize", {"amount": "20.00"})  # type: ignore[misc]
        for shopper in shoppers
        for _ in range(10)
    ]


# What is asked of the vendor, where it is sick, what customers are answered then, and how much later all is settled.
OPERATIONS = {
    "cancel": (cancels, CANCEL, {202}, [16]),
    "purchase": (purchases, ORDER, {201}, [16]),
    "quote": (quotes, QUOTE, {503}, []),
    "checkout": (checkouts, CHECKOUT, {503}, [700]),
}


@pytest.mark.parametrize(
    ("server", "times", "operation"),
    [("daphne", 40, "cancel"), *(("gunicorn", 20, operation) for operation in OPERATIONS)],
)
def test_others_are_answered_while_a_vendor_hangs(drill: Drill, server: str, times: int, operation: str) -> None:
    make_calls, where, expected, later = OPERATIONS[operation]
    with serving(drill, server) as url:
        shoppers, bystander = [Shopper(url) for _ in range(times // 10)], Shopper(url)
        well, _ = reads_while(bystander, make_calls(shoppers))
        calls = make_calls(shoppers)
        drill.sandbox.fault(where, "hang", times=1000)
        sick, answers = reads_while(bystander, calls)
        drill.sandbox.mend()

    statuses = Counter(answer.status_code for answer in answers)
    slowest = max(answer.elapsed.total_seconds() for answer in answers)
    print(f"\n{times} hanging calls of {operation} under {server}: {dict(statuses)}, the slowest after {slowest:.1f} s")
    for name in READS:
        print(f"  {name}: {sick[name] * 1000:.0f} ms at most; without the fault {well[name] * 1000:.0f} ms")
    assert set(statuses) == expected, answers[0].text
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers if answer.status_code == 503)
    assert {name: took for name, took in sick.items() if took >= LIMIT + well[name]} == {}
    drill.settles(*later)


def reads_while(reader: Shopper, calls: Sequence[Call]) -> tuple[dict[str, float], list[requests.Response]]:
    """The slowest of each read while the calls are under way, and their answers."""
    slowest = dict.fromkeys(READS, 0.0)
    with ThreadPoolExecutor(max_workers=len(calls)) as threads:
        running = [threads.submit(call) for call in calls]
        while wait(running, timeout=0.05).not_done:  # the pace of one customer, below the limit of calls a minute
            for name, path in READS.items():
                answer = reader.get(path)
                assert answer.status_code == 200, answer.text
                slowest[name] = max(slowest[name], answer.elapsed.total_seconds())
        return slowest, [call.result() for call in running]


@pytest.mark.parametrize("operation", ["cancel", "purchase", "quote"])
def test_a_failing_operation_delays_nobodys_code(drill: Drill, operation: str) -> None:
    """Eight failures of one customer, and another one's code."""
    make_calls, where, *_ = OPERATIONS[operation]
    drill.start(drill.stack.web)
    drill.start(drill.stack.worker)
    numbers = [Shopper(drill.stack.url).bought("test_pending") for _ in range(2)]
    with the_beat(drill):
        well = seconds_to_the_code(drill, numbers[0])
        calls = make_calls([Shopper(drill.stack.url)])[:8]
        drill.sandbox.fault(where, "error_500", times=10_000)
        statuses = Counter(call().status_code for call in calls)
        sick = seconds_to_the_code(drill, numbers[1])
        drill.sandbox.mend()
    print(f"\nafter 8 failures of {operation} ({dict(statuses)}) a code takes {sick:.1f} s, without them {well:.1f} s")
    assert statuses.keys() <= {201, 202, 503}
    assert sick - well < 5
    drill.settles(16, 61)


def seconds_to_the_code(drill: Drill, row: Verification) -> float:
    """From the vendor to its customer."""
    began = time.monotonic()
    drill.sandbox.sms(row.phone_number, "Your code is 482913")
    until(Verification.objects.filter(pk=row.pk, status="completed").exists, "the code is there", seconds=120)
    return time.monotonic() - began


@contextmanager
def the_beat(drill: Drill) -> Iterator[None]:
    drill.stack.start_beat()
    try:
        yield
    finally:
        drill.stack.stop_beat()
        drill.stack.settle()


def test_one_sick_service_refuses_no_other(drill: Drill) -> None:
    """Five orders of it without an outcome, which recovery asks about again and again, and 120 of a healthy one."""
    make_offer("whatsapp")
    drill.start(drill.stack.web)
    drill.start(drill.stack.worker)
    refused = {}
    for state in ("well", "sick"):
        with the_beat(drill):
            if state == "sick":
                drill.sandbox.fault(ORDER, "error_500", times=10_000, body='"whatsapp"')
                unlucky = Shopper(drill.stack.url)
                answers = [unlucky.buy("whatsapp").status_code for _ in range(8)]
                assert answers == [201] * 5 + [503] * 3, "five without an outcome, then it is refused, alone"
            shoppers = [Shopper(drill.stack.url) for _ in range(8)]
            refused[state] = sum(
                shopper.buy("test_pending").status_code != 201 for _ in range(15) for shopper in shoppers
            )
        replays = sum('"whatsapp"' in entry["body"] for entry in drill.sandbox.request_log())
        print(f"\n{state}: {refused[state]} of 120 orders of a healthy service are refused; {replays} of the sick one")
    drill.sandbox.mend()
    assert refused == {"well": 0, "sick": 0}
    drill.settles(16, 61)
