"""The top-up form: an amount that is typed, else one that is chosen."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from config.lib import money
from config.lib.errors.base import InvalidField
from payments import services

CHOICES = (10_00, 20_00, 50_00, 100_00)
DEFAULT = 20_00
AMOUNT_ERROR = gettext_lazy("Enter an amount, such as 20.00.")
COMMA_ERROR = gettext_lazy("Write the cents after a point and leave out commas, such as 4.99.")
# Commas in groups of three before a point mean thousands everywhere; any other comma may mean cents.
_THOUSANDS = re.compile(r"[0-9]{1,3}(,[0-9]{3})+\.[0-9]{1,2}", re.ASCII)


class TopUpForm(forms.Form):
    """`cents` holds the amount once the form is valid. Every error belongs to `amount`."""

    amount = forms.CharField(required=False, max_length=20, error_messages={"max_length": AMOUNT_ERROR})
    choice = forms.CharField(required=False)

    cents: int

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if self.errors:
            return data
        amount = data["amount"].removeprefix("$").strip()
        chosen = data["choice"] if not amount and data["choice"] in map(str, CHOICES) else ""
        if "," in amount and not _THOUSANDS.fullmatch(amount):
            self.add_error("amount", str(COMMA_ERROR))
            return data
        try:
            self.cents = int(chosen) if chosen else money.to_cents(amount.replace(",", ""))
            services.check_amount(self.cents)
        except ValueError:
            self.add_error("amount", str(AMOUNT_ERROR))
        except InvalidField as refusal:
            self.add_error("amount", str(refusal.detail))
        return data

    @property
    def chosen(self) -> int:
        """Return the choice to show as selected."""
        given = self.data.get("choice", "")
        return next((cents for cents in CHOICES if str(cents) == given), DEFAULT)
