"""What allauth does differently here."""

from __future__ import annotations

import base64
import secrets
from typing import Any

import structlog
from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from anymail.exceptions import AnymailError
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts import signals
from config.lib.http import client_ip
from config.lib.secrets import encryption

log = structlog.get_logger(__name__)
_MAX_EMAIL = 254  # of RFC 5321, and of our columns; the form fields let 320 pass


def remedy_links() -> dict[str, str]:
    """Return the addresses that an e-mail names for an owner who didn't do what it reports."""
    return {
        "reset_url": settings.PUBLIC_URL + reverse("account_reset_password"),
        "security_url": settings.PUBLIC_URL + reverse("settings-security"),
        "keys_url": settings.PUBLIC_URL + reverse("settings-keys"),
        "support_email": settings.SUPPORT_EMAIL,
    }


class AccountAdapter(DefaultAccountAdapter):
    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "email_password_mismatch": _("Wrong e-mail address or password. Check both and try again."),
        "too_many_login_attempts": _("Too many attempts. Wait five minutes, or reset your password."),
        "enter_current_password": _("That is not your current password. Enter it again."),
        "incorrect_password": _("That is not your password. Enter it again."),
        "duplicate_email": _("This address is on your account already."),
        "unverified_primary_email": _("Confirm this address first: open the link that we sent to it."),
        "max_email_addresses": _("An account has at most %d addresses. Remove one first."),
        "rate_limited": _("Too many attempts. Wait a few minutes and try again."),
    }

    def save_user(self, request: HttpRequest, user: Any, form: Any, commit: bool = True) -> Any:
        user.time_zone = form.cleaned_data.get("time_zone") or user.time_zone
        return super().save_user(request, user, form, commit=commit)

    def logout(self, request: HttpRequest) -> None:
        """End the session and announce it afterwards: Django's own signal comes while the session is still there."""
        user = request.user
        super().logout(request)
        if user.is_authenticated:
            signals.signed_out.send(sender=type(user), user=user)

    def clean_email(self, email: str) -> str:
        if len(email) > _MAX_EMAIL:
            raise ValidationError(_("An e-mail address has at most %(most)s characters.") % {"most": _MAX_EMAIL})
        return email

    def get_client_ip(self, request: HttpRequest) -> str:
        """Return the address; without one (a Unix socket and no proxy) all share one limit, and can still sign in."""
        return client_ip(request) or "0.0.0.0"  # noqa: S104  no address to listen on

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send the e-mail. An unreachable mail server breaks no page: the e-mail can be requested again."""
        try:
            self.render_mail(template_prefix, email, {"email": email, **remedy_links(), **context}).send()
        except (OSError, AnymailError) as error:  # smtplib's errors are OSErrors
            log.error("account_mail_failed", template=template_prefix, error=type(error).__name__)
            if self.request is not None:
                messages.error(self.request, _("We couldn't send the e-mail right now. Try again in a few minutes."))


class MFAAdapter(DefaultMFAAdapter):
    """Encrypts the secrets of second factors at rest, as codes and texts are."""

    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": _("This code is wrong or was used already. Enter the one that your app shows now."),
        "unverified_email": _("Confirm all of your e-mail addresses first, or remove those that you can't confirm."),
        "add_email_blocked": _("An address can't be added while two-factor authentication is on. Turn it off first."),
    }

    def build_totp_svg(self, url: str) -> str:
        """Return the QR code on white, in dark mode too: cameras read no black on black."""
        head, tag, rest = super().build_totp_svg(url).partition(">")
        if head.startswith("<?xml"):
            middle, tag, rest = rest.partition(">")
            head += ">" + middle
        return f'{head}{tag}<rect width="100%" height="100%" fill="#fff"/>{rest}'

    def encrypt(self, text: str) -> str:
        return encryption.encrypt(text).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """Return the secret. Where no key decrypts it, return one that no code fits: a refusal instead of an error."""
        try:
            return encryption.decrypt(encrypted_text.encode())
        except encryption.NoKeyFits:
            log.error("No key of FIELD_ENCRYPTION_KEYS opens a second factor")
            return base64.b32encode(secrets.token_bytes(20)).decode()
