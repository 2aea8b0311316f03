"""Figures in templates: `{{ cents|money }}`, `{{ rate|percent }}`, numbers, days, and the tile of a service."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any
from zlib import crc32

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from config.lib import money as amounts

register = template.Library()
TILES = 5


@register.filter
def money(cents: int) -> str:
    """250 -> "$2.50"."""
    return amounts.display(cents)


@register.filter
def signed_money(cents: int) -> str:
    """250 -> "+$2.50", -250 -> "−$2.50"."""
    return ("+" if cents > 0 else "−" if cents < 0 else "") + amounts.display(abs(cents))


@register.filter
def percent(rate: Decimal) -> str:
    """Decimal("0.8734") -> "87%"."""
    return f"{round(rate * 100)}%"


@register.filter
def phone_parts(number: str) -> list[str]:
    """7195550100 -> ["719", "555", "0100"], to be set apart without a character between; others stay whole."""
    if len(number) == 10 and number.isdecimal():
        return [number[:3], number[3:6], number[6:]]
    return [number] if number else []


@register.filter
def tile(name: str) -> int:
    """The colour of a service's tile, 1 to 5: always the same for a name."""
    return crc32(str(name).encode()) % TILES + 1


@register.filter
def by_day(rows: Iterable[Any]) -> list[tuple[str, list[Any]]]:
    """Rows (or dicts) with `created_at`, in their order, by the reader's day: [("Today", [row, …]), …]."""
    today = timezone.localdate()
    return [(_day_name(day, today), list(group)) for day, group in groupby(rows, key=_day)]


def _day(row: Any) -> date:
    moment: datetime = row["created_at"] if isinstance(row, dict) else row.created_at
    return timezone.localtime(moment).date()


def _day_name(day: date, today: date) -> str:
    if day == today:
        return _("Today")
    if day == today - timedelta(days=1):
        return _("Yesterday")
    return date_format(day, "l, j F" if day.year == today.year else "j F Y")
