"""Top-up and payment pages."""

from __future__ import annotations

import uuid
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.http import CustomerRequest
from config.lib.errors.base import DomainError, NotFound
from config.lib.paging import keyset_page
from payments import selectors, services
from payments.forms import AMOUNT_ERROR, CHOICES, COMMA_ERROR, TopUpForm
from payments.models import PaymentStatus

_PURCHASES = "purchases_after_payments"  # in the session: payment -> the service whose price was missing
_PURCHASES_KEPT = 5
_LONGEST_ENTRY = 60


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def top_up(request: CustomerRequest) -> HttpResponse:
    """Show the form. A POST redirects to the checkout, or back to the form with what was entered in the address."""
    if request.method == "POST":
        return _begin_top_up(request)
    form = TopUpForm(request.GET)
    entered = bool(request.GET.get("amount") or request.GET.get("choice"))
    context = {
        "choices": CHOICES,
        "chosen": form.chosen,
        "amount": request.GET.get("amount", "")[:_LONGEST_ENTRY],
        "minimum": settings.TOP_UP_MIN_CENTS,
        "maximum": settings.TOP_UP_MAX_CENTS,
        "amount_error": next(iter(form.errors.get("amount", [])), "") if entered else "",
        "key": uuid.uuid4(),
        "service": request.GET.get("service", ""),
        "open_payment": services.open_payment_of(user=request.user, now=timezone.now()),
        "sentences": {"amount": AMOUNT_ERROR, "comma": COMMA_ERROR},
    }
    return render(request, "payments/top_up.html", context)


def _begin_top_up(request: CustomerRequest) -> HttpResponse:
    form = TopUpForm(request.POST)
    if not form.is_valid():
        return _back_to_form(request)
    # The form's key keeps a double click from opening two; another amount out of the same form is another top-up.
    key = f"{request.POST['key'][:64]}:{form.cents}" if request.POST.get("key") else None
    try:
        payment = services.resume_or_initiate(user=request.user, amount=form.cents, key=key, now=timezone.now())
    except DomainError as refusal:
        messages.error(request, str(refusal.detail))
        return _back_to_form(request)
    if service := request.POST.get("service", "")[:60]:
        kept = {**request.session.get(_PURCHASES, {}), payment.reference: service}
        request.session[_PURCHASES] = dict(list(kept.items())[-_PURCHASES_KEPT:])
    if payment.status == PaymentStatus.INITIATED and payment.checkout_url and not payment.mismatch:
        return redirect(payment.checkout_url)
    return redirect("payment", payment.reference)


def _back_to_form(request: CustomerRequest) -> HttpResponse:
    entered = {name: request.POST.get(name, "")[:_LONGEST_ENTRY] for name in ("amount", "choice", "service")}
    query = urlencode({name: value for name, value in entered.items() if value} or {"choice": "0"})
    return redirect(f"{reverse('top-up')}?{query}")


@login_required
@require_safe
def payments(request: CustomerRequest) -> HttpResponse:
    page = keyset_page(request, selectors.payments_of(user=request.user), "-id")
    return render(request, "payments/payments.html", {"page": page})


@login_required
@never_cache
@require_safe
def payment(request: CustomerRequest, reference: str) -> HttpResponse:
    """Show the payment that the checkout sends the customer back to. An open one is asked about at once."""
    try:
        found = selectors.payment_of(user=request.user, reference=reference)
    except NotFound:
        return render(request, "errors/404.html", status=404)
    unanswered = False
    if found.status == PaymentStatus.INITIATED:
        try:
            found = services.settle(payment=found, now=timezone.now())
        except DomainError:
            unanswered = True
    try:  # the purchase that the payment was begun for, in this browser
        purchase = reverse("buy-service", args=[request.session[_PURCHASES][reference]])
    except (KeyError, NoReverseMatch):
        purchase = ""
    context = {"payment": found, "unanswered": unanswered, "purchase": purchase}
    return render(request, "payments/payment.html", context)
