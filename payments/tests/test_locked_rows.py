"""Sweeps of payments meet a wallet that somebody holds and doesn't let go of."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import User
from accounts.tests.factories import make_user
from config.lib.metrics import rows_put_aside_total
from dev.sandbox.testing import RunningSandbox
from dev.testing.fixtures import HoldRow
from payments import services
from payments.models import GatewayEvent, Payment
from payments.tests.factories import make_event
from wallet.selectors import balance_of
from wallet.services import wallet_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("background_limits")]


def paid(sandbox: RunningSandbox, user: User) -> Payment:
    """A top-up of which nobody has told us."""
    wallet_of(user=user)
    payment = services.initiate(user=user, amount=20_00, now=timezone.now()).payment
    sandbox.pay(payment.reference)
    return payment


def put_aside(work: str) -> float:
    return rows_put_aside_total.labels(work=work, why="locked")._value.get()


def balances(*users: User) -> list[int]:
    return [balance_of(user=user).balance for user in users]


def test_the_check_asks_once_about_a_locked_customer_and_credits_the_others(
    sandbox: RunningSandbox, hold_row: HoldRow
) -> None:
    ill, well = make_user("ill@example.test"), make_user("well@example.test")
    for user in (ill, ill, ill, well):
        paid(sandbox, user)
    now, counted = timezone.now() + timedelta(minutes=10), put_aside("payment")
    with hold_row("wallet_wallet.user_id", ill.pk):
        assert services.check_due(now=now) == 2
        assert (balances(ill, well), put_aside("payment") - counted) == ([0, 20_00], 3)
    services.check_due(now=now + timedelta(hours=1))
    assert balances(ill, well) == [60_00, 20_00]


def test_kept_events_of_a_locked_customer_wait_and_the_others_are_applied(
    sandbox: RunningSandbox, hold_row: HoldRow
) -> None:
    ill, well = make_user("ill@example.test"), make_user("well@example.test")
    now = timezone.now()
    for user in (ill, ill, ill, well):
        make_event(paid(sandbox, user), received_at=now, next_attempt_at=now)
    counted = put_aside("gatewayevent")
    with hold_row("wallet_wallet.user_id", ill.pk):
        assert services.retry_events(now=now) == 2
        assert (balances(ill, well), put_aside("gatewayevent") - counted) == ([0, 20_00], 3)
    services.retry_events(now=now + timedelta(minutes=5))
    assert balances(ill, well) == [60_00, 20_00]
    assert set(GatewayEvent.objects.values_list("outcome", flat=True)) == {"applied"}
