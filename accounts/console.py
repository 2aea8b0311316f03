"""Who may open the console: staff, through the product's own sign-in, with a second factor where one is required."""

from __future__ import annotations

from typing import Any

from allauth.account.decorators import secure_admin_login
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from accounts import staff
from accounts.selectors import customer


def guard(site: AdminSite) -> None:
    """Replaces the site's own sign-in, which would ask for the password alone."""
    may_open, login = site.has_permission, secure_admin_login(site.login)

    def has_permission(request: HttpRequest) -> bool:
        return may_open(request) and not staff.lacks_second_factor(customer(request))

    def sign_in(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if may_open(request) and staff.lacks_second_factor(customer(request)):
            messages.warning(request, _("The console opens once two-factor authentication is on. Set it up here."))
            return redirect("mfa_activate_totp")
        response: HttpResponseBase = login(request, *args, **kwargs)
        return response

    def change_password(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The product's own page, which tells the owner of the account."""
        return redirect("account_change_password")

    site.password_change = site.password_change_done = change_password  # type: ignore[method-assign,assignment]
    site.has_permission = has_permission  # type: ignore[method-assign]
    site.login = sign_in  # type: ignore[method-assign,assignment]
