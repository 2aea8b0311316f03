"""The boolean `cancelled_at_provider` becomes `settlement`, while the version before is still running."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from verifications.models import Verification

BEFORE = [("verifications", "0006_message_vendor_id_and_unclear")]
AFTER = [("verifications", "0008_copy_settlements")]

pytestmark = pytest.mark.django_db(transaction=True)


def migrate(target: list[tuple[str, str]]) -> None:
    MigrationExecutor(connection).migrate(target)


def as_stored(column: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM verifications_verification ORDER BY country")  # noqa: S608
        return [value for (value,) in cursor.fetchall()]


def write(country: str, assignment: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE verifications_verification SET {assignment} WHERE country = '{country}'")  # noqa: S608


@pytest.fixture
def ended(waiting: Verification) -> list[Verification]:
    """Three numbers that ended without a code, told apart by their countries."""
    return [
        Verification.objects.create(
            user=waiting.user,
            service=waiting.service,
            country=country,
            price=50,
            currency="USD",
            status="timed_out",
            charged=True,
            ended_at=timezone.now(),
        )
        for country in ("AA", "BB", "CC")
    ]


def test_each_meaning_of_the_boolean_is_kept_there_and_back(ended: list[Verification]) -> None:
    try:
        migrate(BEFORE)
        write("AA", "cancelled_at_provider = true")
        write("BB", "cancelled_at_provider = false")
        migrate(AFTER)
        assert as_stored("settlement") == ["returned", "lost", "unsettled", "unsettled"]
        write("CC", "settlement = 'lost'")
        migrate(BEFORE)
        assert as_stored("cancelled_at_provider") == [True, False, False, None]
    finally:
        migrate(AFTER)
    assert as_stored("settlement") == ["returned", "lost", "lost", "unsettled"]


def test_what_the_version_before_writes_is_seen_and_the_other_way_round(ended: list[Verification]) -> None:
    write("AA", "cancelled_at_provider = true")
    write("BB", "settlement = 'returned'")
    write("CC", "cancelled_at_provider = false")
    write("CC", "polls = polls + 1")
    assert as_stored("settlement") == ["returned", "returned", "lost", "unsettled"]
    assert as_stored("cancelled_at_provider") == [True, True, False, None]
    write("CC", "settlement = 'returned'")
    assert as_stored("cancelled_at_provider") == [True, True, True, None]
