"""How templates show amounts, numbers, days, code and keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from config.templatetags.formatting import backticks, by_day, groups_of_four, phone_parts, signed_money, tile


def test_a_us_number_comes_apart_without_a_character_more() -> None:
    assert phone_parts("7195550100") == ["719", "555", "0100"]
    assert "".join(phone_parts("7195550100")) == "7195550100"


def test_another_number_stays_whole_and_none_is_nothing() -> None:
    assert phone_parts("+351912345678") == ["+351912345678"]
    assert phone_parts("") == []


def test_a_service_always_has_the_same_tile() -> None:
    assert tile("WhatsApp") == tile("WhatsApp")
    assert {tile(name) for name in "abcdefghijklmnopqrstuvwxyz"} <= {1, 2, 3, 4, 5}


def test_money_that_leaves_has_a_true_minus() -> None:
    assert [signed_money(cents) for cents in (250, -250, 0)] == ["+$2.50", "−$2.50", "$0.00"]


def test_rows_are_headed_by_the_readers_day() -> None:
    now = timezone.now()
    rows = [
        {"created_at": now},
        {"created_at": now - timedelta(days=1)},
        {"created_at": datetime(2020, 2, 3, tzinfo=UTC)},
    ]
    assert by_day(rows) == [("Today", rows[:1]), ("Yesterday", rows[1:2]), ("3 February 2020", rows[2:])]


def test_the_readers_day_is_not_that_of_greenwich() -> None:
    rows = [
        {"created_at": datetime(2020, 2, 3, 23, 30, tzinfo=UTC)},
        {"created_at": datetime(2020, 2, 3, 1, tzinfo=UTC)},
    ]
    with timezone.override("Asia/Tokyo"):
        assert [day for day, _rows in by_day(rows)] == ["4 February 2020", "3 February 2020"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Wait `retry_after` seconds.", "Wait <code>retry_after</code> seconds."),
        ("`a` or `b`", "<code>a</code> or <code>b</code>"),
        ("<b> & `<i>`", "&lt;b&gt; &amp; <code>&lt;i&gt;</code>"),
        ("one ` alone", "one ` alone"),
        ("", ""),
    ],
)
def test_backticks_become_code_and_all_else_is_escaped(text: str, shown: str) -> None:
    assert backticks(text) == shown


@pytest.mark.parametrize(("key", "shown"), [("ABCDEFGHIJ", "ABCD EFGH IJ"), ("ABCD", "ABCD"), ("", "")])
def test_keys_are_shown_in_groups_of_four(key: str, shown: str) -> None:
    assert groups_of_four(key) == shown
