"""Phone numbers as people read them."""

from __future__ import annotations

import pytest

from config.lib import phones


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("7155550100", "+1 715 555 0100"),
        ("+17155550100", "+1 715 555 0100"),
        ("17155550100", "+1 715 555 0100"),
        ("+447700900123", "+447700900123"),
        ("555-0100", "555-0100"),
        ("", ""),
    ],
)
def test_a_number_is_shown_in_groups(number: str, shown: str) -> None:
    assert phones.display(number) == shown
