"""Where the providers report. Verified over the raw body, so nothing may read or change it before."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from config.lib.errors import DomainError
from config.lib.problems import PROBLEM_TYPE
from verifications import services


@csrf_exempt
@require_POST
def receive(request: HttpRequest, provider: str) -> JsonResponse:
    """200 once the message is kept, or is none of ours; 401 for what the provider didn't sign, 400 for no sense."""
    try:
        services.receive_webhook(provider=provider, headers=request.headers, body=request.body)
    except DomainError as refusal:
        body = {
            "title": str(refusal.title),
            "status": refusal.status,
            "code": refusal.code,
            "detail": str(refusal.detail),
        }
        return JsonResponse(body, status=refusal.status, content_type=PROBLEM_TYPE)
    return JsonResponse({"received": True})
