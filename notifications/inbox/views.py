"""The inbox's page. Works without scripts; with them it stays up to date by itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.http import CustomerRequest
from config.lib.errors.base import NotFound
from notifications.inbox import rendering, search, selectors, services
from notifications.inbox.forms import ARCHIVED, SORTS, STATES, CentreFilter

PAGE_SIZE = 25
MOST_SHOWN = 300
PANEL_SIZE = 15

CHANGES: dict[str, Callable[..., services.Changed]] = {
    "read": services.mark_read,
    "archive": services.archive,
    "delete": services.delete,
}


@login_required
@never_cache
@require_safe
def notifications(request: CustomerRequest) -> HttpResponse:
    """Show the centre; for htmx its list alone, or with `from` only the rows after that place."""
    if request.GET.get("panel"):
        rows = _shown(selectors.visible(user=request.user)[:PANEL_SIZE], request)
        return render(request, "notifications/partials/panel.html", {"rows": rows})
    filters = CentreFilter(request.GET)
    chosen = filters.chosen
    context = {
        "filters": filters,
        "chosen": chosen,
        "archived": chosen.get("state") == ARCHIVED,
        **_page(request, filters),
    }
    if request.headers.get("HX-Request") and not request.headers.get("HX-History-Restore-Request"):
        if request.GET.get("from"):
            return render(request, "notifications/partials/groups.html", context)
        answer = render(request, "notifications/partials/list.html", context)
        answer["HX-Push-Url"] = _address(filters)
        return answer
    categories = selectors.categories(user=request.user)
    context |= {
        "categories": [entry for entry in categories if entry["total"] or entry["category"] == chosen.get("category")],
        "states": STATES,
        "sorts": SORTS,
    }
    return render(request, "notifications/notifications.html", context)


def _page(request: CustomerRequest, filters: CentreFilter) -> dict[str, Any]:
    """Return `rows`, the query string of what is `older`, and the day that the page above has `begun` already."""
    size, shown = PAGE_SIZE, request.GET.get("shown", "")
    if shown.isdecimal() and len(shown) < 6:  # as many rows as the page shows already, when it is drawn anew
        size = min(max(int(shown), PAGE_SIZE), MOST_SHOWN)
    place = request.GET.get("from", "")
    listing = selectors.listing(user=request.user, **filters.bounds())
    found = list(selectors.beyond(listing, place=place, sort=filters.order)[: size + 1])
    rows = _shown(found[:size], request)
    older = ""
    if len(found) > size:
        day = timezone.localtime(rows[-1]["created_at"]).date()
        older = filters.query_string(**{"from": selectors.place_of(found[size - 1]), "day": day})
    suggestions = search.suggestions(found[:size]) if rows and not place else []
    return {
        "rows": rows,
        "older": older,
        "newest": _address(filters) if place and "HX-Request" not in request.headers else "",
        "begun": request.GET.get("day", "") if "HX-Request" in request.headers else "",
        "suggestions": suggestions,
    }


def _shown(found: Any, request: CustomerRequest) -> list[dict[str, Any]]:
    shown = rendering.render_all(found, user=request.user)
    return [{**row, "created_at": datetime.fromisoformat(row["created_at"])} for row in shown]


@login_required
@require_POST
def change(request: CustomerRequest) -> HttpResponse:
    """Read, archive or delete: `one` ("read:17"), `some` with `ids`, or `all` that the address's filters leave.

    A script gets JSON ({changed, unread, detail}), a form the page.
    """
    filters = CentreFilter(request.GET)
    verb, which = _asked(request, filters)
    changed = 0
    if verb in CHANGES:
        outcome = CHANGES[verb](user=request.user, **which)
        changed = outcome.changed
    sentences = {
        "read": ngettext("%d notification marked as read.", "%d notifications marked as read.", changed),
        "archive": ngettext("%d notification archived.", "%d notifications archived.", changed),
        "delete": ngettext("%d notification deleted.", "%d notifications deleted.", changed),
    }
    words = sentences[verb] % changed if verb in sentences else _("Choose what to do first.")
    if request.headers.get("Accept", "").startswith("application/json"):
        return JsonResponse({"changed": changed, "detail": words})
    messages.info(request, words)
    return redirect(_address(filters))


def _address(filters: CentreFilter) -> str:
    return f"{reverse('notifications')}?{filters.query_string()}".rstrip("?")


def _asked(request: CustomerRequest, filters: CentreFilter) -> tuple[str, dict[str, Any]]:
    given = request.POST
    if "one" in given:
        verb, _colon, row = given["one"].partition(":")
        return verb, {"ids": _ids([row])}
    if "some" in given:
        return given["some"], {"ids": _ids(given.getlist("ids"))}
    if filters.narrows:
        rows = selectors.listing(user=request.user, **filters.bounds())
        return given.get("all", ""), {"ids": list(rows.order_by().values_list("pk", flat=True))}
    return given.get("all", ""), {"all": True}


def _ids(texts: list[str]) -> list[int]:
    return [int(text) for text in texts if text.isdecimal() and len(text) <= 18]


@login_required
@require_POST
def open_notification(request: CustomerRequest, notification_id: int) -> HttpResponse:
    """Mark it clicked and go where it points."""
    try:
        notification = selectors.notification_of(user=request.user, notification_id=notification_id)
    except NotFound:
        return render(request, "errors/404.html", status=404)
    services.mark_clicked(user=request.user, notification_id=notification_id)
    return redirect(rendering.render(notification)["link"] or "notifications")
