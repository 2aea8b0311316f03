"""Marks in running text: `code` in backticks, and long keys in groups that one can read out."""

from __future__ import annotations

import re

from django import template
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

register = template.Library()


@register.filter
def backticks(text: str) -> SafeString:
    """ "Wait `retry_after` seconds." with its code as code; all else is escaped."""
    return mark_safe(re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(str(text))))  # noqa: S308  escaped first


@register.filter
def fours(key: str) -> str:
    """ABCDEFGHIJ -> "ABCD EFGH IJ"."""
    return " ".join(key[start : start + 4] for start in range(0, len(key), 4))
