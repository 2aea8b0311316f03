"""Money: whole cents at rest, `Decimal` with two places in Python, strings in JSON. No floats."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal, InvalidOperation

from django.conf import settings

CENT = Decimal("0.01")
# Decimal also reads digits of other scripts, "1_000" and "1e9", which are no amounts. At most as long as ours get.
_PLAIN = re.compile(r"\s*[+-]?[0-9]{1,20}(\.[0-9]{1,20})?\s*", re.ASCII)
_SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "NGN": "₦"}


def to_decimal(cents: int) -> Decimal:
    """Return cents as an amount with two places: 250 -> Decimal("2.50")."""
    return (Decimal(cents) / 100).quantize(CENT)


def to_cents(amount: Decimal | str | int) -> int:
    """Return an amount as whole cents. Raises ValueError when it is no number, not finite, or has parts of a cent."""
    if isinstance(amount, float | bool) or (isinstance(amount, str) and not _PLAIN.fullmatch(amount)):
        raise ValueError(f"{amount!r:.40} is not an amount of money")
    try:
        value = Decimal(amount)
        whole = value.is_finite() and value == value.quantize(CENT)  # which refuses more digits than it can keep
    except (InvalidOperation, TypeError) as error:
        raise ValueError(f"{amount!r:.40} is not an amount of money") from error
    if not whole:
        raise ValueError(f"{amount!r:.40} is not a whole number of cents")
    return int(value * 100)


def to_text(cents: int) -> str:
    """Return cents as JSON carries them: -250 -> "-2.50"."""
    return str(to_decimal(cents))


def display(cents: int, currency: str = "") -> str:
    """Return cents as people read them, in our currency by default: 123456 -> "$1,234.56", -250 -> "-$2.50"."""
    currency = currency or settings.CURRENCY
    symbol = _SYMBOLS.get(currency, f"{currency} ")
    sign = "-" if cents < 0 else ""
    return f"{sign}{symbol}{abs(to_decimal(cents)):,.2f}"


def display_cost(cost: Decimal) -> str:
    """Return a cost as people read it, with two places or as many as it has: Decimal("0.7500") -> "$0.75"."""
    units, _, places = f"{cost.normalize():f}".partition(".")
    return f"{_SYMBOLS.get(settings.CURRENCY, f'{settings.CURRENCY} ')}{int(units):,}.{places.ljust(2, '0')}"


def price(cost: Decimal, markup: Decimal) -> int:
    """Return the cost (in the currency's unit) times the markup in cents, rounded up."""
    return int((cost * markup * 100).to_integral_value(rounding=ROUND_CEILING))
