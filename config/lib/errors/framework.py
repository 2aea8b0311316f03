"""The refusals of Django, REST framework and the database, as errors of ours."""

from __future__ import annotations

import math
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from rest_framework import exceptions

from config.lib.errors.base import DomainError, Forbidden, InvalidRequest, NotFound
from config.lib.postgres import limits

DATABASE_IS_BACK_IN = 5  # seconds: a restart, or a switch to the standby


class NotAuthenticated(DomainError):
    code = "not_authenticated"
    status = 401
    title = gettext_lazy("Not signed in")
    detail = gettext_lazy("Send an API key as Authorization: Bearer KEY, or sign in.")
    remedy = gettext_lazy("Send `Authorization: Bearer KEY` with a key that isn't revoked or expired.")


class MethodNotAllowed(DomainError):
    code = "method_not_allowed"
    status = 405
    title = gettext_lazy("Method not allowed")
    remedy = gettext_lazy("Use one of the methods in the `Allow` header.")
    example = {"detail": 'Method "PUT" not allowed.'}


class NotAcceptable(DomainError):
    code = "not_acceptable"
    status = 406
    title = gettext_lazy("Not acceptable")
    remedy = gettext_lazy("Accept `application/json`.")
    example = {"detail": "The answer comes as application/json. Accept that."}


class TooLarge(DomainError):
    code = "too_large"
    status = 413
    title = gettext_lazy("The request is too large")
    detail = gettext_lazy("Send a smaller request. Nothing was saved.")
    remedy = gettext_lazy("Send a smaller request.")
    example = {"detail": "Send at most 2621440 bytes."}


class UnsupportedMediaType(DomainError):
    code = "unsupported_media_type"
    status = 415
    title = gettext_lazy("Unsupported media type")
    remedy = gettext_lazy("Send `application/json`.")
    example = {"detail": 'Unsupported media type "text/plain" in request. Send application/json.'}


class Throttled(DomainError):
    code = "throttled"
    status = 429
    title = gettext_lazy("Too many calls")
    remedy = gettext_lazy("Wait `retry_after` seconds, then try again.")
    example = {"detail": "You call more often than you may. Try again in 12 seconds.", "retry_after": 12}


class ServerError(DomainError):
    code = "server_error"
    status = 500
    title = gettext_lazy("Something went wrong on our side")
    detail = gettext_lazy("Your money is safe: anything in progress is finished or undone. Try again in a moment.")
    remedy = gettext_lazy(
        "Try again in a moment with the same `Idempotency-Key`. If it goes on, contact support with `X-Request-ID`."
    )


class DatabaseUnavailable(DomainError):
    code = "unavailable"
    status = 503
    title = gettext_lazy("We're having trouble right now")
    detail = gettext_lazy(
        "Our database did not respond. Anything in progress is finished; send the request again with the same key."
    )
    remedy = gettext_lazy("Wait `retry_after` seconds, then ask again with the same `Idempotency-Key`.")
    example = {"retry_after": DATABASE_IS_BACK_IN}
    table_order = 3


class RowLocked(DatabaseUnavailable):
    """Something else has held a row of the customer's for too long."""

    detail = gettext_lazy(
        "Another change to your account is still under way. Try again in a few seconds: "
        "anything in progress is finished or undone."
    )


_BY_STATUS: dict[int, type[DomainError]] = {
    error.status: error
    for error in (
        InvalidRequest, NotAuthenticated, Forbidden, NotFound, MethodNotAllowed, NotAcceptable, TooLarge,
        UnsupportedMediaType, Throttled,
    )
}  # fmt: skip


def to_domain_error(error: Exception) -> DomainError | None:
    """Return a refusal as one of ours, or None for an exception that is a bug."""
    if isinstance(error, DomainError):
        return error
    if isinstance(error, RequestDataTooBig):
        return TooLarge()
    if limits.is_away(error):
        kind = RowLocked if limits.is_lock_timeout(error) else DatabaseUnavailable
        return kind(retry_after=DATABASE_IS_BACK_IN)
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    if isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    if isinstance(error, exceptions.ValidationError):
        detail = error.detail
        by_field = detail if isinstance(detail, dict) else {"non_field_errors": detail}
        return InvalidRequest(_first_sentence(detail), errors=by_field)
    return _from_api_exception(error) if isinstance(error, exceptions.APIException) else None


def _first_sentence(detail: Any) -> str:
    if isinstance(detail, dict):
        name, first = next(iter(detail.items()))
        sentence = _first_sentence(first)
        return sentence if name == "non_field_errors" else f"{name}: {sentence}"
    if isinstance(detail, list):
        return _first_sentence(detail[0]) if detail else ""
    return str(detail)


def _from_api_exception(error: exceptions.APIException) -> DomainError:
    """Keep REST framework's sentence, but where it leaves out what would be right."""
    sentence, extra = str(error.detail), {}
    if isinstance(error, exceptions.NotAuthenticated):
        sentence = str(NotAuthenticated.detail)
    elif isinstance(error, exceptions.NotFound) and error.detail == error.default_detail:
        sentence = _("Not found, or it belongs to another account.")
    elif isinstance(error, exceptions.NotAcceptable):
        offered = [renderer.media_type for renderer in error.available_renderers or ()]
        types = ", ".join(offered) or "application/json"
        sentence = _("The answer comes as {types}. Accept that.").format(types=types)
    elif isinstance(error, exceptions.UnsupportedMediaType):
        sentence = _("{why} Send application/json.").format(why=error.detail)
    elif isinstance(error, exceptions.Throttled):
        seconds = extra["retry_after"] = math.ceil(getattr(error, "wait", None) or 1)
        sentence = ngettext(
            "You call more often than you may. Try again in {seconds} second.",
            "You call more often than you may. Try again in {seconds} seconds.",
            seconds,
        ).format(seconds=seconds)
    ours = _BY_STATUS.get(error.status_code, DomainError)(sentence, **extra)
    if type(ours) is DomainError:
        ours.code, ours.status = str(error.default_code), error.status_code
    return ours
