"""What every operation of the API's description has in common: a summary, its refusals as problem documents, headers.

A view names the refusals of its own with `extensions=refusals("insufficient_funds", …)`; what any call may meet (no
key, no scope, bad fields, too many calls) is added here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import get_lib_doc_excludes
from drf_spectacular.utils import Direction, OpenApiExample, OpenApiParameter

from config.lib.errors.problem_details import example_document
from config.lib.errors.registry import documented_errors

_CODES = "x-error-codes"


_AMOUNT = {"type": "string", "pattern": r"^-?\d{1,17}\.\d{2}$"}
_PROBLEM = {
    "type": "object",
    "description": "RFC 9457. Decide by `code`; show `detail`, a sentence for a person.",
    "properties": {
        "type": {"type": "string", "format": "uri", "description": "An address that explains the code."},
        "title": {"type": "string", "description": "What the code is called: the same each time."},
        "status": {"type": "integer", "description": "The HTTP status again."},
        "detail": {"type": "string", "description": "What is wrong and what would be right."},
        "code": {"type": "string", "description": "One of the words in the table above."},
        "errors": {
            "type": "object",
            "additionalProperties": {},
            "description": "With `validation_error`: each field that is wrong, with its sentences.",
        },
        "retry_after": {"type": "number", "description": "Seconds; the Retry-After header has them rounded up."},
        "verification_id": {
            "type": "string",
            "format": "uuid",
            "description": "Of a purchase that was refused after its price was held. The hold is released.",
        },
        "reference": {"type": "string", "description": "Of the payment that this is about."},
        "price": {**_AMOUNT, "description": "With `price_moved`: the price now."},
        "available": {**_AMOUNT, "description": "With `insufficient_funds`: what you can spend."},
        "required": {**_AMOUNT, "description": "With `insufficient_funds`: what this costs."},
    },
    "required": ["type", "title", "status", "detail", "code", "errors"],
}

_HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-ID": {
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9-]{8,64}$"},
        "required": True,
        "description": "Yours, if you sent one of that shape, else ours. Name it when you write to support.",
    },
    "Retry-After": {
        "schema": {"type": "integer", "minimum": 0},
        "description": "Seconds to wait before trying again.",
    },
    "WWW-Authenticate": {
        "schema": {"type": "string"},
        "required": True,
        "description": "How to authenticate.",
    },
}

TAGS = {
    "catalogue": "What may be bought, where, for how much.",
    "verifications": "Buy a number, wait for its code, give it back.",
    "wallet": "What you have, and where every cent went.",
    "payments": "Top up.",
    "refunds": "What came back, and why.",
    "notifications": "What you were told.",
    "activities": "Everything that happened on your account.",
    "websocket": "News as it happens.",
    "keys": "API keys and what they may do.",
    "policy": "The acceptable-use policy.",
    "staff": "For staff alone.",
}


def refusals(*codes: str) -> dict[str, Any]:
    """`extensions=` of an operation: the refusals of its own, beyond those that any call may meet."""
    return {_CODES: list(codes)}


def asked(title: str, value: Any) -> OpenApiExample:
    """An example of a request's body."""
    return OpenApiExample(title, value=value, request_only=True)


def answered(title: str, value: Any, *statuses: int, media_type: str = "application/json") -> OpenApiExample:
    """An example of an answer (200 unless told)."""
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


def lib_doc_excludes() -> list[type]:
    """spectacular's setting: of whom a docstring is a word to our programmers, and so no serializer's description."""
    from config.lib.api import common

    ours = [one for one in vars(common).values() if isinstance(one, type) and one.__module__ == common.__name__]
    theirs: list[type] = get_lib_doc_excludes()  # type: ignore[no-untyped-call]
    return [*theirs, *ours]


class ClosedBody(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """A body has no other fields than those that are described."""

    target_class = "config.lib.api.common.BodySerializer"
    match_subclasses = True

    def map_serializer(self, auto_schema: AutoSchema, direction: Direction) -> dict[str, Any]:
        schema: dict[str, Any] = auto_schema._map_serializer(  # type: ignore[no-untyped-call]
            self.target, direction, bypass_extensions=True
        )
        return {**schema, "additionalProperties": False}


class Schema(AutoSchema):
    """The house's reading of a view: its docstring's first sentence is the summary, its scope is said."""

    def get_summary(self) -> str | None:
        return super().get_summary() or self._own_words().partition("\n")[0].partition(". ")[0].rstrip(".")

    def get_description(self) -> str:  # type: ignore[override]  # spectacular's own, the stubs are of DRF's
        return f"{self._own_words()}\n\n{self._who()}".strip()

    def _own_words(self) -> str:
        return str(super().get_description() or "").strip()

    def _who(self) -> str:
        from rest_framework.permissions import SAFE_METHODS

        if not hasattr(self.view, "get_permissions") or not self.get_auth():
            return ""
        scope = "read" if self.method in SAFE_METHODS else getattr(self.view, "scope", "manage")
        needed = ", ".join(f"`{name}`" for name in getattr(self.view, "staff_permissions", ()))
        return f"Scope: `{scope}`." + (f" Staff only, with a second factor and {needed}." if needed else "")

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        operation = super().get_operation(*args, **kwargs)
        if operation:
            if "requestBody" in operation:
                required = getattr(self.get_request_serializer(), "body_required", None)
                if required is not None:
                    operation["requestBody"]["required"] = required
            _complete(operation)
        return operation


def _complete(operation: dict[str, Any]) -> None:
    """Add the refusals that any call may meet, and the headers of every answer."""
    codes = {"validation_error", "not_authenticated", "forbidden", "throttled", "not_acceptable", "unavailable"}
    if "requestBody" in operation:
        codes |= {"too_large", "unsupported_media_type"}
    if any(parameter["in"] == "path" for parameter in operation.get("parameters", [])):
        codes.add("not_found")
    errors = documented_errors()
    ordered = sorted({*codes, *operation.get(_CODES, ())}, key=lambda code: (errors[code].status, code))
    operation[_CODES] = ordered
    for answer in operation["responses"].values():
        answer["headers"] = {**answer.get("headers", {}), **_header_refs("X-Request-ID")}
        answer["description"] = answer.get("description") or "Done."
    for status, these in _by_status(ordered).items():
        operation["responses"][str(status)] = {"$ref": f"#/components/responses/{_name(these)}"}


def _by_status(codes: Iterable[str]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for code in codes:
        found.setdefault(documented_errors()[code].status, []).append(code)
    return found


def _name(codes: Sequence[str]) -> str:
    return "Or".join("".join(word.title() for word in code.split("_")) for code in codes)


def _header_refs(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def describe(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """spectacular's postprocessing hook: what operations refer to, and the front page."""
    components = result.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = _PROBLEM
    components["headers"] = dict(_HEADERS)
    answers = components.setdefault("responses", {})
    used: set[str] = set()
    for operations in result["paths"].values():
        for operation in operations.values():
            used.update(operation.get("tags", ()))
            for codes in _by_status(operation.get(_CODES, ())).values():
                answers[_name(codes)] = _answer(codes)
    components["responses"] = dict(sorted(answers.items()))
    result["tags"] = [{"name": name, "description": about} for name, about in TAGS.items() if name in used]
    result["info"]["description"] = front_page()
    result["servers"] = [{"url": settings.PUBLIC_URL}]
    return result


def _answer(codes: Sequence[str]) -> dict[str, Any]:
    errors = [documented_errors()[code] for code in codes]
    status = errors[0].status
    headers = ["X-Request-ID"]
    if any("retry_after" in error.example for error in errors):
        headers.append("Retry-After")
    if status == HTTPStatus.UNAUTHORIZED:
        headers.append("WWW-Authenticate")
    return {
        "description": f"{HTTPStatus(status).phrase}: " + ", ".join(f"`{code}`" for code in codes) + ".",
        "headers": _header_refs(*headers),
        "content": {
            "application/problem+json": {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "examples": {error.code: {"value": example_document(error)} for error in errors},
            }
        },
    }


def front_page() -> str:
    """What stands above the operations, as Markdown."""
    rows = "\n".join(f"| `{code}` | {one.status} | {one.remedy} |" for code, one in documented_errors().items())
    rates: dict[str, Any] = settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]  # type: ignore[assignment]
    words = {name: f"{rate.partition('/')[0]} a {_SPANS[rate.partition('/')[2][0]]}" for name, rate in rates.items()}
    return _FRONT_PAGE.format(url=settings.PUBLIC_URL, rows=rows, **words)


_SPANS = {"s": "second", "m": "minute", "h": "hour", "d": "day"}  # as DRF reads a rate
_FRONT_PAGE = """\
Buy a temporary number, receive the code, see where every cent went.

## Quick start

Make a key under *Settings, API keys*, and try it on a service that costs little and always gets its code
(`test_success` is for sale where one tries things out):

```
export KEY=rf_…

curl {url}/api/wallet/balance -H "Authorization: Bearer $KEY"

curl -X POST {url}/api/v1/verify/create \\
     -H "Authorization: Bearer $KEY" -H "Content-Type: application/json" \\
     -H "Idempotency-Key: my-first-number" \\
     -d '{{"service_name": "test_success", "country": "US", "max_price": "1.00"}}'

curl {url}/api/v1/verify/ID -H "Authorization: Bearer $KEY"
```

Ask again until `status` is `completed` (then `code` is there) or one of `timed_out`, `cancelled`, `failed` (then
`refund` is there, or nothing was charged). Or open a socket with `POST /api/websocket/ticket` and be told.

## What holds everywhere

* **Keys** go into `Authorization: Bearer KEY` and have scopes: `read` to look, `buy` for numbers, `pay` for top-ups,
  `manage` for keys, notifications and the policy. Pages use their session and a CSRF token instead.
* **Money** is a string with two places (`"2.50"`), **times** are ISO 8601 in UTC, **bodies** are JSON.
* **Once only:** send an `Idempotency-Key` of your own with what costs money. The same request under the same key does
  nothing twice: it is answered 200 with `Idempotent-Replayed: true`. Another request under a used key is 422.
* **Lists** take `skip` and `limit` (1 to 100) and say the `total` of what the filters leave, whatever the page. Where
  rows can be many, `before` goes on below a row and `after` above it, at the same cost however deep. Newest first.
* **Throttles:** {key} for each key (without one: each user), {user} for all keys of a user together, and for purchases
  {purchase} for each user. What is above is 429 with `Retry-After`.
* **Unknown outcome:** where the provider's answer is lost, a purchase is 201 with the status `requested` and settles by
  itself: read it again.
* Each answer has an `X-Request-ID`.

## Errors

`application/problem+json` (RFC 9457): `type`, `title`, `status`, `detail`, `code`, `errors`. Decide by `code`.

| code | status | what to do |
| --- | --- | --- |
{rows}
"""
