"""Webhooks of the providers. They are verified over the raw body, which nothing may read or change before."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from config.lib.errors.base import DomainError
from config.lib.errors.problem_details import problem_response
from verifications import services


@csrf_exempt
@require_POST
def receive(request: HttpRequest, provider: str) -> JsonResponse:
    """Answer 200 once the message is kept or is none of ours, 401 if the provider didn't sign it, 400 for nonsense."""
    try:
        services.receive_webhook(provider=provider, headers=request.headers, body=request.body)
    except DomainError as refusal:
        return problem_response(refusal)
    return JsonResponse({"received": True})
