"""What the views say about their operations in the API's description.

What all operations have in common is added by openapi_schema.py.
"""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter

ERROR_CODES = "x-error-codes"


def error_codes(*codes: str) -> dict[str, Any]:
    """Return the `extensions=` of an operation: its own error codes, beyond those that any call may meet."""
    return {ERROR_CODES: list(codes)}


def request_example(title: str, value: Any) -> OpenApiExample:
    """Return an example of a request's body."""
    return OpenApiExample(title, value=value, request_only=True)


def response_example(title: str, value: Any, *statuses: int, media_type: str = "application/json") -> OpenApiExample:
    """Return an example of an answer, with the status 200 unless others are given."""
    codes = [str(status) for status in statuses or (200,)]
    return OpenApiExample(title, value=value, response_only=True, status_codes=codes, media_type=media_type)


def idempotency_key(description: str) -> OpenApiParameter:
    schema = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$"}
    return OpenApiParameter("Idempotency-Key", schema, OpenApiParameter.HEADER, description=description)


REPLAYED = OpenApiParameter(
    "Idempotent-Replayed",
    {"type": "string", "enum": ["true"]},
    OpenApiParameter.HEADER,
    required=True,
    response=[200],
    description="This answers a request that was made before; nothing was done now.",
)
