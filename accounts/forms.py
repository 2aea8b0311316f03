"""Forms of this app's pages."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any

from allauth.account import forms as allauth
from allauth.mfa.base import forms as mfa
from allauth.mfa.totp import forms as totp
from django import forms
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import IntegrityError
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts import selectors, services, zones
from accounts.http import CONFIRM, RESET, keep_address
from config.lib.unit_of_work import unit_of_work


class _OurTexts:
    """Our labels, help texts and error messages on a library's form, and no placeholders: these go away on typing."""

    fields: dict[str, forms.Field]
    texts: Mapping[str, tuple[Any, Any]] = {
        "login": (_("E-mail address"), _("Enter the e-mail address that you signed up with.")),
        "email": (_("E-mail address"), _("Enter your e-mail address, such as ada@example.com.")),
        "password": (_("Password"), _("Enter your password.")),
        "oldpassword": (_("Current password"), _("Enter your current password.")),
        "password1": (_("New password"), _("Enter a new password.")),
        "code": (_("Code from your app"), _("Enter the code that your app shows now.")),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields.pop("password2", None)  # the password can be shown instead (reveal.js)
        for name, field in self.fields.items():
            field.widget.attrs.pop("placeholder", None)
            if name in self.texts:
                field.label, required = self.texts[name]
                field.error_messages["required"] = required
            if isinstance(field, forms.EmailField):
                field.error_messages["invalid"] = _("Enter an e-mail address like ada@example.com.")
        if new := self.fields.get("password1"):
            least = {"least": settings.PASSWORD_MIN_LENGTH}
            new.help_text = _("At least %(least)s characters. A few words in a row are easy to remember.") % least


class LoginForm(_OurTexts, allauth.LoginForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["remember"].label = _("Stay signed in on this device")

    def login(self, request: HttpRequest, redirect_url: str | None = None) -> Any:
        answer = super().login(request, redirect_url)
        if getattr(answer, "url", "") == reverse("account_email_verification_sent"):
            keep_address(request, CONFIRM, self.cleaned_data["login"])
        return answer


class SignupForm(_OurTexts, allauth.SignupForm):
    """Adds the browser's time zone, which page.js fills in."""

    time_zone = forms.CharField(required=False, widget=forms.HiddenInput(attrs={"data-time-zone": ""}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password1"].label = _("Password")
        self.fields["password1"].error_messages["required"] = _("Choose a password.")

    def clean_time_zone(self) -> str:
        """Return the zone, UTC for an unknown one, which is no reason to refuse a sign-up."""
        name: str = self.cleaned_data["time_zone"]
        return name if zones.is_known(name) else "UTC"

    def try_save(self, request: HttpRequest) -> Any:
        """Create the account. Of two sign-ups with one address at once the second is answered like any later one."""
        keep_address(request, CONFIRM, self.cleaned_data["email"])
        if self.account_already_exists:
            # A new account costs a hash, by far the most of the answer's time: without one it would reveal who has one.
            make_password(self.cleaned_data["password1"])
            return super().try_save(request)
        try:
            with unit_of_work():
                return super().try_save(request)
        except IntegrityError:
            self.account_already_exists = True
            return super().try_save(request)


class AddEmailForm(_OurTexts, allauth.AddEmailForm):
    pass


class _RevokingKeys(_OurTexts):
    """Adds a box to revoke the account's API keys, where it has some: they outlive a password."""

    revoke_at_first: bool
    user: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        live = selectors.live_keys_of(user=self.user, now=timezone.now()).count() if self.user else 0
        if live:
            label = ngettext("Revoke my API key", "Revoke my %(number)d API keys", live) % {"number": live}
            self.fields["revoke_keys"] = forms.BooleanField(
                label=label,
                required=False,
                initial=self.revoke_at_first,
                help_text=_("Programs that use them stop working at once."),
            )

    def save(self) -> None:
        with unit_of_work():
            super().save()  # type: ignore[misc]  # the library's form, which stands behind this one
            if self.cleaned_data.get("revoke_keys"):  # type: ignore[attr-defined]
                services.revoke_all_api_keys(user=self.user)


class ChangePasswordForm(_RevokingKeys, allauth.ChangePasswordForm):
    revoke_at_first = False


class ResetPasswordForm(_OurTexts, allauth.ResetPasswordForm):
    def save(self, request: HttpRequest, **kwargs: Any) -> Any:
        keep_address(request, RESET, self.cleaned_data["email"])
        return super().save(request, **kwargs)


class ResetPasswordKeyForm(_RevokingKeys, allauth.ResetPasswordKeyForm):
    """Offers to revoke the keys by default: with a stolen password keys may have been created."""

    revoke_at_first = True


class ReauthenticateForm(_OurTexts, allauth.ReauthenticateForm):
    pass


class _ByCode(_OurTexts):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].help_text = _("Lost your phone? Enter a recovery code.")


class AuthenticateForm(_ByCode, mfa.AuthenticateForm):
    pass


class ReauthenticateByCodeForm(_ByCode, mfa.ReauthenticateForm):
    pass


class ActivateTOTPForm(_OurTexts, totp.ActivateTOTPForm):
    texts = {"code": (_("Code from the app"), _("Enter the six digits that the app shows now."))}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].widget.attrs["inputmode"] = "numeric"


class ProfileForm(forms.Form):
    name = forms.CharField(
        label=_("Name"),
        max_length=120,
        required=False,
        error_messages={"max_length": _("A name has at most %(limit_value)d characters.")},
    )
    time_zone = forms.ChoiceField(
        label=_("Time zone"),
        help_text=_("All times are shown in this zone."),
        error_messages={"invalid_choice": _("We don't know this time zone. Choose one from the list.")},
    )

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
    SHORT = {"read": _("read"), "buy": _("buy and cancel"), "pay": _("top up"), "manage": _("manage")}
    name = forms.CharField(
        label=_("Name"),
        max_length=80,
        help_text=_("Where you use it, for example “Shop CI”."),
        error_messages={
            "required": _("Give the key a name."),
            "max_length": _("A name has at most %(limit_value)d characters."),
        },
    )
    scopes = forms.MultipleChoiceField(
        label=_("What it may do"),
        choices=SCOPES,
        widget=forms.CheckboxSelectMultiple,
        initial=["read", "buy"],
        error_messages={"required": _("Choose at least one thing that the key may do.")},
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

    @classmethod
    def rights(cls, scopes: Collection[str]) -> list[str]:
        """Return what a key with these scopes may do, as texts in the form's order."""
        return [str(text) for scope, text in cls.SHORT.items() if scope in scopes]


class ReasonForm(forms.Form):
    """The reason of a change by staff, which the customer reads in the activity."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=200,
        help_text=_("The customer reads it in their activity."),
        error_messages={"required": _("Enter a reason.")},
        widget=UnfoldAdminTextInputWidget,
    )
