"""One sick part harms only its own, with the workers as they are deployed.

Each figure stands beside the same without the fault.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import User
from config import heartbeats
from config.celery import app
from dev.stack.environment import ROOT
from dev.stack.process import spawn
from dev.testing.fixtures import HoldRow
from dev.testing.live import Workers, queues, until
from tests.people import customer
from verifications import services
from verifications.models import Status, Verification

if TYPE_CHECKING:
    from tests.faults.conftest import Drill

pytestmark = [pytest.mark.drill, pytest.mark.side_by_side, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

LATER_AT_MOST = 5.0
NUMBERS = 40
CODES = 3
SOON = {"PUT_ASIDE_MAX_SECONDS": "4", "BACKGROUND_IDLE_IN_TRANSACTION_SECONDS": "3"}
CLOCK = str(Path(__file__).with_name("clock"))

Start = Callable[..., Workers]
Say = Callable[[str], None]


@pytest.fixture
def deployed(drill: Drill) -> Iterator[Start]:
    """The workers of each queue in processes of their own, and a beat."""
    started: list[Workers] = []

    def start(**env: str) -> Workers:
        stack = drill.stack
        workers = Workers(f"drill{len(started)}", stack.env, stack.folder / "workers.log")
        started.append(workers)
        workers.start(**{**SOON, **env})
        stack.more.append(workers)
        stack.start_beat()
        return workers

    try:
        yield start
    finally:
        drill.stack.stop_beat()
        for workers in started:
            workers.end()
            drill.stack.more.remove(workers)


def bought(user: User, times: int) -> list[Verification]:
    return [services.buy(user=user, service_name="test_pending").verification for _ in range(times)]


def let_end(rows: list[Verification]) -> None:
    """Their time is over, as of now."""
    Verification.objects.filter(pk__in=[row.pk for row in rows]).update(
        expires_at=timezone.now() - timedelta(seconds=11), next_poll_at=None
    )


def have(status: str, rows: list[Verification]) -> bool:
    return Verification.objects.filter(pk__in=[row.pk for row in rows], status=status).count() == len(rows)


def somebody_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
        return cursor.fetchone() is not None


def seconds_until_codes(drill: Drill, rows: list[Verification]) -> float:
    """How long the slowest of these codes takes from the vendor to here, one after the other."""
    slowest = 0.0
    for number, row in enumerate(rows):
        drill.sandbox.sms(row.phone_number, f"Your code is 98765{number}")
        began = time.monotonic()
        until(lambda row=row: have(Status.COMPLETED, [row]), "the code is here", seconds=60)  # type: ignore[misc]
        slowest = max(slowest, time.monotonic() - began)
    return slowest


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Print, whatever pytest does with the rest."""

    def line(text: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{text}")

    return line


def both(what: str, figures: Sequence[float]) -> str:
    without, beside = figures
    return f"{what}: {without:.1f} s without the fault, {beside:.1f} s with it"


def test_one_locked_wallet_delays_no_other_customers_code(
    drill: Drill, deployed: Start, hold_row: HoldRow, say: Say, settings: Any
) -> None:
    settings.MAX_PENDING = settings.MAX_BUYS_PER_HOUR = 10 * NUMBERS
    ill = customer(cents=100_00)
    ending, others = [bought(ill, NUMBERS) for _ in range(2)], [bought(drill.user, CODES) for _ in range(2)]
    deployed()

    let_end(ending[0])
    without = seconds_until_codes(drill, others[0])
    until(lambda: have(Status.TIMED_OUT, ending[0]), "the first forty have ended")

    with hold_row("wallet_wallet.user_id", ill.pk):
        let_end(ending[1])
        until(somebody_waits_for_a_lock, "somebody waits for the wallet")
        beside = seconds_until_codes(drill, others[1])
        aside = Verification.objects.filter(lock_failures__gt=0).count()
        assert (have(Status.WAITING, ending[1]), aside) == (True, NUMBERS)
    until(lambda: have(Status.TIMED_OUT, ending[1]), "the other forty have ended too")
    say(both(f"another customer's code, {NUMBERS} numbers of one ending, its wallet locked", (without, beside)))
    assert beside - without <= LATER_AT_MOST
    drill.stack.stop_beat()
    drill.stack.settle()
    drill.settles(16, 16)


_VANISHED = """
import os, sys, time
import django
django.setup()
from django.db import connection, transaction
with transaction.atomic(), connection.cursor() as cursor:
    cursor.execute("SELECT FROM wallet_wallet WHERE user_id = %s FOR UPDATE", [int(sys.argv[1])])
    print("locked", flush=True)
    time.sleep(600)
"""


@contextmanager
def vanished_web_host(drill: Drill, user: User) -> Iterator[None]:
    """A process of the product's own that locks the wallet, and stands still in its transaction from then on."""
    env = {**drill.stack.env, "DATABASE_IDLE_IN_TRANSACTION_SECONDS": "3"}
    log = drill.stack.folder / "vanished.log"
    log.unlink(missing_ok=True)
    with log.open("ab") as output:
        host = spawn([sys.executable, "-c", _VANISHED, str(user.pk)], cwd=ROOT, env=env, output=output)
    try:
        until(lambda: "locked" in log.read_text(), f"the wallet is locked: {log.read_text()}")
        os.kill(host.pid, signal.SIGSTOP)
        yield
        assert host.poll() is None, "it is still there, and says nothing"
    finally:
        host.kill()
        host.wait()


def test_a_web_host_that_vanishes_in_mid_transaction_keeps_its_customer_waiting_for_seconds(
    drill: Drill, deployed: Start, say: Say
) -> None:
    ill = customer(cents=10_00)
    ending, others = [bought(ill, 1) for _ in range(2)], [bought(drill.user, CODES) for _ in range(2)]
    deployed()
    refunds, codes = [], []
    for number, fault in enumerate((nullcontext(), vanished_web_host(drill, ill))):
        with fault:
            began = time.monotonic()
            let_end(ending[number])
            codes.append(seconds_until_codes(drill, others[number]))
            until(lambda number=number: have(Status.TIMED_OUT, ending[number]), "the refund")  # type: ignore[misc]
            refunds.append(time.monotonic() - began)
    say(both("another customer's code, a host that vanished holding a wallet", codes))
    say(both("that customer's own refund", refunds))
    assert codes[1] - codes[0] <= LATER_AT_MOST
    assert refunds[1] < 45
    drill.stack.stop_beat()
    drill.stack.settle()
    drill.settles(16)


def test_a_task_that_never_returns_is_ended_and_everything_else_goes_on(
    drill: Drill, deployed: Start, say: Say
) -> None:
    (row,) = bought(drill.user, 1)
    workers = deployed(PROVIDER_TIMEOUT_SECONDS="1000")
    until(lambda: heartbeats.silent_queues() == [], "every queue is heard of")
    before = seconds_until_codes(drill, bought(drill.user, 1))
    drill.sandbox.fault("GET .*/services", "slow:600", times=10)
    slots = 2
    for _ in range(slots):
        app.send_task("verifications.tasks.sync_catalogue", time_limit=4)
    hanging = "GET /textverified/api/pub/v2/services"
    until(lambda: sum(line.startswith(hanging) for line in drill.sandbox.requests()) >= slots, "both slots hang")
    began = time.monotonic()
    drill.stack.redis.delete(heartbeats._key("catalogue"))

    beside = seconds_until_codes(drill, [row])
    until(lambda: heartbeats.ages()["catalogue"] is not None, "the next task of that queue runs", seconds=30)
    took = time.monotonic() - began
    log = workers.log.read_text()
    assert log.count("Hard time limit (4s) exceeded for verifications.tasks.sync_catalogue") >= slots
    assert workers.alive
    say(both("a code, every slot of the catalogue's queue hanging", (before, beside)))
    say(f"the next task of that queue ran after {took:.1f} s; the limit is 4 s")
    assert beside - before <= LATER_AT_MOST


def test_a_killed_worker_leaves_no_process_at_work_and_is_there_again(drill: Drill, deployed: Start, say: Say) -> None:
    coming = bought(drill.user, 1)
    workers = deployed()
    until(lambda: heartbeats.silent_queues() == [], "every queue is heard of")
    assert workers.process is not None
    (main,) = [pid for pid in children(workers.process.pid) if len(children(pid)) == 2][:1]
    slots = children(main)
    began = time.monotonic()
    os.kill(main, signal.SIGKILL)
    until(lambda: not any(is_alive(pid) for pid in slots), "its slots are gone with it", seconds=10)
    drill.stack.redis.delete(*(heartbeats._key(queue) for queue in queues()))
    until(lambda: heartbeats.silent_queues() == [], "every queue is heard of again", seconds=60)
    say(f"a killed worker: every queue is at work again after {time.monotonic() - began:.1f} s")
    seconds_until_codes(drill, coming)
    drill.stack.stop_beat()
    workers.end()
    drill.forget_tasks()  # what the killed one was at comes back after half an hour only
    drill.settles()


def is_alive(pid: int) -> bool:
    """Whether it runs: nobody may have asked yet how it ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize("shift", [60, -60])
def test_clocks_a_minute_apart_lose_nothing(drill: Drill, deployed: Start, say: Say, shift: int) -> None:
    """The workers' clock is a minute ahead of beat's, web's and database's, or behind."""
    coming, staying, ending = (bought(drill.user, 1) for _ in range(3))
    path = os.pathsep.join(filter(None, (CLOCK, os.environ.get("PYTHONPATH"))))
    deployed(PYTHONPATH=path, CLOCK_SHIFT_SECONDS=str(shift))
    until(lambda: heartbeats.silent_queues() == [], "every queue is heard of")
    for name, options in (("expires", {"expires": 30}), ("stays", {})):
        app.send_task("config.tasks.heartbeat", [name], queue="end", **options)
    over_at = timezone.now() + timedelta(seconds=40)  # by a clock that is ahead it is over, with the grace
    Verification.objects.filter(pk=staying[0].pk).update(expires_at=over_at)
    let_end(ending)
    took = seconds_until_codes(drill, coming)
    until(lambda: have(Status.TIMED_OUT, ending), "what is over by the database's clock has ended")
    assert have(Status.WAITING, staying) or timezone.now() > over_at
    thrown_away = [name for name in ("expires", "stays") if not drill.stack.redis.exists(heartbeats._key(name))]
    assert thrown_away == (["expires"] if shift > 0 else []), "the clocks are apart, as one that expires shows"
    say(f"clocks {shift:+d} s apart: a code took {took:.1f} s")
    assert all(drill.stack.redis.llen(queue) <= 3 for queue in queues()), "nothing piles up"
    drill.stack.stop_beat()
    drill.stack.settle()
    drill.settles(16)
