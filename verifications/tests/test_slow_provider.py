"""A provider that is slow rather than dead: nobody waits long, nothing is lost, nothing is bought twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import services as accounts
from accounts.models import User
from config.lib.remote.bulkhead import bulkhead
from dev.sandbox.testing import RunningSandbox
from dev.testing.live import until
from verifications import errors, providers, services
from verifications.models import Status, Verification
from verifications.services import end
from verifications.tests.books import assert_balanced, money, rows
from verifications.tests.factories import make_offer

pytestmark = pytest.mark.django_db(transaction=True)
ORDER = "POST .*/v2/verifications$"
CANCEL = "POST .*/cancel$"
CHARGED = [("sms_purchase", -50)]


@pytest.fixture
def impatient(shop: RunningSandbox, settings: Any) -> Iterator[RunningSandbox]:
    """Customers wait 0.3 s, calls may take 5 s; what was left behind has ended when the test ends."""
    settings.VENDOR_PATIENCE_SECONDS = 0.3
    settings.PROVIDER_TIMEOUT_SECONDS = 5
    yield shop
    shop.mend()
    for operation in ("purchase", "cancel", "quote"):
        until(lambda operation=operation: not bulkhead("textverified", operation).taken, "all calls have ended")  # type: ignore[misc]


@pytest.fixture
def api(customer: User) -> APIClient:
    _key, secret = accounts.create_api_key(user=customer, name="tests")
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


def recover(seconds: float) -> None:
    services.recover_due(now=timezone.now() + timedelta(seconds=seconds))


def test_a_slow_order_is_answered_as_requested_and_bought_once(
    impatient: RunningSandbox, api: APIClient, customer: User
) -> None:
    impatient.fault(ORDER, "slow:0.8")
    answer = api.post("/api/v1/verify/create", {"service_name": "test_pending"})
    assert (answer.status_code, answer.data["status"], money(customer)) == (201, "requested", (1000, 50))

    recover(2)  # while the first order is still on its way
    until(lambda: not bulkhead("textverified", "purchase").taken, "the order that was left behind has ended")
    for seconds in (10, 60, 120):
        recover(seconds)
    assert (Verification.objects.get().status, rows(customer)) == (Status.WAITING, CHARGED)
    assert len(impatient.ledger()["numbers"]) == 1
    assert_balanced(impatient, user=customer)


def test_a_slow_order_is_no_failure_to_the_breaker(impatient: RunningSandbox, customer: User) -> None:
    impatient.fault(ORDER, "slow:0.8", times=6)
    for _ in range(6):
        services.buy(user=customer, service_name="test_pending")
    until(lambda: not bulkhead("textverified", "purchase").taken, "all orders have ended")
    assert providers.purchase_breaker("test_pending").state().failures == 0


def test_past_the_bulkhead_a_purchase_is_left_to_recovery_without_being_asked(
    impatient: RunningSandbox, api: APIClient, customer: User, settings: Any
) -> None:
    settings.VENDOR_PLACES = {**settings.VENDOR_PLACES, "purchase": 1}
    impatient.fault(ORDER, "slow:1")
    services.buy(user=customer, service_name="test_success")
    began = timezone.now()
    answer = api.post("/api/v1/verify/create", {"service_name": "test_pending"})
    assert (answer.status_code, answer.data["status"]) == (201, "requested")
    left = Verification.objects.get(service__name="test_pending")
    assert left.next_recovery_at is not None
    assert (left.next_recovery_at >= began, left.next_recovery_at <= timezone.now()) == (True, True)
    assert sum("test_pending" in entry["body"] for entry in impatient.request_log()) == 0

    impatient.mend()
    recover(2)
    left.refresh_from_db()
    assert left.status == Status.WAITING


def test_a_slow_cancel_is_answered_as_pending_and_refunds_once(
    impatient: RunningSandbox, waiting: Verification, api: APIClient
) -> None:
    impatient.fault(CANCEL, "slow:0.8")
    answer = api.post(f"/api/v1/verify/{waiting.pk}/cancel")
    assert (answer.status_code, answer.data["status"]) == (202, "waiting")
    shown = api.get(f"/api/v1/verify/{waiting.pk}").data
    assert (shown["status"], shown["cancelling"]) == ("waiting", True)

    recover(3)  # while the first cancel is still on its way
    until(lambda: not bulkhead("textverified", "cancel").taken, "the cancel that was left behind has ended")
    for seconds in (20, 60, 120):
        recover(seconds)
    shown = api.get(f"/api/v1/verify/{waiting.pk}").data
    assert (shown["status"], shown["cancelling"]) == ("cancelled", False)
    assert rows(waiting.user) == [*CHARGED, ("verification_refund", 50)]
    assert_balanced(impatient, user=waiting.user)


def test_past_the_bulkhead_a_cancel_is_pending_without_being_asked(
    impatient: RunningSandbox, waiting: Verification, settings: Any
) -> None:
    settings.VENDOR_PLACES = {**settings.VENDOR_PLACES, "cancel": 1}
    with bulkhead("textverified", "cancel").place():
        cancellation = services.cancel(user=waiting.user, verification_id=waiting.pk)
    assert (cancellation.pending, [line for line in impatient.requests() if "cancel" in line]) == (True, [])
    recover(1)
    waiting.refresh_from_db()
    assert waiting.status == Status.CANCELLED


def test_a_price_that_can_not_be_asked_for_says_when_to_try_again(
    impatient: RunningSandbox, api: APIClient, settings: Any
) -> None:
    settings.VENDOR_PLACES = {**settings.VENDOR_PLACES, "quote": 1}
    make_offer("whatsapp", cost=None, price=None, quoted_at=None)
    with bulkhead("textverified", "quote").place():
        answer = api.get("/api/v1/services/whatsapp")
    assert (answer.status_code, answer.data["code"], answer["Retry-After"]) == (503, "provider_unavailable", "2")


# --- each operation has a breaker of its own


def failing(shop: RunningSandbox, where: str) -> None:
    shop.fault(where, "error_500", times=1000)


def states() -> dict[str, str]:
    return {state.name.removeprefix("textverified:"): state.state for state in providers.breaker_states()}


def opened() -> set[str]:
    return {name for name, state in states().items() if state == "open"}


def test_failing_cancels_stop_nothing_but_cancels(shop: RunningSandbox, customer: User) -> None:
    numbers = [services.buy(user=customer, service_name="test_pending").verification for _ in range(9)]
    failing(shop, CANCEL)
    for number in numbers[:8]:
        assert services.cancel(user=customer, verification_id=number.pk).pending
    assert opened() == {"cancel"}

    shop.sms(numbers[8].phone_number, "482913 is your code")
    services.poll_due(now=timezone.now() + timedelta(seconds=4))
    numbers[8].refresh_from_db()
    assert numbers[8].status == Status.COMPLETED


def test_failing_reports_stop_nothing_but_reports(shop: RunningSandbox, customer: User, settings: Any) -> None:
    settings.BREAKER_SUBJECTS = 1
    number = services.buy(user=customer, service_name="test_pending").verification
    failing(shop, "POST .*/report$")
    for _ in range(8):
        end.report_many([number])
    assert opened() == {"report"}
    asked = len([line for line in shop.requests() if "/report" in line])
    end.report_many([number])
    assert len([line for line in shop.requests() if "/report" in line]) == asked == 5


def test_unknown_orders_of_one_service_refuse_that_service_alone(
    shop: RunningSandbox, customer: User, settings: Any
) -> None:
    make_offer("whatsapp")
    shop.fault(ORDER, "error_500", times=1000, body='"whatsapp"')
    for _ in range(settings.BREAKER_FAILURES):
        services.buy(user=customer, service_name="whatsapp")
    with pytest.raises(errors.ProviderUnavailable) as caught:
        services.buy(user=customer, service_name="whatsapp")
    assert 0 < caught.value.extra["retry_after"] <= settings.BREAKER_RESET_SECONDS
    assert opened() == {"purchase:whatsapp"}
    assert services.buy(user=customer, service_name="test_pending").verification.status == Status.WAITING


def test_recovery_counts_on_no_breaker_and_takes_no_trial(shop: RunningSandbox, customer: User, settings: Any) -> None:
    settings.BREAKER_SUBJECTS = 1
    failing(shop, ORDER)
    failing(shop, CANCEL)
    number = services.buy(user=customer, service_name="test_pending").verification
    for seconds in range(20, 400, 40):
        recover(seconds)
    assert (providers.purchase_breaker().state().failures, opened()) == (1, set())
    asked = [entry for entry in shop.request_log() if entry["key"] == str(number.pk)]
    assert len(asked) > settings.BREAKER_FAILURES

    settings.BREAKER_RESET_SECONDS = 0
    for _ in range(settings.BREAKER_FAILURES):
        providers.purchase_breaker("test_pending").failure()
    recover(450)
    providers.purchase_breaker("test_pending").check()  # the trial is still there
    shop.mend()
    recover(560)
    number.refresh_from_db()
    assert (number.status, providers.purchase_breaker("test_pending").state().failures) == (Status.WAITING, 6)
