"""Pages: the catalogue, a purchase, one verification, the history."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.http import CustomerRequest
from accounts.selectors import accepted_policy
from config.lib.errors.base import DomainError, NotFound
from config.lib.paging import keyset_page
from verifications import errors, favourites, selectors, services
from verifications.forms import AreaCodeForm
from verifications.models import Service, Status
from wallet import selectors as wallets


@login_required
@require_safe
def buy(request: CustomerRequest) -> HttpResponse:
    """Show the catalogue, searched while the customer types (the list alone for htmx)."""
    query = request.GET.get("q", "").strip()[:80]
    sections, more = selectors.catalogue_sections(query=query)
    blocked = selectors.blocked_services(query=query)
    context = {"query": query, "sections": sections, "more": more, "blocked": blocked, **_favourites_context(request)}
    if not query:
        context["bought_last"] = favourites.bought_last(user=request.user)
    partial = request.headers.get("HX-Request") and not request.headers.get("HX-History-Restore-Request")
    return render(request, "verifications/partials/services.html" if partial else "verifications/buy.html", context)


def _favourites_context(request: CustomerRequest) -> dict[str, Any]:
    kept = list(favourites.favourites_of(user=request.user))
    return {"favourites": kept, "starred": {offer.service.name for offer in kept}}


@login_required
@require_POST
def change_favourites(request: CustomerRequest) -> HttpResponse:
    """Add or remove a favourite. htmx gets what changes on the page, a form is redirected to the page."""
    name = request.POST.get("remove", "")
    try:
        if name:
            services.remove_favourite(user=request.user, service_name=name)
        else:
            name = request.POST.get("add", "")
            services.add_favourite(user=request.user, service_name=name)
    except errors.UnknownService:
        return render(request, "errors/404.html", status=404)
    if not request.headers.get("HX-Request"):
        return redirect("buy-service", name) if request.POST.get("from") == "service" else redirect("buy")
    context = {"service": Service.objects.filter(name=name).first(), **_favourites_context(request)}
    return render(request, "verifications/partials/favourites_changed.html", context)


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def buy_service(request: CustomerRequest, name: str) -> HttpResponse:
    """Show price and terms of one service, with `?area_code=` for that area; a POST buys, once for each form shown."""
    error, failed_id, status = "", "", 200
    area = AreaCodeForm(request.POST or request.GET)
    if request.method == "POST" and not area.is_valid():
        status = 400
    elif request.method == "POST":
        price = request.POST.get("price", "")
        try:
            purchase = services.buy(
                user=request.user,
                service_name=name,
                area_code=area.cleaned_data["area_code"],
                max_price=int(price) if price.isdecimal() and len(price) < 12 else None,
                key=request.POST.get("key", "")[:64] or None,
            )
        except DomainError as refusal:
            error, failed_id, status = str(refusal.detail), refusal.extra.get("verification_id", ""), refusal.status
        else:
            return redirect("verification", purchase.verification.pk)
    try:
        priced, area_code, area_error = _price(name, area)
    except errors.UnknownService:
        return render(request, "errors/404.html", status=404)
    except DomainError as refusal:
        messages.warning(request, error or str(refusal.detail))
        return redirect("buy")
    wallet = wallets.balance_of(user=request.user)
    context = {
        "service": priced.offer.service,
        "offer": priced.offer,
        "starred": _favourites_context(request)["starred"],
        "country": selectors.COUNTRY_NAMES.get(priced.offer.country, priced.offer.country),
        "price": priced.price,
        "accepted": accepted_policy(user=request.user),
        "wallet": wallet,
        "left": wallet.available - priced.price,
        "missing": priced.price - wallet.available,
        "key": uuid.uuid4(),
        "error": error,
        "failed_id": failed_id,
        "area_code": area_code,
        "area_typed": area_code or area.data.get("area_code", "")[:10],
        "area_error": area_error,
    }
    return render(request, "verifications/confirm.html", context, status=status)


def _price(name: str, area: AreaCodeForm) -> tuple[services.PricedOffer, str, str]:
    """Return the price, the area code that it is for ("" for any), and what is wrong with the one that was typed."""
    area_error = ""
    if not area.is_valid():
        area_error = str(next(iter(area.errors["area_code"])))
    elif area_code := area.cleaned_data["area_code"]:
        try:
            return services.price_service(service_name=name, area_code=area_code), area_code, ""
        except (errors.OutOfStock, errors.ProviderUnavailable):
            area_error = _(
                "We can't get the price for area code {area_code} right now. Try another one, or none."
            ).format(area_code=area_code)
    return services.price_service(service_name=name), "", area_error


@login_required
@never_cache
@require_safe
def verification(request: CustomerRequest, verification_id: uuid.UUID) -> HttpResponse:
    """Show one verification. Its scripts keep it current; `?part=1` answers with what they swap in."""
    try:
        found = selectors.verification_of(user=request.user, verification_id=verification_id)
    except NotFound:
        return render(request, "errors/404.html", status=404)
    trail = wallets.transactions_of(user=request.user).filter(resource_type="verification", resource_id=str(found.pk))
    context = {
        "verification": found,
        "code": selectors.code_of(found),
        "several_codes": len({message.code for message in found.messages.all() if message.code}) > 1,
        "trail": trail.order_by("sequence"),
        "country": selectors.COUNTRY_NAMES.get(found.country, found.country),
    }
    part = "verifications/partials/live.html" if request.GET.get("part") else "verifications/verification.html"
    return render(request, part, context)


@login_required
@require_POST
def cancel(request: CustomerRequest, verification_id: uuid.UUID) -> HttpResponse:
    """Cancel. A script gets JSON ({status, detail, retry_after}), a form is redirected to the page."""
    scripted = request.headers.get("Accept", "").startswith("application/json")
    try:
        cancellation = services.cancel(user=request.user, verification_id=verification_id)
    except DomainError as refusal:
        if scripted:
            body = {
                "code": refusal.code,
                "detail": str(refusal.detail),
                "retry_after": refusal.extra.get("retry_after"),
            }
            return JsonResponse(body, status=refusal.status)
        if isinstance(refusal, NotFound):
            return render(request, "errors/404.html", status=404)
        messages.warning(request, str(refusal.detail))
        return redirect("verification", verification_id)
    if scripted:
        return JsonResponse(
            {"status": cancellation.verification.status, "pending": cancellation.pending},
            status=202 if cancellation.pending else 200,
        )
    if cancellation.pending:
        messages.info(
            request, _("We're cancelling this number. You get your money back as soon as our provider confirms.")
        )
    return redirect("verification", verification_id)


@login_required
@require_safe
def history(request: CustomerRequest) -> HttpResponse:
    status, query = request.GET.get("status", ""), request.GET.get("q", "").strip()[:80]
    rows = selectors.verifications_of(user=request.user)
    if status in Status.values:
        rows = rows.filter(status=status)
    if query:
        rows = selectors.matching(rows, query)
    page = keyset_page(request, rows, "-created_at", "-id")
    context = {"page": page, "status": status, "query": query, "statuses": Status.choices}
    return render(request, "verifications/history.html", context)
