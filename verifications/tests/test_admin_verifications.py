"""The console shows verifications, and not what was in their texts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.tests.factories import make_user
from dev.sandbox.testing import RunningSandbox
from verifications import providers, services
from verifications.models import Message, Verification

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(make_user(is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def completed(shop: RunningSandbox, waiting: Verification) -> Verification:
    shop.sms(waiting.phone_number, "987654 is your code")
    services.poll_due(now=timezone.now() + timedelta(seconds=3))
    return waiting


def pages(verification: Verification) -> list[str]:
    message = Message.objects.get()
    return [
        reverse("admin:verifications_verification_changelist"),
        reverse("admin:verifications_verification_change", args=[verification.pk]),
        reverse("admin:verifications_message_changelist"),
        reverse("admin:verifications_message_change", args=[message.pk]),
    ]


def test_staff_see_verifications_without_texts_and_codes(staff: Client, completed: Verification) -> None:
    for path in pages(completed):
        answer = staff.get(path)
        assert (answer.status_code, b"987654" in answer.content) == (200, False), path


def test_nothing_can_be_changed_there(staff: Client, completed: Verification) -> None:
    for path in pages(completed)[1::2]:
        assert staff.post(path, {"status": "failed"}).status_code == 403
    assert staff.get(reverse("admin:verifications_verification_add")).status_code == 403


@pytest.mark.parametrize("search", ["whatever", "example.test", "987654"])
def test_any_search_is_answered(staff: Client, completed: Verification, search: Any) -> None:
    for name in ("verification", "message"):
        assert staff.get(reverse(f"admin:verifications_{name}_changelist"), {"q": search}).status_code == 200


def test_a_verification_is_found_by_its_id(staff: Client, completed: Verification) -> None:
    answer = staff.get(reverse("admin:verifications_verification_changelist"), {"q": str(completed.pk)})
    assert completed.phone_number.encode() in answer.content


def test_a_verification_says_its_price_in_dollars(staff: Client, waiting: Verification) -> None:
    Verification.objects.filter(pk=waiting.pk).update(price=9_876_543_21)
    page = staff.get(reverse("admin:verifications_verification_change", args=[waiting.pk])).content.decode()
    assert ("$9,876,543.21" in page, "987654321" in page) == (True, False)


def test_staff_see_how_each_operation_of_the_provider_stands(staff: Client, shop: RunningSandbox) -> None:
    for _ in range(5):
        providers.purchase_breaker("whatsapp").failure()
    answer = staff.get(reverse("admin:verifications_verification_changelist"))
    shown = {str(row[0]): (str(row[1]), row[2], bool(row[3])) for row in answer.context["breakers"]["rows"]}
    assert {name: shown[name] for name in shown if name.startswith("textverified")} == {
        **{f"textverified:{name}": ("works", 0, False) for name in ("cancel", "catalogue", "fetch", "quote", "report")},
        "textverified:purchase": ("works", 5, False),
        "textverified:purchase:whatsapp": ("refused: it doesn't answer", 5, True),
    }
    assert b"textverified:purchase:whatsapp" in answer.content
