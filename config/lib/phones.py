"""Phone numbers as people read them."""

from __future__ import annotations

import re

_NORTH_AMERICAN = re.compile(r"^(?:\+?1)?([2-9]\d{2})(\d{3})(\d{4})$")


def display(number: str) -> str:
    """Return the number in groups: "7155550100" as "+1 715 555 0100". Numbers of elsewhere stay as they are."""
    found = _NORTH_AMERICAN.match(number)
    return f"+1 {found[1]} {found[2]} {found[3]}" if found else number
