"""What all operations have in common in the API's description: summary, scope, problem documents, headers.

A view names the error codes of its own (`extensions=error_codes(...)`); what any call may meet (no key, no scope, bad
fields, too many calls) is added here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import get_lib_doc_excludes
from drf_spectacular.utils import Direction

from config.lib.api.openapi import ERROR_CODES
from config.lib.api.openapi_front_page import TAGS, front_page
from config.lib.errors.problem_details import example_document
from config.lib.errors.registry import documented_errors

_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_ANY_CALL = ("validation_error", "not_authenticated", "forbidden", "throttled", "not_acceptable", "unavailable")
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


def lib_doc_excludes() -> list[type]:
    """Return the classes whose docstrings describe nothing to callers: one of spectacular's settings."""
    from config.lib.api import fields, idempotency, serializers

    modules = (fields, idempotency, serializers)
    ours = [
        kind
        for module in modules
        for kind in vars(module).values()
        if isinstance(kind, type) and kind.__module__ == module.__name__
    ]
    theirs: list[type] = get_lib_doc_excludes()  # type: ignore[no-untyped-call]
    return [*theirs, *ours]


class ClosedBody(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """Says that a body has no other fields than those that are described."""

    target_class = "config.lib.api.serializers.BodySerializer"
    match_subclasses = True

    def map_serializer(self, auto_schema: AutoSchema, direction: Direction) -> dict[str, Any]:
        schema: dict[str, Any] = auto_schema._map_serializer(  # type: ignore[no-untyped-call]
            self.target, direction, bypass_extensions=True
        )
        return {**schema, "additionalProperties": False}


class Schema(AutoSchema):
    """Describes a view: its docstring's first sentence is the summary, and the description names the scope."""

    def get_summary(self) -> str | None:
        return super().get_summary() or self._docstring().partition("\n")[0].partition(". ")[0].rstrip(".")

    def get_description(self) -> str:  # type: ignore[override]  # spectacular's own, the stubs are of DRF's
        if not hasattr(self.view, "get_permissions") or not self.get_auth():
            return self._docstring()
        scope = "read" if self.method in _SAFE_METHODS else getattr(self.view, "scope", "manage")
        needed = ", ".join(f"`{name}`" for name in getattr(self.view, "staff_permissions", ()))
        staff = f" Staff only, with a second factor and {needed}." if needed else ""
        return f"{self._docstring()}\n\nScope: `{scope}`.{staff}".strip()

    def _docstring(self) -> str:
        return str(super().get_description() or "").strip()

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        """Add the error codes that any call may meet, and the headers of every answer."""
        operation = super().get_operation(*args, **kwargs)
        if not operation:
            return operation
        codes = {*_ANY_CALL, *operation.get(ERROR_CODES, ())}
        if "requestBody" in operation:
            codes |= {"too_large", "unsupported_media_type"}
            required = getattr(self.get_request_serializer(), "body_required", None)
            if required is not None:
                operation["requestBody"]["required"] = required
        if any(parameter["in"] == "path" for parameter in operation.get("parameters", [])):
            codes.add("not_found")
        errors = documented_errors()
        operation[ERROR_CODES] = sorted(codes, key=lambda code: (errors[code].status, code))
        for answer in operation["responses"].values():
            answer["headers"] = {**answer.get("headers", {}), **_header_refs("X-Request-ID")}
            answer["description"] = answer.get("description") or "Done."
        for status, these in _by_status(operation[ERROR_CODES]).items():
            operation["responses"][str(status)] = {"$ref": f"#/components/responses/{_component_name(these)}"}
        return operation


def _by_status(codes: Iterable[str]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for code in codes:
        found.setdefault(documented_errors()[code].status, []).append(code)
    return found


def _component_name(codes: Sequence[str]) -> str:
    return "Or".join("".join(word.title() for word in code.split("_")) for code in codes)


def _header_refs(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def describe(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Add the components that the operations refer to, and the front page: spectacular's postprocessing hook."""
    components = result.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = _PROBLEM
    components["headers"] = dict(_HEADERS)
    operations = [operation for path in result["paths"].values() for operation in path.values()]
    responses = components.setdefault("responses", {})
    for operation in operations:
        for codes in _by_status(operation.get(ERROR_CODES, ())).values():
            responses[_component_name(codes)] = _problem_response(codes)
    components["responses"] = dict(sorted(responses.items()))
    used = {tag for operation in operations for tag in operation.get("tags", ())}
    result["tags"] = [{"name": name, "description": about} for name, about in TAGS.items() if name in used]
    result["info"]["description"] = front_page()
    result["servers"] = [{"url": settings.PUBLIC_URL}]
    return result


def _problem_response(codes: Sequence[str]) -> dict[str, Any]:
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
