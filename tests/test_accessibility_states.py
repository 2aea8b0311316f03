"""axe on what pages look like between: each state of a number and of a payment, refusals, selections, toasts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from accounts import services as accounts
from activity.tests.factories import happened
from config.lib.unit_of_work import unit_of_work
from payments.models import Payment, PaymentStatus
from payments.tests.factories import make_payment
from tests.people import customer, sign_in
from tests.test_accessibility import SIZES, Auditor, audit, catalogue  # noqa: F401  fixtures
from verifications.models import Message, Service, Status, Verification
from wallet import services as wallet

if TYPE_CHECKING:
    from accounts.models import User
    from dev.testing.browser import Console
    from dev.testing.live import LiveStack

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
Audit = Callable[[tuple[int, int]], Auditor]
NOW = timezone.now


def numbers(user: User) -> list[Verification]:
    """A number in each state that is not made easily, as the services would leave it."""
    service = Service.objects.get(name="test_pending")

    def number(status: str = Status.WAITING, **fields: object) -> Verification:
        ended = None if status in {Status.REQUESTED, Status.WAITING} else NOW()
        known = {"phone_number": "7195550100", "charged": True, "expires_at": NOW() + timedelta(minutes=9)}
        of_number = {"user": user, "service": service, "country": "US", "price": 50, "currency": "USD"}
        return Verification.objects.create(**{**of_number, **known, "status": status, "ended_at": ended, **fields})

    nothing = {"phone_number": "", "charged": False, "expires_at": None}
    several = number(Status.COMPLETED)
    for place, (text, code) in enumerate((("Welcome!", ""), ("Code 123456", "123456"), ("Code 654321", "654321"))):
        Message.objects.create(
            verification=several, digest=str(place), sender="22000", text=text, code=code, received_at=NOW()
        )
    return [
        number(Status.REQUESTED, **nothing),
        number(Status.REQUESTED, **nothing, cancel_requested_at=NOW()),
        number(progress_told_at=NOW()),
        number(cancel_requested_at=NOW()),
        number(Status.TIMED_OUT, failure_reason="No code arrived in time."),
        number(Status.FAILED, failure_reason="The provider ended this number before a code came."),
        number(Status.FAILED, **nothing, failure_reason="No number is available for this service just now."),
        number(Status.COMPLETED, purged_at=NOW()),
        several,
    ]


@pytest.mark.parametrize("size", SIZES)
def test_axe_finds_nothing_in_any_state_of_a_number_or_a_payment(
    live: LiveStack,
    audit: Audit,  # noqa: F811
    catalogue: None,  # noqa: F811
    size: tuple[int, int],
) -> None:
    auditor, user = audit(size), customer(cents=20_00)
    sign_in(auditor.page, user)
    auditor.visit(*(f"/verify/{number.pk}" for number in numbers(user)), "/", "/history")
    states = [
        {"status": PaymentStatus.COMPLETED, "completed_at": NOW()},
        {"status": PaymentStatus.FAILED, "failure_reason": "The card was declined."},
        {"status": PaymentStatus.EXPIRED},
        {"status": PaymentStatus.FAILED, "mismatch": {"paid_amount": "10.00", "paid_currency": "USD"}},
    ]
    for state in states:
        payment = make_payment(user)
        Payment.objects.filter(pk=payment.pk).update(**state)
        auditor.visit(f"/payments/{payment.reference}")
    assert auditor.complaints == []


@pytest.mark.parametrize("size", SIZES)
def test_axe_finds_nothing_while_one_buys_and_is_refused(
    live: LiveStack,
    console: Console,
    audit: Audit,  # noqa: F811
    catalogue: None,  # noqa: F811
    size: tuple[int, int],
) -> None:
    console.expect("409")  # of the purchase that is refused
    auditor, user = audit(size), customer(cents=60)
    page = auditor.page
    sign_in(page, user)
    page.goto("/buy")
    star = page.get_by_role("button", name="Discord is a favourite")
    star.click()
    page.locator("#favourites li").wait_for()
    auditor.look("the shop with a favourite")
    page.goto("/buy/test_no_numbers")
    page.get_by_role("button", name="Buy for").click()
    page.get_by_role("alert").filter(has_text="No number is available").wait_for()
    auditor.look("nothing in stock")
    auditor.visit("/", "/buy/telegram", "/buy/telegram?area_code=12", "/buy/telegram?area_code=212", "/buy?q=paypal")
    with unit_of_work():
        wallet.hold(user=user, amount=50, reference="test:hold", description="Telegram")
    auditor.visit("/", "/wallet")
    accounts.set_purchases_frozen(user=user, frozen=True, reason="a disputed payment", now=timezone.now())
    auditor.visit("/buy/telegram")
    assert auditor.complaints == []


@pytest.mark.parametrize("size", SIZES)
def test_axe_finds_nothing_in_the_centre_at_work(live: LiveStack, audit: Audit, size: tuple[int, int]) -> None:  # noqa: F811
    auditor, user = audit(size), customer(cents=20_00)
    page = auditor.page
    sign_in(page, user)
    page.goto("/notifications")
    page.locator("[data-realtime-state=live]").wait_for()
    page.locator(".inbox-row").get_by_role("checkbox").first.check()
    page.get_by_text("Filter, sort, export").click()
    auditor.look("rows that are selected")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").wait_for()
    auditor.look("what is asked before deleting")
    page.keyboard.press("Escape")
    happened(user, "credit_added")
    page.locator(".toast").first.wait_for()
    auditor.look("a toast")
    assert auditor.complaints == []
