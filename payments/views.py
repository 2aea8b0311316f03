"""Top-up and payment pages."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.http import CustomerRequest
from config.lib import money
from config.lib.errors import DomainError, NotFound
from config.lib.paging import keyset_page
from payments import selectors, services
from payments.models import PaymentStatus

CHOICES = (10_00, 20_00, 50_00, 100_00)
_PURCHASES = "purchases_after_payments"  # in the session: payment -> the service whose price was missing
_PURCHASES_KEPT = 5


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def top_up(request: CustomerRequest) -> HttpResponse:
    """The form; a POST opens the checkout. The form's own key keeps a double click from opening two."""
    error, wrong_amount = "", False
    if request.method == "POST":
        try:
            payment = services.initiate(
                user=request.user, amount=_amount(request), key=request.POST.get("key") or None, now=timezone.now()
            )
        except ValueError:
            wrong_amount = True
            error = _("Write the amount in dollars and cents, such as 20.00.")
        except DomainError as refusal:
            error, wrong_amount = str(refusal.detail), "amount" in refusal.extra.get("errors", {})
        else:
            _remember_purchase(request, payment.reference)
            return redirect(payment.checkout_url or "payment", *([] if payment.checkout_url else [payment.reference]))
    context = {
        "choices": CHOICES,
        "chosen": int(request.POST["choice"]) if request.POST.get("choice", "").isdecimal() else 20_00,
        "amount": request.POST.get("amount", ""),
        "minimum": settings.TOP_UP_MIN_CENTS,
        "maximum": settings.TOP_UP_MAX_CENTS,
        "key": uuid.uuid4(),
        "service": (request.POST or request.GET).get("service", ""),
        "error": error,
        "wrong_amount": wrong_amount,
    }
    return render(request, "payments/top_up.html", context, status=400 if error else 200)


def _amount(request: CustomerRequest) -> int:
    """In cents: what was typed, else what was chosen. Raises ValueError."""
    typed = request.POST.get("amount", "").strip().lstrip("$").replace(",", "")
    return money.to_cents(typed) if typed else int(request.POST.get("choice", ""))


def _remember_purchase(request: CustomerRequest, reference: str) -> None:
    if service := request.POST.get("service", "")[:60]:
        kept = {**request.session.get(_PURCHASES, {}), reference: service}
        request.session[_PURCHASES] = dict(list(kept.items())[-_PURCHASES_KEPT:])


def _purchase_for(request: CustomerRequest, reference: str) -> str:
    """Address of the purchase that the payment was begun for, in this browser."""
    try:
        return reverse("buy-service", args=[request.session[_PURCHASES][reference]])
    except (KeyError, NoReverseMatch):
        return ""


@login_required
@require_safe
def payments(request: CustomerRequest) -> HttpResponse:
    page = keyset_page(request, selectors.payments_of(user=request.user), key="id")
    return render(request, "payments/payments.html", {"page": page})


@login_required
@never_cache
@require_safe
def payment(request: CustomerRequest, reference: str) -> HttpResponse:
    """Where the checkout sends the customer back to. An open payment is asked about at once."""
    try:
        found = selectors.payment_of(user=request.user, reference=reference)
    except NotFound:
        return render(request, "errors/404.html", status=404)
    asked_in_vain = False
    if found.status == PaymentStatus.INITIATED:
        try:
            found = services.settle(payment=found, now=timezone.now())
        except DomainError:
            asked_in_vain = True
    context = {"payment": found, "asked_in_vain": asked_in_vain, "purchase": _purchase_for(request, reference)}
    return render(request, "payments/payment.html", context)
