"""The wallet's page."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.http import CustomerRequest
from config.lib.paging import keyset_page
from wallet import selectors
from wallet.forms import TransactionFilter
from wallet.models import TransactionType


@login_required
@require_safe
def wallet(request: CustomerRequest) -> HttpResponse:
    chosen = TransactionFilter(request.GET)
    chosen.is_valid()  # an invalid field filters nothing
    bounds = chosen.bounds()
    rows = selectors.transactions_of(user=request.user, **bounds)
    # The same filters by their names in the API, so that the export has what the page shows.
    start, end = (bounds[name] and bounds[name].isoformat() for name in ("start", "end"))
    export = {"type": bounds["type"], "start_date": start, "end_date": end}
    context = {
        "wallet": selectors.balance_of(user=request.user),
        "holds": selectors.holds_of(user=request.user),
        "types": TransactionType.choices,
        "chosen": request.GET,
        "filtered": bool(chosen.cleaned_data and any(chosen.cleaned_data.values())),
        "export": urlencode({name: value for name, value in export.items() if value}),
        "page": keyset_page(request, rows, "-sequence"),
    }
    return render(request, "wallet/wallet.html", context)
