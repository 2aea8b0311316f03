"""What a provider should not do, and what is done about it; the doors of the background work."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone
from django.utils.module_loading import import_string

from accounts.models import User
from config.lib.errors.base import DomainError
from config.lib.remote.errors import NotFound
from dev.sandbox.testing import RunningSandbox
from verifications import providers, services
from verifications.models import TRANSITIONS, Settlement, Status, Verification
from verifications.services.transitions import InvalidTransition, transition
from verifications.tests.books import assert_balanced, money, rows

pytestmark = pytest.mark.django_db
REFUNDED = [("sms_purchase", -50), ("verification_refund", 50)]


def test_a_completion_without_a_text_is_waited_on_and_refunded_at_the_end(
    shop: RunningSandbox, waiting: Verification, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = providers.by_name("textverified")
    empty = replace(provider.fetch(waiting.provider_id), state="completed", messages=())
    monkeypatch.setattr(provider, "fetch_many", lambda ids, *, concurrency: dict.fromkeys(ids, empty))

    services.poll_due(now=timezone.now() + timedelta(seconds=3))
    waiting.refresh_from_db()
    assert waiting.status == Status.WAITING

    services.expire_due(now=waiting.expires_at + timedelta(seconds=11))
    waiting.refresh_from_db()
    assert (waiting.status, waiting.settlement) == (Status.TIMED_OUT, Settlement.LOST)
    assert rows(waiting.user) == REFUNDED


def test_a_number_that_the_provider_forgot_is_refunded_after_two_minutes(
    shop: RunningSandbox, waiting: Verification, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = providers.by_name("textverified")
    monkeypatch.setattr(provider, "fetch_many", lambda ids, *, concurrency: dict.fromkeys(ids, NotFound("404")))
    services.expire_due(now=waiting.expires_at + timedelta(seconds=11))
    services.expire_due(now=waiting.expires_at + timedelta(seconds=130))
    waiting.refresh_from_db()
    assert (waiting.status, rows(waiting.user)) == (Status.TIMED_OUT, REFUNDED)


def test_a_number_that_is_sold_twice_stays_its_first_owners(
    shop: RunningSandbox, waiting: Verification, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = providers.by_name("textverified")
    number = provider.fetch(waiting.provider_id)
    monkeypatch.setattr(provider, "purchase", lambda spec, *, key: number)
    with pytest.raises(DomainError) as caught:
        services.buy(user=waiting.user, service_name="test_pending")
    failed = Verification.objects.exclude(pk=waiting.pk).get()
    assert (caught.value.status, failed.status, failed.provider_id) == (503, Status.FAILED, "")
    assert (money(waiting.user), rows(waiting.user)) == ((950, 0), [("sms_purchase", -50)])
    assert_balanced(shop, user=waiting.user)


def test_an_answer_that_comes_after_we_gave_up_gives_its_number_back(
    shop: RunningSandbox, customer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    from verifications.services import provider_calls, purchase_outcome

    purchase = provider_calls.purchase

    def slow(verification: Verification, admission: Any) -> Any:
        number = purchase(verification, admission)
        purchase_outcome.abandon(verification=Verification.objects.get(), why="Too slow.", now=timezone.now())
        return number

    monkeypatch.setattr(provider_calls, "purchase", slow)
    with pytest.raises(DomainError):
        services.buy(user=customer, service_name="test_pending")
    services.recover_due(now=timezone.now() + timedelta(seconds=20))
    failed = Verification.objects.get()
    assert (failed.status, failed.settlement, money(customer)) == (Status.FAILED, Settlement.RETURNED, (1000, 0))
    assert_balanced(shop, user=customer)


def test_only_the_transitions_of_the_table_are_made(waiting: Verification) -> None:
    allowed = {(old, new) for old, news in TRANSITIONS.items() for new in news}
    for old in Status.values:
        for new in Status.values:
            waiting.status = old
            if (old, new) not in allowed:
                with pytest.raises(InvalidTransition):
                    transition(waiting, new, now=timezone.now())


def test_a_transition_from_a_past_status_is_not_made(waiting: Verification) -> None:
    late = Verification.objects.get()
    assert transition(waiting, Status.COMPLETED, now=timezone.now())
    assert not transition(late, Status.CANCELLED, now=timezone.now())
    assert Verification.objects.get().status == Status.COMPLETED


def test_every_job_of_this_app_in_the_schedule_is_there_and_runs(shop: RunningSandbox, waiting: Verification) -> None:
    names = [job["task"] for job in settings.CELERY_BEAT_SCHEDULE.values() if job["task"].startswith("verifications.")]
    assert len(names) == 7
    for name in names:
        assert import_string(name).run() is None
