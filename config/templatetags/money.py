"""`{{ cents|money }}` and `{{ cents|signed_money }}` in templates."""

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
