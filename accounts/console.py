"""The console: for staff, through the product's own sign-in, with a second factor where one is required."""

from __future__ import annotations

from typing import Any

from allauth.account.decorators import secure_admin_login
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from unfold.sites import UnfoldAdminSite

from accounts import staff
from accounts.selectors import customer


class ConsoleSite(UnfoldAdminSite):
    """The admin site of the product, named by `AdminConfig.default_site`."""

    def has_permission(self, request: HttpRequest) -> bool:
        """Return whether the user is active staff and has the second factor, if one is required."""
        return super().has_permission(request) and not staff.lacks_second_factor(customer(request))

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Redirect to the product's own sign-in, or to the set-up of a missing second factor."""
        if super().has_permission(request) and staff.lacks_second_factor(customer(request)):
            messages.warning(request, _("The console opens once two-factor authentication is on. Set it up here."))
            return redirect("mfa_activate_totp")
        response: HttpResponse = secure_admin_login(super().login)(request, extra_context)
        return response

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Redirect to the product's own page, which notifies the owner of the account."""
        return redirect("account_change_password")

    def password_change_done(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Redirect to the product's own page."""
        return redirect("account_change_password")
