"""What the drills drive: the live stack's processes one at a time, without a beat, and a customer with a key."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import pytest
import requests
from django.utils import timezone

from accounts import services as accounts
from config.celery import app
from dev.testing.live import START_SECONDS, until
from payments import services as payments
from tests.faults.invariants import books, violations
from tests.faults.nursery import Nursery
from tests.people import customer
from verifications import services as verifications
from verifications.models import Verification
from verifications.services import poll
from verifications.tests.factories import make_offer

if TYPE_CHECKING:
    import subprocess

    from dev.sandbox.testing import RunningSandbox
    from dev.testing.live import LiveProcess, LiveStack

SERVICES = ("test_success", "test_pending", "test_timeout", "test_no_numbers")
JOBS = (
    verifications.recover_due,
    verifications.poll_due,
    verifications.expire_due,
    payments.check_due,
    payments.retry_events,
)
IMPATIENT = {"PROVIDER_TIMEOUT_SECONDS": "1", "GATEWAY_TIMEOUT_SECONDS": "1", "BREAKER_FAILURES": "1000"}


class Drill:
    """One customer with $10.00, and the processes that are killed under them."""

    def __init__(self, stack: LiveStack, sandbox: RunningSandbox, nursery: Nursery) -> None:
        self.stack, self.sandbox, self.nursery = stack, sandbox, nursery
        self.user = customer(cents=10_00)
        _key, secret = accounts.create_api_key(user=self.user, name="drill")
        self.headers = {"Authorization": f"Bearer {secret}"}
        self.later = timedelta(0)

    @property
    def now(self) -> datetime:
        return timezone.now() + self.later

    # --- the processes

    def start(self, process: LiveProcess, **env: str) -> None:
        """This process alone, from its beginning, with more environment."""
        process.end()
        self.forget_tasks()
        if env.keys() <= {"FAULT_POINT"}:
            child = self.nursery.start(process.argv, env={**process.env, **env}, log=process.log)
            process.process = cast("subprocess.Popen[bytes]", child)
            until(process._is_ready, f"{process.name} is ready", seconds=START_SECONDS)
        else:
            process.start(**env)  # other settings: from its very beginning

    def assert_killed(self, process: LiveProcess) -> None:
        """It died at its fault point, and left whole books behind."""
        assert process.wait(60) == -signal.SIGKILL
        assert list(books()) == []

    def send(self, job: str) -> None:
        """What the beat would send to the worker."""
        app.send_task(job)

    def forget_tasks(self) -> None:
        """What a killed worker had not acknowledged would come back in the next test."""
        self.stack.forget_tasks()

    # --- the customer

    def post(self, path: str, body: dict[str, Any] | None = None, **headers: str) -> requests.Response | None:
        """None where the server died before it had answered."""
        try:
            return requests.post(
                f"{self.stack.url}{path}", json=body or {}, headers={**self.headers, **headers}, timeout=60
            )
        except requests.ConnectionError:
            return None

    def buy(self, service: str = "test_pending", key: str = "drill") -> requests.Response | None:
        return self.post("/api/v1/verify/create", {"service_name": service, "idempotency_key": key})

    def bought(self, service: str = "test_pending") -> Verification:
        """A number bought in this process, before the drill."""
        return verifications.buy(user=self.user, service_name=service).verification

    # --- time

    def catch_up(self, seconds: float) -> None:
        """So much later, here and at the sandbox, each periodic job runs once."""
        self.later += timedelta(seconds=seconds)
        self.sandbox.advance(seconds)
        for job in JOBS:
            job(now=self.now)

    def settles(self, *steps: float) -> None:
        """After these further seconds of recovery all invariants hold."""
        for seconds in steps:
            self.catch_up(seconds)
        assert violations(self.sandbox) == []

    def available(self) -> int:
        self.user.wallet.refresh_from_db()
        return self.user.wallet.available


@pytest.fixture(scope="session")
def nursery(live_stack: LiveStack) -> Iterator[Nursery]:
    nursery = Nursery(live_stack.env, live_stack.folder / "nursery.log")
    try:
        yield nursery
    finally:
        nursery.close()


@pytest.fixture
def drill(
    live_stack: LiveStack, nursery: Nursery, sandbox: RunningSandbox, settings: Any, transactional_db: None
) -> Iterator[Drill]:
    """No process runs but the one that the drill starts. Webhooks are written down, not sent, unless it says so."""
    settings.PUBLIC_URL = live_stack.url  # this process goes on where the live one died: it is one deployment
    settings.TEXTVERIFIED_BASE_URL = f"{sandbox.textverified_url}/{uuid4().hex}/.."  # the adapter begins anew
    poll._paused_until.clear()
    sandbox.settings(webhook_enabled=False, public_url=live_stack.url)
    for name in SERVICES:
        make_offer(name)
    drill = Drill(live_stack, sandbox, nursery)
    try:
        yield drill
    finally:
        sandbox.settings(webhook_enabled=False)
        for process in (live_stack.web, live_stack.worker):
            process.end()
        drill.forget_tasks()
