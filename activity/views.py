"""The customer's feed."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.http import CustomerRequest
from activity import selectors
from activity.forms import FeedFilter
from config.lib.paging import keyset_page


@login_required
@require_safe
def activity(request: CustomerRequest) -> HttpResponse:
    chosen = FeedFilter(request.GET)
    chosen.is_valid()  # a field that makes no sense filters nothing
    rows = selectors.feed(user=request.user, **chosen.bounds())
    context = {
        "types": chosen.fields["type"].choices,  # type: ignore[attr-defined]
        "chosen": request.GET,
        "filtered": bool(chosen.cleaned_data and any(chosen.cleaned_data.values())),
        "page": keyset_page(request, rows, "-id"),
    }
    return render(request, "activity/activity.html", context)
