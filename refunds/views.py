"""The refunds' page."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.http import CustomerRequest
from config.lib.paging import keyset_page
from refunds import selectors


@login_required
@require_safe
def refunds(request: CustomerRequest) -> HttpResponse:
    page = keyset_page(request, selectors.refunds_of(user=request.user), key="id")
    return render(request, "refunds/refunds.html", {"page": page})
