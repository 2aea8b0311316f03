"""The refunds' pages."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.http import CustomerRequest
from config.lib.errors.base import NotFound
from config.lib.paging import keyset_page
from refunds import selectors


@login_required
@require_safe
def refunds(request: CustomerRequest) -> HttpResponse:
    page = keyset_page(request, selectors.refunds_of(user=request.user), "-id")
    return render(request, "refunds/refunds.html", {"page": page})


@login_required
@require_safe
def refund(request: CustomerRequest, refund_reference: str) -> HttpResponse:
    """Show one refund. Another user's refund is a 404."""
    try:
        found = selectors.refund_of(user=request.user, reference=refund_reference)
    except NotFound:
        return render(request, "errors/404.html", status=404)
    return render(request, "refunds/refund.html", {"refund": found})
