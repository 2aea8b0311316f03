"""Where the providers report. Verified over the raw body, so nothing may read or change it before."""

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
    """200 once the message is kept, or is none of ours; 401 for what the provider didn't sign, 400 for no sense."""
    try:
        services.receive_webhook(provider=provider, headers=request.headers, body=request.body)
    except DomainError as refusal:
        return problem_response(refusal)
    return JsonResponse({"received": True})
