"""The console's forms of this app."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from config.lib.fields import AmountField
from verifications import errors, services
from verifications.models import Service


class ServiceForm(forms.ModelForm):
    """What staff say of a service. A fixed price below cost is saved once it is confirmed."""

    fixed_price = AmountField(
        required=False,
        label=_("Fixed price"),
        help_text=_("In dollars and cents, such as 2.50. Empty: cost times markup."),
    )
    below_cost = forms.BooleanField(
        required=False, label=_("Sell below cost"), help_text=_("Confirm here that each sale may be a loss.")
    )

    class Meta:
        model = Service
        fields = ("title", "category", "blocked", "fixed_price")

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if "fixed_price" in self.changed_data and "fixed_price" in cleaned and not cleaned.get("below_cost"):
            wanted = Service(pk=self.instance.pk, title=self.instance.title, fixed_price=cleaned["fixed_price"])
            try:
                services.refuse_below_cost(service=wanted)
            except errors.BelowCost as refusal:
                self.add_error("fixed_price", str(refusal.detail))
                self.add_error("below_cost", _("Tick this to sell below cost all the same."))
        return cleaned


class AreaCodeForm(forms.Form):
    """`area_code`: three digits as the North American plan has them, "" for any."""

    area_code = forms.RegexField(
        r"^[2-9][0-9]{2}\Z",
        required=False,
        error_messages={"invalid": _("Enter the area code as three digits, such as 212.")},
    )
