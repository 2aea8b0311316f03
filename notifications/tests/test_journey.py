"""The journey through the real services and the sandbox: what its customer is notified of, in order."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from accounts.tests.factories import make_user
from activity.models import Activity
from config.lib import phones
from config.lib.errors.base import DomainError
from dev.sandbox.testing import RunningSandbox
from notifications.inbox import rendering, selectors, services
from notifications.models import Inbox, Notification
from verifications import services as verifications
from verifications.models import Verification
from verifications.tests.factories import make_offer
from wallet import selectors as wallets
from wallet.models import Transaction
from wallet.tests.factories import funded

pytestmark = pytest.mark.django_db
ORDER = r"POST .*/v2/verifications$"


@pytest.fixture
def customer(sandbox: RunningSandbox, settings: Any) -> User:
    """Somebody with $10.00 in a shop that sells the sandbox's services at $0.50."""
    settings.PROVIDER_TIMEOUT_SECONDS = 2
    for name in ("test_success", "test_pending", "test_timeout", "test_no_numbers"):
        make_offer(name)
    user = make_user()
    funded(user, 1_000)
    services.delete(user=user, all=True)
    return user


def notifications_of(user: User) -> list[tuple[str, str]]:
    """(type, message) of what stands in the inbox, oldest first."""
    rows = rendering.render_all(selectors.after(user=user, seq=0), user=user)
    return [(row["type"], row["message"]) for row in rows]


def bought(user: User, service: str) -> Verification:
    return verifications.buy(user=user, service_name=service).verification


def test_a_purchase_gives_three_notifications(customer: User) -> None:
    number = bought(customer, "test_pending").phone_number

    assert notifications_of(customer) == [
        ("verification_initiated", "Getting a Test_Pending number in the United States for $0.50"),
        ("credit_deducted", "$0.50 for your Test_Pending number. New balance: $9.50"),
        ("number_purchased", f"{phones.display(number)}: waiting for the code"),
    ]


def test_an_arrived_code_is_shown_and_stands_in_no_event(customer: User, sandbox: RunningSandbox) -> None:
    bought(customer, "test_success")
    sandbox.advance(4)
    verifications.poll_due(now=timezone.now() + timedelta(seconds=3))

    assert notifications_of(customer)[3:] == [("verification_complete", "Code: 123456 for Test_Success")]
    for activity in Activity.objects.all():
        assert "123456" not in f"{activity.data} {activity.title} {activity.description}"


def test_a_second_sms_has_its_own_notification_and_changes_nothing_of_the_first(
    customer: User, sandbox: RunningSandbox
) -> None:
    number = bought(customer, "test_pending")
    sandbox.sms(number.phone_number, "111111 is your code")
    verifications.poll_due(now=timezone.now() + timedelta(seconds=3))
    sandbox.sms(number.phone_number, "222222 is your new code")
    sandbox.sms(number.phone_number, "Welcome!")
    for webhook in sandbox.webhooks()[1:] * 2:
        verifications.receive_webhook(
            provider="textverified", headers=webhook["headers"], body=webhook["body"].encode()
        )

    assert notifications_of(customer)[3:] == [
        ("verification_complete", "Code: 111111 for Test_Pending"),
        ("verification_complete", "Code: 222222 for Test_Pending"),
        (
            "message_received",
            "Your Test_Pending number received an SMS without a code that we could read. Read it on the number's page",
        ),
    ]


def test_two_sms_that_come_together_are_two(customer: User, sandbox: RunningSandbox) -> None:
    number = bought(customer, "test_pending")
    sandbox.sms(number.phone_number, "Welcome!")
    sandbox.sms(number.phone_number, "222222 is your code")
    verifications.poll_due(now=timezone.now() + timedelta(seconds=3))
    assert [type_ for type_, _message in notifications_of(customer)[3:]] == [
        "message_received",
        "verification_complete",
    ]


ASKING_AGAIN = (
    "Our provider gave no clear answer for Test_Pending, so we are asking again. You pay only once the number is yours"
)


def test_a_purchase_without_a_clear_answer_is_notified_and_so_is_that_it_came(
    customer: User, sandbox: RunningSandbox
) -> None:
    sandbox.fault(ORDER, "drop_after")
    bought(customer, "test_pending")
    assert notifications_of(customer)[1:] == [("verification_unclear", ASKING_AGAIN)]

    sandbox.fault(ORDER, "forbidden_403")  # once is enough
    for seconds in (2, 60):
        verifications.recover_due(now=timezone.now() + timedelta(seconds=seconds))
    assert [type_ for type_, _message in notifications_of(customer)[2:]] == ["credit_deducted", "number_purchased"]


def test_a_purchase_without_a_clear_answer_is_notified_and_so_is_that_it_failed(
    customer: User, sandbox: RunningSandbox
) -> None:
    sandbox.fault(ORDER, "drop_before")
    bought(customer, "test_pending")
    sandbox.settings(stock={"test_pending": 0})
    verifications.recover_due(now=timezone.now() + timedelta(seconds=2))
    assert [type_ for type_, _message in notifications_of(customer)[1:]] == [
        "verification_unclear",
        "verification_failed",
    ]


def test_a_purchase_that_was_cut_off_is_notified_once_the_provider_is_silent_too(
    customer: User, sandbox: RunningSandbox
) -> None:
    sandbox.fault(ORDER, "drop_before")
    row = bought(customer, "test_pending")
    Verification.objects.filter(pk=row.pk).update(unclear_at=None)
    Notification.objects.filter(activity__event="verification_unclear").delete()
    sandbox.fault(ORDER, "error_500")
    verifications.recover_due(now=timezone.now() + timedelta(seconds=20))
    assert notifications_of(customer)[1:] == [("verification_unclear", ASKING_AGAIN)]


def test_a_purged_code_is_shown_as_dots(customer: User, sandbox: RunningSandbox, settings: Any) -> None:
    bought(customer, "test_success")
    sandbox.advance(4)
    verifications.poll_due(now=timezone.now() + timedelta(seconds=3))
    verifications.purge(now=timezone.now() + timedelta(hours=settings.PURGE_AFTER_HOURS + 1))

    assert notifications_of(customer)[3:] == [("verification_complete", "Code: •••••• for Test_Success")]


def test_a_cancel_notifies_of_the_refund_and_the_cancel(customer: User, sandbox: RunningSandbox) -> None:
    verification = bought(customer, "test_pending")
    sandbox.advance(120)
    verifications.cancel(user=customer, verification_id=verification.pk)

    assert notifications_of(customer)[3:] == [
        ("instant_refund", "$0.50 refunded for Test_Pending (cancelled). New balance: $10.00"),
        ("verification_cancelled", "Test_Pending cancelled. $0.50 refunded. New balance: $10.00"),
    ]


def test_a_timeout_notifies_of_the_refund_and_the_timeout(
    customer: User, sandbox: RunningSandbox, settings: Any
) -> None:
    verification = bought(customer, "test_timeout")
    sandbox.advance(60 * 60)
    verifications.expire_due(now=verification.expires_at + timedelta(seconds=settings.EXPIRY_GRACE_SECONDS + 1))

    assert notifications_of(customer)[3:] == [
        ("instant_refund", "$0.50 refunded for Test_Timeout (no code came in time). New balance: $10.00"),
        ("verification_timeout", "No Test_Timeout code came in time"),
    ]


def test_a_refusal_says_that_nothing_was_charged(customer: User) -> None:
    with pytest.raises(DomainError):
        bought(customer, "test_no_numbers")

    kinds = [kind for kind, _ in notifications_of(customer)]
    assert kinds == ["verification_initiated", "verification_failed"]
    assert wallets.balance_of(user=customer).available == 1_000


def test_a_long_wait_is_notified_once(customer: User, settings: Any) -> None:
    bought(customer, "test_pending")
    later = timezone.now() + timedelta(seconds=settings.PROGRESS_AFTER_SECONDS + 1)

    for _ in range(2):
        verifications.notify_progress(now=later)

    assert notifications_of(customer)[3:] == [("verification_progress", "Still waiting for your Test_Pending code")]


def test_while_notifying_fails_money_moves_and_the_sweeper_adds_it_all(
    customer: User, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("notifications.inbox.services.notifying._INSERT", "SELECT nonsense")
        verification = bought(customer, "test_pending")
        sandbox.advance(120)
        verifications.cancel(user=customer, verification_id=verification.pk)
    assert notifications_of(customer) == []

    services.repair(now=timezone.now() + timedelta(minutes=2))

    assert [kind for kind, _ in notifications_of(customer)] == [
        "verification_initiated",
        "credit_deducted",
        "number_purchased",
        "instant_refund",
        "verification_cancelled",
    ]
    assert wallets.balance_of(user=customer).balance == 1_000


def test_every_journal_row_has_its_event_and_its_place_in_the_inbox(customer: User, sandbox: RunningSandbox) -> None:
    verification = bought(customer, "test_pending")
    sandbox.advance(120)
    verifications.cancel(user=customer, verification_id=verification.pk)

    journal = set(Transaction.objects.values_list("reference", flat=True))
    events = Activity.objects.exclude(data__transaction=None)
    assert sorted(row.data["transaction"] for row in events) == sorted(journal)
    assert Notification.objects.filter(activity__in=events).count() == len(journal)
    inbox = Inbox.objects.get(user=customer)
    numbers = Notification.objects.filter(user=customer).order_by("seq").values_list("seq", flat=True)
    assert list(numbers) == list(range(1, inbox.seq + 1))
