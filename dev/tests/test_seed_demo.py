"""The demo's history: of every kind that the product tells of, and with books that are right."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command

from activity.events import VOCABULARY
from activity.models import Activity
from dev.sandbox.testing import RunningSandbox
from wallet.models import Wallet

pytestmark = pytest.mark.django_db(transaction=True)

# What the product has no way to do yet, and what would leave the demo's books open to question.
_NOT_THERE = {
    "refund_initiated", "refund_processing", "refund_completed", "refund_failed", "refund_cancelled",
    "payment_disputed", "payment_dispute_closed", "payment_under_review",
    "webhook_disabled", "code_viewed", "notification_resent",
}  # fmt: skip


def test_the_demo_has_every_kind_of_event_and_its_books_are_right(sandbox: RunningSandbox, settings: Any) -> None:
    settings.DEBUG = True
    call_command("seed_demo")
    assert set(VOCABULARY) - set(Activity.objects.values_list("event", flat=True)) == _NOT_THERE
    assert Wallet.objects.values_list("balance", "held").get(user__email="demo@ringfence.test") == (25_00, 0)
    call_command("verify_wallets")
    for command in ("reconcile_refunds", "reconcile_payments", "reconcile_provider"):
        call_command(command, "--dry-run")

    before = Activity.objects.count()
    call_command("seed_demo")
    assert Activity.objects.count() == before
