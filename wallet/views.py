"""The wallet's page."""

from __future__ import annotations

from datetime import datetime
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
    chosen.is_valid()  # a field that makes no sense filters nothing
    bounds = chosen.bounds()
    rows = selectors.transactions_of(user=request.user, **bounds)
    context = {
        "wallet": selectors.balance_of(user=request.user),
        "holds": selectors.holds_of(user=request.user),
        "types": TransactionType.choices,
        "chosen": request.GET,
        "filtered": bool(chosen.cleaned_data and any(chosen.cleaned_data.values())),
        "export": _export_query(**bounds),
        "page": keyset_page(request, rows, "-sequence"),
    }
    return render(request, "wallet/wallet.html", context)


def _export_query(*, type: str | None, start: datetime | None, end: datetime | None) -> str:  # noqa: A002
    """The same filters in the words of the API, so that the file has what the page shows."""
    given = {"type": type, "start_date": start and start.isoformat(), "end_date": end and end.isoformat()}
    return urlencode({name: value for name, value in given.items() if value})
