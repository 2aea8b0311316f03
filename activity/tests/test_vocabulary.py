"""The vocabulary holds together, and record() holds to it."""

import string
from typing import Any

import pytest
from django.db import DataError

from accounts.tests.factories import make_user
from activity import events, services, wording
from activity.models import Activity
from activity.signals import activities_recorded
from activity.tests.factories import example_data, happened
from config.lib.unit_of_work import unit_of_work
from wallet.models import TransactionType

EVENTS = sorted(events.VOCABULARY)


def recorded(**event: Any) -> Activity:
    with unit_of_work():
        return services.record(**event)


def braces(template: object) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(str(template)) if name}


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_says_only_what_it_declares(name: str) -> None:
    event = events.VOCABULARY[name]

    assert (braces(event.title) | braces(event.description)) <= event.fields.keys()


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_stands_in_the_words_of_the_feed(name: str) -> None:
    event = events.VOCABULARY[name]

    assert event.activity_type in events.ACTIVITY_TYPES
    assert event.action in events.ACTIONS
    assert event.status in events.STATUSES
    assert event.actor in {events.CUSTOMER, events.STAFF, events.SYSTEM}
    assert len(name) <= 40


@pytest.mark.parametrize("name", EVENTS)
def test_no_event_has_a_place_for_a_code(name: str) -> None:
    assert not events.VOCABULARY[name].fields.keys() & {"code", "codes", "sms", "sms_text", "message", "messages"}


def test_every_transaction_type_has_exactly_one_event() -> None:
    assert events.OF_TRANSACTION.keys() == set(TransactionType.values)
    assert {event for pair in events.OF_TRANSACTION.values() for event in pair} <= set(events.VOCABULARY.values())


@pytest.mark.django_db
def test_a_recorded_event_is_what_its_row_of_the_vocabulary_says() -> None:
    user = make_user()

    activity = recorded(
        event=events.INSTANT_REFUND,
        user=user,
        data={
            "amount": "1234.50",
            "service": "WhatsApp",
            "reason": "timeout",
            "balance": "2000.00",
            "reference": "ref_1",
            "transaction": "verification:1:refund",
        },
        resource=("verification", "1"),
    )

    found = Activity.objects.values(
        "user_id", "event", "activity_type", "resource_type", "resource_id", "action", "status", "actor", "title",
        "description",
    ).get(pk=activity.pk)  # fmt: skip
    assert found == {
        "user_id": user.pk,
        "event": "instant_refund",
        "activity_type": "refund",
        "resource_type": "verification",
        "resource_id": "1",
        "action": "completed",
        "status": "completed",
        "actor": "system",
        "title": "Instant Refund",
        "description": "$1,234.50 refunded for WhatsApp (no code came in time). New balance: $2,000.00",
    }


@pytest.mark.django_db
@pytest.mark.parametrize(
    "data",
    [
        {},
        {"service": "WhatsApp", "verification": "1", "code": "123456"},
        {"service": "WhatsApp"},
        {"service": "WhatsApp", "verification": 1},
    ],
)
def test_data_that_is_not_as_declared_is_an_error(data: dict[str, str]) -> None:
    with pytest.raises(wording.BadEventData):
        recorded(event=events.VERIFICATION_COMPLETE, user=make_user(), data=data)

    assert Activity.objects.count() == 0


@pytest.mark.django_db
@pytest.mark.parametrize("balance", ["2", "2.5", "2.500", "$2.50", 2.5, None])
def test_money_is_a_string_with_two_places(balance: object) -> None:
    with pytest.raises(wording.BadEventData):
        recorded(event=events.LOW_BALANCE, user=make_user(), data={"balance": balance})


@pytest.mark.django_db
@pytest.mark.parametrize("time", ["now", "2026-11-21T12:00:00", ""])
def test_a_time_is_iso_8601_with_its_offset(time: str) -> None:
    with pytest.raises(wording.BadEventData):
        happened(make_user(), "security_signin", time=time)


@pytest.mark.django_db
@pytest.mark.parametrize("name", EVENTS)
def test_every_event_can_be_recorded_and_fits_its_row(name: str) -> None:
    activity = happened(make_user(), name)

    activity.refresh_from_db()
    assert activity.data == example_data(name)
    assert "{" not in activity.title + activity.description


@pytest.mark.django_db
def test_a_receiver_that_fails_undoes_the_event(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_kwargs: object) -> None:
        raise RuntimeError("no")

    activities_recorded.connect(fail)
    try:
        with pytest.raises(RuntimeError):
            happened(make_user())
    finally:
        activities_recorded.disconnect(fail)


def test_an_old_row_without_a_field_that_came_later_still_reads() -> None:
    shown = wording.values("low_balance", {})

    assert wording.fill("{balance} left", shown) == "… left"


@pytest.mark.django_db
def test_what_does_not_fit_its_column_is_refused_and_not_cut_off() -> None:
    with pytest.raises(DataError):
        happened(make_user(), resource=("payment", "x" * 65))
