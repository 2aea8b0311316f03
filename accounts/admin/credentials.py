"""Addresses, second factors, sessions and API keys in the console: staff may look at them."""

from __future__ import annotations

import allauth.account.admin  # registers what is replaced below
import allauth.mfa.admin
import allauth.usersessions.admin  # noqa: F401
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from accounts.models import ApiKey
from config.lib.admin import ReadOnlyAdmin, link

for model in (EmailAddress, Authenticator, UserSession):
    admin.site.unregister(model)


@admin.register(EmailAddress)
class EmailAddressAdmin(ReadOnlyAdmin):
    """Read-only: an address that staff add would be a way into the account."""

    list_display = ("email", "customer", "primary", "verified")
    list_filter = ("primary", "verified")
    search_fields = ("email", "user__email")
    list_select_related = ("user",)
    fields = ("email", "customer", "primary", "verified")
    customer = link("user", description=_("customer"))


@admin.register(Authenticator)
class AuthenticatorAdmin(ReadOnlyAdmin):
    """Shows that there is a second factor, its age and its last use, never its secret."""

    list_display = ("customer", "type", "created_at", "last_used_at")
    list_filter = ("type",)
    search_fields = ("user__email",)
    list_select_related = ("user",)
    fields = ("customer", "type", "created_at", "last_used_at")
    customer = link("user", description=_("customer"))


@admin.register(UserSession)
class UserSessionAdmin(ReadOnlyAdmin):
    """Replaces allauth's, which searches by user name: users have none here."""

    list_display = ("customer", "ip", "user_agent", "created_at", "last_seen_at")
    search_fields = ("user__email", "ip")
    exclude = ("session_key", "data")
    list_select_related = ("user",)
    customer = link("user", description=_("customer"))


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    list_display = ("prefix", "name", "customer", "scopes", "created_at", "expires_at", "revoked_at", "last_used_at")
    search_fields = ("prefix", "name", "user__email")
    exclude = ("digest",)
    list_select_related = ("user",)
    customer = link("user", description=_("customer"))
