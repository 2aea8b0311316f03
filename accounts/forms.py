"""Forms of this app's pages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import ApiKey


class ProfileForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=120, required=False)
    time_zone = forms.ChoiceField(label=_("Time zone"), help_text=_("Times on all pages are shown in it."))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(name, name.replace("_", " ")) for name in sorted(available_timezones())]
        self.fields["time_zone"].choices = choices  # type: ignore[attr-defined]


class ApiKeyForm(forms.Form):
    SCOPES = (
        ("read", _("Read: balance, verifications, notifications")),
        ("buy", _("Buy and cancel numbers")),
        ("pay", _("Start top-ups")),
        ("manage", _("Manage settings and keys")),
    )
    name = forms.CharField(label=_("Name"), max_length=80, help_text=_("Where it is used, such as “CI of the shop”."))
    scopes = forms.MultipleChoiceField(
        label=_("What it may do"), choices=SCOPES, widget=forms.CheckboxSelectMultiple, initial=list(ApiKey.SCOPES)
    )
    days = forms.TypedChoiceField(
        label=_("Expires"),
        choices=((0, _("Never")), (30, _("In 30 days")), (90, _("In 90 days")), (365, _("In a year"))),
        coerce=int,
        initial=90,
    )

    def expires_at(self) -> Any:
        days = self.cleaned_data["days"]
        return timezone.now() + timedelta(days=days) if days else None
