"""Webhooks of the gateways. Signatures are verified over the raw body, so nothing may read or change it before."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from config.lib.errors.base import BadWebhook
from config.lib.errors.problem_details import problem_response
from payments import services


@csrf_exempt
@require_POST
def receive(request: HttpRequest, gateway: str) -> JsonResponse:
    """Answer 200 once the event is kept, whether or not it could be applied; 400 for what the gateway didn't sign."""
    try:
        services.receive_webhook(gateway=gateway, headers=request.headers, body=request.body, now=timezone.now())
    except BadWebhook as refusal:
        return problem_response(refusal)
    return JsonResponse({"received": True})
