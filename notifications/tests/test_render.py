"""How a notification reads, at the moment it is shown."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from accounts.tests.factories import make_user
from activity.models import Activity
from activity.tests.factories import happened, make_verification
from dev.testing.signals import send
from notifications.catalog import CATALOG
from notifications.inbox import rendering, selectors
from notifications.models import Notification
from verifications.models import Message, Verification
from verifications.signals import message_arrived, verification_completed

pytestmark = pytest.mark.django_db
MOMENT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def shown(activity: Activity) -> dict[str, Any]:
    return dict(rendering.render(Notification.objects.get(activity=activity)))


def message_of(user: User, event: str, **data: str) -> str:
    return str(shown(happened(user, event, **data))["message"])


def arrived(user: User, code: str = "123456") -> Verification:
    verification = make_verification(user, status="completed")
    message = Message.objects.create(
        verification=verification, digest=code or "none", text=f"Your code is {code}", code=code, received_at=MOMENT
    )
    send(verification_completed, sender=Verification, verification=verification, message=message)
    return verification


def test_a_notification_is_all_that_a_page_needs() -> None:
    user = make_user()
    activity = happened(user, "payment_completed", amount="20.00", balance="45.00", resource=("payment", "pay_1"))
    row = Notification.objects.get()

    assert rendering.render(row) == {
        "id": row.pk,
        "seq": 1,
        "type": "payment_completed",
        "category": "payment",
        "priority": "critical",
        "title": "Payment Successful",
        "message": "$20.00 added. New balance: $45.00",
        "link": "/wallet",
        "icon": "✅",
        "is_read": False,
        "created_at": activity.created_at.isoformat().replace("+00:00", "Z"),
    }


@pytest.mark.parametrize(
    ("event", "data", "message"),
    [
        (
            "verification_initiated",
            {"service": "WhatsApp", "country": "US", "cost": "2.50"},
            "Getting a WhatsApp number in the United States for $2.50",
        ),
        ("number_purchased", {"phone": "+12065550100"}, "+1 206 555 0100: waiting for the code"),
        (
            "credit_deducted",
            {"amount": "2.50", "reason": "your WhatsApp number", "balance": "22.50"},
            "$2.50 for your WhatsApp number. New balance: $22.50",
        ),
        ("verification_timeout", {"service": "WhatsApp"}, "No WhatsApp code came in time"),
        (
            "instant_refund",
            {"amount": "2.50", "service": "WhatsApp", "reason": "timeout", "balance": "25.00"},
            "$2.50 refunded for WhatsApp (no code came in time). New balance: $25.00",
        ),
        (
            "verification_failed",
            {"why": "There is no number left"},
            "There is no number left. Your credits were not charged. Try again, or pick another service",
        ),
        ("low_balance", {"balance": "1.50"}, "$1.50 left. Add credits to continue"),
    ],
)
def test_a_message_is_filled_from_the_events_data(event: str, data: dict[str, str], message: str) -> None:
    assert message_of(make_user(), event, **data) == message


@pytest.mark.parametrize("event", sorted(CATALOG))
def test_every_message_of_the_catalogue_renders_whole(event: str) -> None:
    user = make_user()
    verification = make_verification(user)

    row = shown(happened(user, event, link="/help", resource=("verification", str(verification.pk))) if event ==
                "announcement" else happened(user, event, resource=("verification", str(verification.pk))))  # fmt: skip

    assert row["title"]
    assert row["message"]
    assert not set("{}…") & set(row["title"] + row["message"].replace("code…", "code"))


def test_a_time_is_shown_in_the_customers_own_zone() -> None:
    user = make_user(time_zone="Asia/Tokyo")

    message = message_of(user, "security_signin", device="Firefox", place="203.0.113.9", time=MOMENT.isoformat())

    assert message == "Firefox from 203.0.113.9 at 21 Nov 2026, 21:00. Not you? Change your password"


def test_a_code_is_read_from_the_verification_when_shown() -> None:
    user = make_user()
    verification = arrived(user)

    activity = Activity.objects.get(event="verification_complete")
    row = shown(activity)

    assert (row["message"], row["link"]) == ("Code: 123456 for WhatsApp", f"/verify/{verification.pk}")


def test_a_purged_code_shows_as_dots() -> None:
    user = make_user()
    verification = arrived(user)
    Message.objects.filter(verification=verification).update(text="", code="")

    assert shown(Activity.objects.get(event="verification_complete"))["message"] == "Code: •••••• for WhatsApp"


def test_a_message_without_a_code_is_not_shown_as_one() -> None:
    verification = arrived(make_user(), code="")

    row = shown(Activity.objects.get(event="message_received"))

    assert row["title"] == "SMS Received"
    assert (
        row["message"]
        == "Your WhatsApp number received an SMS without a code that we could read. Read it on the number's page"
    )
    assert row["link"] == f"/verify/{verification.pk}"


def test_no_code_stands_in_any_event() -> None:
    arrived(make_user(), "908172")

    for activity in Activity.objects.all():
        assert "908172" not in f"{activity.data} {activity.title} {activity.description}"


def test_an_event_that_the_catalogue_no_longer_has_still_reads() -> None:
    activity = happened(make_user(), "low_balance", balance="1.50")
    Activity.objects.update(event="retired", title="Low Balance", description="$1.50 left")

    assert (shown(activity)["title"], shown(activity)["message"], shown(activity)["link"]) == (
        "Low Balance",
        "$1.50 left",
        "/activity",
    )


@pytest.mark.parametrize("times", [1, 3])
def test_a_page_with_codes_is_one_more_query_however_long(times: int, django_assert_num_queries: Any) -> None:
    user = make_user()
    for number in range(times):
        arrived(user, f"00000{number}")

    with django_assert_num_queries(2):
        rows = rendering.render_all(selectors.visible(user=user), user=user)

    assert [row["message"] for row in rows] == [f"Code: 00000{n} for WhatsApp" for n in reversed(range(times))]


def test_a_second_code_does_not_change_what_the_first_s_notification_says() -> None:
    user = make_user()
    verification = arrived(user, "111111")
    first = Activity.objects.get(event="verification_complete")
    message = Message.objects.create(
        verification=verification, digest="later", text="t", code="222222", received_at=timezone.now() + timedelta(1)
    )
    send(message_arrived, sender=Verification, verification=verification, message=message)
    second = Activity.objects.exclude(pk=first.pk).get()

    assert [shown(row)["message"] for row in (first, second)] == [
        "Code: 111111 for WhatsApp",
        "Code: 222222 for WhatsApp",
    ]


def test_an_event_that_names_no_message_shows_the_newest_code() -> None:
    """As those from before messages were named."""
    user = make_user()
    arrived(user, "111111")
    activity = Activity.objects.get(event="verification_complete")
    Activity.objects.update(data={"service": "WhatsApp", "verification": activity.resource_id})
    assert shown(Activity.objects.get())["message"] == "Code: 111111 for WhatsApp"
