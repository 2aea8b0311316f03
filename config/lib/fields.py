"""Form fields that more than one app needs."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from config.lib import money


class AmountField(forms.CharField):
    """An amount as people write it ("2.50") for a column of cents. Empty is None; zero and less are refused."""

    widget = UnfoldAdminTextInputWidget
    default_error_messages = {"invalid": _("Enter an amount, such as 20.00.")}

    def prepare_value(self, value: Any) -> Any:
        return money.to_text(value) if isinstance(value, int) else value

    def to_python(self, value: Any) -> Any:
        text = (super().to_python(value) or "").removeprefix("$").strip()
        if not text:
            return None
        try:
            cents = money.to_cents(text)
        except ValueError:
            cents = 0
        if cents <= 0 or cents >= 2**63:
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return cents

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.to_python(data) != initial)
        except ValidationError:
            return True
