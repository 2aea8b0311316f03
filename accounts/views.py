"""Settings pages and the acceptable-use policy."""

from __future__ import annotations

from allauth.account.decorators import reauthentication_required
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import redirect_to_login
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import selectors, services
from accounts.forms import ApiKeyForm, ProfileForm
from accounts.http import CustomerRequest
from config.lib.errors.base import DomainError
from config.lib.http import client_ip
from config.lib.secrets.encryption import decrypt, encrypt

_NEW_KEY = "new_api_key"
_SHOWN_WITHIN_SECONDS = 300


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def profile(request: CustomerRequest) -> HttpResponse:
    user = request.user
    initial = {"name": user.name, "time_zone": user.time_zone}
    form = ProfileForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            services.update_profile(user=user, **form.cleaned_data)
        except DomainError as error:
            _show(form, error)
        else:
            messages.success(request, _("Your profile is saved."))
            return redirect("settings-profile")
    return render(request, "accounts/profile.html", {"form": form, "second_factor": is_mfa_enabled(user)})


@login_required
@require_safe
def security(request: CustomerRequest) -> HttpResponse:
    return render(request, "accounts/security.html", {"second_factor": is_mfa_enabled(request.user)})


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def keys(request: CustomerRequest) -> HttpResponse:
    """Show the keys and create one. Its secret is shown once, on the page that the browser is sent to."""
    form = ApiKeyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            return _create_key(request, form)
        except DomainError as error:
            _show(form, error)
    keys = [(key, ApiKeyForm.rights(key.scopes)) for key in selectors.keys_of(user=request.user)]
    context = {"form": form, "secret": _new_secret(request), "keys": keys}
    return render(request, "accounts/keys.html", context)


@reauthentication_required
def _create_key(request: CustomerRequest, form: ApiKeyForm) -> HttpResponse:
    """Create the key, right after the password was confirmed: it may outlive this session and the next."""
    name, scopes = form.cleaned_data["name"], form.cleaned_data["scopes"]
    _key, secret = services.create_api_key(user=request.user, name=name, scopes=scopes, expires_at=form.expires_at())
    # Encrypted: sessions stand in the database, which keeps no more of a key than its digest.
    request.session[_NEW_KEY] = encrypt(secret).decode()
    return redirect("settings-keys")


def _new_secret(request: CustomerRequest) -> str:
    """Return the secret of the key that was created just now, for this once, else ''."""
    try:
        return decrypt(request.session.pop(_NEW_KEY, "").encode(), ttl=_SHOWN_WITHIN_SECONDS)
    except ValueError:
        return ""


@login_required
@require_POST
def revoke_key(request: CustomerRequest, key_id: int) -> HttpResponse:
    try:
        key = services.revoke_api_key(user=request.user, key_id=key_id)
    except DomainError as error:
        messages.error(request, str(error.detail))
    else:
        messages.success(request, _("The key “%(name)s” no longer works.") % {"name": key.name})
    return redirect("settings-keys")


@require_http_methods(["GET", "HEAD", "POST"])
def policy(request: HttpRequest) -> HttpResponse:
    """Show the policy; a POST accepts it and redirects to `next`."""
    if request.method == "POST":
        if not request.user.is_authenticated:
            return redirect_to_login(request.path)
        services.accept_policy(user=selectors.customer(request), ip_address=client_ip(request))
        return HttpResponseRedirect(_safe_path(request, request.POST.get("next", "")) or reverse("buy"))
    accepted = request.user.is_authenticated and selectors.accepted_policy(user=selectors.customer(request))
    return render(request, "accounts/policy.html", {"version": settings.POLICY_VERSION, "accepted": accepted})


def _safe_path(request: HttpRequest, target: str) -> str:
    """Return the address where it is one of ours and starts with a slash, else ''."""
    hosts, secure = {request.get_host()}, request.is_secure()
    ours = target.startswith("/") and url_has_allowed_host_and_scheme(target, allowed_hosts=hosts, require_https=secure)
    return target if ours and target.isprintable() else ""


def _show(form: Form, error: DomainError) -> None:
    """Show the refusal beside the field that it is about."""
    fields = [name for name in error.extra.get("errors", {}) if name in form.fields]
    form.add_error(fields[0] if fields else None, str(error.detail))
