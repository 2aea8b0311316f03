"""How long until something may be done again."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import PolicyAcceptance
from accounts.tests.factories import make_user
from config.lib.limiter import seconds_to_wait

NOW = timezone.now()


def ago(*minutes: float) -> list[datetime]:
    return [NOW - timedelta(minutes=number) for number in minutes]


@pytest.mark.parametrize(
    ("times", "seconds"),
    [
        ([], 0),
        (ago(1, 2), 0),
        (ago(1, 2, 30), 1800),
        (ago(1, 2, 30, 50), 1800),
        (ago(1, 2, 60), 0),
        (ago(1, 2, 59.999), 1),
    ],
)
def test_the_oldest_of_as_many_as_may_be_done_decides(times: list[datetime], seconds: int) -> None:
    assert seconds_to_wait(times, limit=3, now=NOW) == seconds


def test_below_a_limit_of_nothing_nothing_fits() -> None:
    assert seconds_to_wait([], limit=0, now=NOW) == 3600


@pytest.mark.django_db
def test_of_a_query_one_row_is_read(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    user = make_user(accepted=False)
    for number, moment in enumerate(ago(10, 20, 40)):
        PolicyAcceptance.objects.create(user=user, version=str(number), accepted_at=moment)
    times = PolicyAcceptance.objects.order_by("-accepted_at").values_list("accepted_at", flat=True)
    with django_assert_num_queries(1) as queries:
        assert [seconds_to_wait(times, limit=2, now=NOW)] == [2400]
    assert "LIMIT 1 OFFSET 1" in queries.captured_queries[0]["sql"]
