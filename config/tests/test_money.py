"""Money: whole cents, two places, no floats."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.lib import money


@pytest.mark.parametrize(
    ("amount", "cents"),
    [("2.50", 250), ("-2.5", -250), ("0", 0), ("20", 2000), (" 1.00 ", 100), (3, 300), (Decimal("0.01"), 1)],
)
def test_an_amount_is_whole_cents(amount: Any, cents: int) -> None:
    assert money.to_cents(amount) == cents


@pytest.mark.parametrize(
    "amount",
    ["", "abc", "nan", "NaN", "inf", "-Infinity", "sNaN", "1e2", "1_000", "1,000", "0.001", "٣", "$5", "1.", ".5",
     "--1", "9" * 65_536, "1e999999999", "1e-999999999", "0x10", "1\x00", Decimal("NaN"), Decimal("Infinity"),
     Decimal("1e999999"), Decimal("0.005"), 2.5, 0.1, True, None, [1]],
)  # fmt: skip
def test_anything_else_is_refused_at_once(amount: Any) -> None:
    began = time.thread_time()
    with pytest.raises(ValueError) as error:
        money.to_cents(amount)
    assert time.thread_time() - began < 0.1
    assert len(str(error.value)) < 100


@given(st.integers(min_value=-(2**63), max_value=2**63 - 1))
def test_what_json_carries_comes_back_as_the_same_cents(cents: int) -> None:
    assert money.to_cents(money.to_text(cents)) == cents
    assert money.to_cents(money.to_decimal(cents)) == cents


@pytest.mark.parametrize(
    ("cents", "text", "shown"),
    [(0, "0.00", "$0.00"), (5, "0.05", "$0.05"), (-250, "-2.50", "-$2.50"), (123456789, "1234567.89", "$1,234,567.89")],
)
def test_cents_are_written_with_two_places(cents: int, text: str, shown: str) -> None:
    assert (money.to_text(cents), money.display(cents)) == (text, shown)


def test_another_currency_has_its_sign(settings: Any) -> None:
    settings.CURRENCY = "NGN"
    assert money.display(150) == "₦1.50"
    settings.CURRENCY = "XAF"
    assert money.display(-150) == "-XAF 1.50"


@pytest.mark.parametrize(
    ("cost", "markup", "cents"),
    [("0.25", "2.0", 50), ("0.251", "2.0", 51), ("0.333", "1.5", 50), ("0.0001", "1", 1), ("0", "2", 0),
     ("1.10", "1.1", 121)],
)  # fmt: skip
def test_a_price_is_rounded_up_to_a_cent(cost: str, markup: str, cents: int) -> None:
    assert money.price(Decimal(cost), Decimal(markup)) == cents


@pytest.mark.parametrize(
    ("cost", "shown"),
    [("0.7500", "$0.75"), ("0.2525", "$0.2525"), ("3", "$3.00"), ("1234.5", "$1,234.50"), ("100", "$100.00")],
)
def test_a_cost_is_shown_with_two_places_or_as_many_as_it_has(cost: str, shown: str) -> None:
    assert money.display_cost(Decimal(cost)) == shown
