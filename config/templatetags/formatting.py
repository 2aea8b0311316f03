"""Formatting in templates: amounts, rates, phone numbers, days, devices, code in running text, long keys."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any
from zlib import crc32

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from activity.devices import device as device_name
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
    """7195550100 -> ["719", "555", "0100"], set apart by style and copied whole; other numbers stay whole."""
    if len(number) == 10 and number.isdecimal():
        return [number[:3], number[3:6], number[6:]]
    return [number] if number else []


@register.filter
def tile(name: str) -> int:
    """Return the colour of a service's tile, 1 to 5, always the same for a name."""
    return crc32(str(name).encode()) % TILES + 1


@register.filter
def by_day(rows: Iterable[Any]) -> list[tuple[str, list[Any]]]:
    """Group rows (or dicts) with `created_at`, in their order, by the reader's day: [("Today", [row, …]), …]."""

    def day_of(row: Any) -> date:
        moment: datetime = row["created_at"] if isinstance(row, dict) else row.created_at
        return timezone.localtime(moment).date()

    today = timezone.localdate()
    names = {today: _("Today"), today - timedelta(days=1): _("Yesterday")}
    return [
        (names.get(day) or date_format(day, "l, j F" if day.year == today.year else "j F Y"), list(group))
        for day, group in groupby(rows, key=day_of)
    ]


@register.filter
def device(user_agent: str) -> str:
    """Return the browser's name as people know it."""
    return device_name(user_agent)


@register.filter
def backticks(text: str) -> SafeString:
    """Show what stands in backticks as code, and escape all else."""
    return mark_safe(re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(str(text))))  # noqa: S308  escaped first


@register.filter
def groups_of_four(key: str) -> str:
    """ABCDEFGHIJ -> "ABCD EFGH IJ"."""
    return " ".join(key[start : start + 4] for start in range(0, len(key), 4))
