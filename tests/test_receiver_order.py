"""The order of INSTALLED_APPS, in which receivers connect, decides nothing that matters."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import pytest
from django.db import transaction
from django.dispatch import Signal
from django.utils import timezone

import accounts.signals
import activity.signals
import payments.signals
import refunds.signals
import verifications.signals
import wallet.signals
from accounts.tests.factories import make_user
from activity.models import Activity
from notifications.models import Notification
from refunds.tests.factories import bought
from verifications.models import Settlement, Status
from verifications.services.end import end
from wallet.models import Wallet
from wallet.tests.factories import funded

MODULES = (accounts.signals, wallet.signals, payments.signals, verifications.signals, refunds.signals, activity.signals)


def signals_of(modules: tuple[ModuleType, ...]) -> Iterator[Signal]:
    for module in modules:
        yield from (found for found in vars(module).values() if isinstance(found, Signal))


@pytest.fixture(params=["as installed", "the other way round"])
def _connected(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "as installed":
        return
    for signal in signals_of(MODULES):
        monkeypatch.setattr(signal, "receivers", signal.receivers[::-1])


@pytest.mark.django_db
@pytest.mark.usefixtures("_connected")
def test_an_end_refunds_first_whatever_the_order_of_its_receivers() -> None:
    user = make_user()
    funded(user, 1000)
    verification = bought(user, price=250)
    before = Activity.objects.filter(user=user).count()

    with transaction.atomic():
        end(verification=verification, to=Status.CANCELLED, now=timezone.now(), settlement=Settlement.RETURNED)

    rows = list(Activity.objects.filter(user=user).order_by("pk"))[before:]
    assert [row.event for row in rows] == ["instant_refund", "verification_cancelled"]
    assert rows[1].data == {"service": "WhatsApp", "amount": "2.50", "balance": "10.00"}
    notified = Notification.objects.filter(user=user, activity__in=rows).order_by("seq")
    assert [row.activity_id for row in notified] == [row.pk for row in rows]
    assert Wallet.objects.get(user=user).balance == 1000
