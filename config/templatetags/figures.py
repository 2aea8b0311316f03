"""Figures in templates: `{{ cents|money }}`, `{{ cents|signed_money }}`, `{{ rate|percent }}`."""

from decimal import Decimal

from django import template

from config.lib import money as amounts

register = template.Library()


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
    """Decimal("0.8734") -> "87 %"."""
    return f"{round(rate * 100)} %"
