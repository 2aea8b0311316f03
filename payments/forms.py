"""The top-up form: an amount that was typed, else one that was chosen."""

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
        if not self.errors:
            try:
                self.cents = self._read(data["amount"], data["choice"])
                services.check_amount(self.cents)
            except ValueError as error:
                self.add_error("amount", str(error))
            except InvalidField as refusal:
                self.add_error("amount", str(refusal.detail))
        return data

    @property
    def chosen(self) -> int:
        """The choice to show as made."""
        given = self.data.get("choice", "")
        return next((cents for cents in CHOICES if str(cents) == given), DEFAULT)

    @staticmethod
    def _read(typed: str, choice: str) -> int:
        """Return whole cents. Raises ValueError with the sentence to show."""
        amount = typed.removeprefix("$").strip()
        if not amount:
            if choice in map(str, CHOICES):
                return int(choice)
            raise ValueError(AMOUNT_ERROR)
        if "," in amount:
            if not _THOUSANDS.fullmatch(amount):
                raise ValueError(COMMA_ERROR)
            amount = amount.replace(",", "")
        try:
            return money.to_cents(amount)
        except ValueError:
            raise ValueError(AMOUNT_ERROR) from None
