"""Tickets: once, in time, and only their hash at rest."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.services import create_api_key, digest
from accounts.tests.factories import make_user
from notifications.models import Ticket
from notifications.sockets import tickets


@pytest.fixture
def now():
    return timezone.now()


def issue(user, now):
    return tickets.issue(user=user, api_key=None, session_key="s" * 32, now=now)


@pytest.mark.django_db
def test_a_ticket_is_good_once(now):
    ticket, secret = issue(make_user(), now)
    assert tickets.redeem(secret=secret, now=now) == ticket
    assert tickets.redeem(secret=secret, now=now) is None


@pytest.mark.django_db
def test_a_ticket_is_good_for_its_time_and_no_longer(now, settings):
    _, secret = issue(make_user(), now)
    assert tickets.redeem(secret=secret, now=now + timedelta(seconds=settings.TICKET_SECONDS)) is None
    assert tickets.redeem(secret=secret, now=now + timedelta(seconds=settings.TICKET_SECONDS - 1)) is not None


@pytest.mark.django_db
def test_a_wrong_ticket_is_nobodys(now):
    assert tickets.redeem(secret="rft_wrong", now=now) is None


@pytest.mark.django_db
def test_only_the_hash_is_kept(now):
    ticket, secret = issue(make_user(), now)
    assert ticket.digest == digest(secret)
    assert secret not in str(Ticket.objects.values().get())


@pytest.mark.django_db
def test_the_ticket_of_a_key_names_the_key_and_no_session(now):
    user = make_user()
    key, _ = create_api_key(user=user, name="bot")
    ticket, _ = tickets.issue(user=user, api_key=key, session_key="s" * 32, now=now)
    assert (ticket.api_key, ticket.session_key) == (key, "")


@pytest.mark.django_db
def test_a_customers_old_tickets_are_removed_with_the_next(now):
    user = make_user()
    issue(user, now)
    issue(user, now + timedelta(hours=2))
    assert Ticket.objects.count() == 1


@pytest.mark.races
@pytest.mark.drill
@pytest.mark.django_db(transaction=True)
def test_of_thirty_who_use_one_ticket_at_once_one_gets_in(in_threads, now):
    _, secret = issue(make_user(), now)
    answers = in_threads(lambda: tickets.redeem(secret=secret, now=now), times=30)
    assert sum(answer is not None for answer in answers) == 1
