"""Front page, help, health and metrics."""

from __future__ import annotations

import hmac

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from redis.exceptions import RedisError

from config import heartbeats
from config.lib.errors.problem_details import address_not_found
from config.lib.errors.registry import documented_errors
from config.lib.metrics import multiprocess
from verifications import favourites
from verifications import selectors as verifications
from wallet import selectors as wallets

_QUEUES = CollectorRegistry()
_QUEUES.register(heartbeats.QueueCollector())


@never_cache
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Show the dashboard to a customer, and the landing page to anybody else."""
    if not request.user.is_authenticated:
        offers, others = verifications.popular_offers()
        title, price = (offers[0].service.title, offers[0].price or 0) if offers else (_("Example service"), 1_00)
        example = {"title": title, "price": price, "left": 20_00 - price}
        landing = {"offers": offers, "others": others, "example": example, "least": settings.TOP_UP_MIN_CENTS}
        return render(request, "site/landing.html", landing)
    user = request.user
    context = {
        "wallet": wallets.balance_of(user=user),
        "recent": wallets.transactions_of(user=user)[:6],
        "running": verifications.open_or_just_completed(user=user, now=timezone.now()),
        "favourites": favourites.favourites_of(user=user)[:6],
        "bought_last": favourites.bought_last(user=user),
    }
    return render(request, "site/dashboard.html", context)


@require_safe
def help_page(request: HttpRequest) -> HttpResponse:
    errors = [
        {"code": code, "status": error.status, "remedy": error.remedy} for code, error in documented_errors().items()
    ]
    return render(request, "site/help.html", {"errors": errors, "least": settings.TOP_UP_MIN_CENTS})


@csrf_exempt  # another method is 405, not a matter of tokens
@require_safe
def live(request: HttpRequest) -> JsonResponse:
    """Answer that the process runs."""
    return JsonResponse({"status": "ok"})


@csrf_exempt  # another method is 405, not a matter of tokens
@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """Answer whether the database answers. Name Redis and the silent queues too: pages work without them."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        return JsonResponse({"status": "down", "database": type(error).__name__}, status=503)
    try:
        silent = heartbeats.silent_queues()
    except RedisError as error:
        return JsonResponse({"status": "degraded", "database": "ok", "redis": type(error).__name__})
    if silent:
        return JsonResponse({"status": "degraded", "database": "ok", "redis": "ok", "silent": silent})
    return JsonResponse({"status": "ok", "database": "ok", "redis": "ok"})


@csrf_exempt  # another method is 405, not a matter of tokens
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Return the metrics for Prometheus, to METRICS_TOKEN as bearer, or to anybody while DEBUG is on."""
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    token = settings.METRICS_TOKEN
    allowed = bool(token) and hmac.compare_digest(given.encode(), token.encode())
    if not (allowed or settings.METRICS_OPEN):
        return HttpResponse(status=401)
    return HttpResponse(
        generate_latest(multiprocess.registry()) + generate_latest(_QUEUES), content_type=CONTENT_TYPE_LATEST
    )


@csrf_exempt  # nothing is done here, and programs have no CSRF token
def api_not_found(request: HttpRequest) -> JsonResponse:
    return address_not_found(request.path)
