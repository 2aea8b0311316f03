"""The inbox's page. Works without scripts; with them it stays up to date by itself."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.http import CustomerRequest
from config.lib.errors import NotFound
from notifications import selectors, services

PAGE_SIZE = 25
PANEL_SIZE = 15


@login_required
@never_cache
@require_safe
def notifications(request: CustomerRequest) -> HttpResponse:
    category, before = request.GET.get("category", ""), request.GET.get("before", "")
    unread_only = request.GET.get("unread") == "1"
    found = selectors.listing(
        user=request.user,
        category=category,
        is_read=False if unread_only else None,
        before=int(before) if before.isdecimal() and len(before) <= 18 else None,
    )
    shown = selectors.render_all(found[: PAGE_SIZE + 1], user=request.user)
    query = request.GET.copy()
    older = ""
    if len(shown) > PAGE_SIZE:
        shown = shown[:PAGE_SIZE]
        query["before"] = str(shown[-1]["seq"])
        older = query.urlencode()
    rows = [{**row, "created_at": datetime.fromisoformat(row["created_at"])} for row in shown]
    if request.GET.get("panel"):
        return render(request, "notifications/partials/panel.html", {"rows": rows[:PANEL_SIZE]})
    categories = [entry for entry in selectors.categories(user=request.user) if entry["total"]]
    context = {"rows": rows, "older": older, "category": category, "unread_only": unread_only, "categories": categories}
    return render(request, "notifications/notifications.html", context)


@login_required
@require_POST
def read_all(request: CustomerRequest) -> HttpResponse:
    services.mark_read(user=request.user, all=True)
    return redirect("notifications")


@login_required
@require_POST
def open_notification(request: CustomerRequest, notification_id: int) -> HttpResponse:
    """Marks it clicked and goes where it points."""
    try:
        notification = selectors.notification_of(user=request.user, notification_id=notification_id)
    except NotFound:
        return render(request, "errors/404.html", status=404)
    services.mark_clicked(user=request.user, notification_id=notification_id)
    return redirect(selectors.render(notification)["link"] or "notifications")
