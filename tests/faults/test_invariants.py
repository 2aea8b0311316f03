"""The drills' own measure: it says nothing where all is well, and sees each kind of damage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.db.models import F
from django.utils import timezone

from accounts.models import User
from dev.sandbox.testing import RunningSandbox
from notifications.models import Notification
from payments.models import Payment
from payments.services import initiate, settle
from refunds.models import Refund
from tests.faults.invariants import assert_invariants, violations
from tests.people import customer
from verifications import services
from verifications.models import Verification
from verifications.tests.factories import make_offer
from wallet.models import Hold, Wallet

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def user(sandbox: RunningSandbox, settings: Any) -> User:
    settings.TEXTVERIFIED_BASE_URL = f"{sandbox.textverified_url}/{uuid4().hex}/.."  # the adapter begins anew
    make_offer("test_pending")
    return customer(cents=10_00)


@pytest.fixture
def journey(user: User, sandbox: RunningSandbox) -> None:
    """One of each: waiting, cancelled, topped up."""
    services.buy(user=user, service_name="test_pending")
    cancelled = services.buy(user=user, service_name="test_pending").verification
    services.cancel(user=user, verification_id=cancelled.pk)
    payment = initiate(user=user, amount=20_00, now=timezone.now()).payment
    sandbox.pay(payment.reference)
    settle(payment=payment, now=timezone.now())


def test_a_whole_journey_violates_nothing(journey: None, sandbox: RunningSandbox) -> None:
    assert_invariants(sandbox)


DAMAGE: dict[str, Callable[[], object]] = {
    "verify_wallets": lambda: Wallet.objects.update(balance=F("balance") + 1),
    "money back, refunds, held": lambda: Refund.objects.all().delete(),
    "rows in the inbox": lambda: Notification.objects.filter(activity__event="instant_refund").delete(),
    "completed are": lambda: Payment.objects.update(status="expired", completed_at=None),
    "is nobody's": lambda: Verification.objects.filter(status="waiting").update(provider_id=""),
    "has the number": lambda: Verification.objects.filter(status="waiting").update(provider_id="lr_unheard_of"),
    "has no next step": lambda: Verification.objects.filter(status="waiting").update(next_poll_at=None),
    "without a verification": lambda: Hold.objects.filter(pk=Hold.objects.earliest("pk").pk).update(
        status="active", resolved_at=None, reference="verification:nobody"
    ),
}


@pytest.mark.parametrize("sentence", DAMAGE)
def test_damage_is_seen(journey: None, sandbox: RunningSandbox, sentence: str) -> None:
    DAMAGE[sentence]()
    assert sentence in "\n".join(violations(sandbox))


def test_money_that_was_paid_and_not_credited_is_seen(user: User, sandbox: RunningSandbox) -> None:
    payment = initiate(user=user, amount=20_00, now=timezone.now()).payment
    sandbox.pay(payment.reference)
    assert "paid is" in "\n".join(violations(sandbox))


def test_a_number_that_was_sold_and_not_adopted_is_seen(user: User, sandbox: RunningSandbox) -> None:
    sandbox.fault("POST /textverified/api/pub/v2/verifications$", "drop_after")
    services.buy(user=user, service_name="test_pending")
    assert "is nobody's" in "\n".join(violations(sandbox))
