"""Forms of this app's pages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from allauth.account import forms as allauth
from django import forms
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import zones
from accounts.models import ApiKey


class LoginForm(allauth.LoginForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].label = _("E-mail address")
        self.fields["remember"].label = _("Stay signed in on this device")
        _without_placeholders(self)


class SignupForm(allauth.SignupForm):
    """With the browser's time zone, which page.js fills in."""

    time_zone = forms.CharField(required=False, widget=forms.HiddenInput(attrs={"data-time-zone": ""}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].label = _("E-mail address")
        self.fields["password2"].label = _("Password, once more")
        _without_placeholders(self)

    def clean_time_zone(self) -> str:
        """A zone that we don't know is no reason to turn somebody away."""
        name: str = self.cleaned_data["time_zone"]
        return name if zones.is_known(name) else "UTC"

    def try_save(self, request: HttpRequest) -> Any:
        """Of two sign-ups with one address at the same moment the second is told like any that comes later."""
        try:
            with transaction.atomic():
                return super().try_save(request)
        except IntegrityError:
            self.account_already_exists = True
            return super().try_save(request)


def _without_placeholders(form: forms.Form) -> None:
    """The labels say it already, and stay when something is typed."""
    for field in form.fields.values():
        field.widget.attrs.pop("placeholder", None)


class ProfileForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=120, required=False)
    time_zone = forms.ChoiceField(label=_("Time zone"), help_text=_("Times on all pages are shown in it."))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(name, name.replace("_", " ")) for name in zones.names()]
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
