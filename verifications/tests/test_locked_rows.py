"""A row that somebody holds and doesn't let go of: it costs its owner time, the others one short wait."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from accounts.models import User
from accounts.tests.factories import make_user
from config.lib.metrics import rows_put_aside_total
from dev.sandbox.testing import RunningSandbox
from dev.testing.fixtures import HoldRow
from verifications import services
from verifications.models import Status, Verification
from verifications.tests.books import money
from verifications.tests.factories import make_offer
from wallet.tests.factories import funded

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("background_limits")]

WALLET = "wallet_wallet.user_id"
ROW = "verifications_verification.id"


def customer(name: str) -> User:
    user = make_user(f"{name}@example.test")
    funded(user, 10_00)
    return user


def bought(user: User, *, times: int = 1) -> list[Verification]:
    return [services.buy(user=user, service_name="test_pending").verification for _ in range(times)]


def put_aside(work: str) -> float:
    return rows_put_aside_total.labels(work=work, why="locked")._value.get()


def states(rows: list[Verification]) -> list[str]:
    return [Verification.objects.get(pk=row.pk).status for row in rows]


def turns(rows: list[Verification], field: str, now: datetime) -> set[tuple[float, int]]:
    """In how many seconds each row has its next turn, and how often it was put aside."""
    fresh = Verification.objects.filter(pk__in=[row.pk for row in rows])
    return {((getattr(row, field) - now).total_seconds(), row.lock_failures) for row in fresh}


def test_while_one_wallet_is_locked_other_customers_numbers_end_and_its_own_are_put_aside(
    sandbox: RunningSandbox, hold_row: HoldRow
) -> None:
    make_offer()
    ill, well = customer("ill"), customer("well")
    locked, others = bought(ill, times=3), bought(well, times=2)
    now = timezone.now() + timedelta(minutes=30)
    counted = put_aside("expire")
    with hold_row(WALLET, ill.pk):
        services.expire_due(now=now)
        assert (states(locked), states(others)) == ([Status.WAITING] * 3, [Status.TIMED_OUT] * 2)
        assert put_aside("expire") - counted == 3
        assert turns(locked, "next_poll_at", now) == {(2, 1)}
        assert services.expire_due(now=now) == 0, "nobody asks about them before their turn"
        for wait in (2, 4, 8):
            assert turns(locked, "next_poll_at", now) == {(wait, wait.bit_length() - 1)}
            now += timedelta(seconds=wait)
            services.expire_due(now=now)
    services.expire_due(now=now + timedelta(seconds=16))
    assert states(locked) == [Status.TIMED_OUT] * 3
    assert turns(locked, "ended_at", now) == {(16, 0)}
    assert [money(user) for user in (ill, well)] == [(10_00, 0), (10_00, 0)]
    assert {number["state"] for number in sandbox.ledger()["numbers"]} == {"verificationCanceled"}


def test_the_wait_stops_growing_at_the_most(sandbox: RunningSandbox, hold_row: HoldRow) -> None:
    make_offer()
    user = customer("ill")
    locked = bought(user)
    Verification.objects.update(lock_failures=12)
    now = timezone.now() + timedelta(minutes=30)
    with hold_row(WALLET, user.pk):
        services.expire_due(now=now)
    assert turns(locked, "next_poll_at", now) == {(60, 13)}


def test_a_row_that_is_locked_itself_keeps_the_turn_that_its_claim_gave_it(
    sandbox: RunningSandbox, hold_row: HoldRow
) -> None:
    make_offer()
    rows = bought(customer("ill"), times=2)
    now = timezone.now() + timedelta(minutes=30)
    with hold_row(ROW, rows[0].pk):
        services.expire_due(now=now)
        assert states(rows) == [Status.WAITING, Status.TIMED_OUT]
    services.expire_due(now=now)
    assert states(rows) == [Status.TIMED_OUT] * 2


def test_a_poll_puts_a_locked_customers_refunds_aside_and_brings_the_others(
    sandbox: RunningSandbox, hold_row: HoldRow
) -> None:
    make_offer("test_timeout")
    make_offer()
    ill, well = customer("ill"), customer("well")
    locked = [services.buy(user=ill, service_name="test_timeout").verification for _ in range(2)]
    (other,) = bought(well)
    sandbox.advance(21)  # the first two have ended there
    sandbox.sms(other.phone_number, "Your code is 987654")
    now = timezone.now() + timedelta(seconds=21)
    with hold_row(WALLET, ill.pk):
        services.poll_due(now=now)
        assert states([other, *locked]) == [Status.COMPLETED, Status.WAITING, Status.WAITING]
        assert turns(locked, "next_poll_at", now) == {(2, 1)}
    services.poll_due(now=now + timedelta(seconds=2))
    assert states(locked) == [Status.TIMED_OUT] * 2


def test_recovery_puts_a_locked_customers_sales_aside(sandbox: RunningSandbox, hold_row: HoldRow) -> None:
    make_offer()
    ill, well = customer("ill"), customer("well")
    sandbox.fault("POST /textverified/api/pub/v2/verifications$", "drop_after", times=3)
    locked, (other,) = bought(ill, times=2), bought(well)
    assert states([*locked, other]) == [Status.REQUESTED] * 3
    now = timezone.now() + timedelta(seconds=20)
    with hold_row(WALLET, ill.pk):
        services.recover_due(now=now)
        assert states([*locked, other]) == [Status.REQUESTED, Status.REQUESTED, Status.WAITING]
        assert turns(locked, "next_recovery_at", now) == {(2, 1)}
    services.recover_due(now=now + timedelta(seconds=2))
    assert states(locked) == [Status.WAITING] * 2


def test_a_locked_row_keeps_nobody_else_from_hearing_that_it_takes_longer(
    sandbox: RunningSandbox, hold_row: HoldRow
) -> None:
    make_offer()
    (locked,), (other,) = bought(customer("ill")), bought(customer("well"))
    with hold_row(ROW, locked.pk):
        assert services.notify_progress(now=timezone.now() + timedelta(minutes=3)) == 1
    other.refresh_from_db()
    assert other.progress_told_at is not None
