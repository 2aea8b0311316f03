"""DomainError, and the refusals that several apps raise.

Each app defines its own beside the service that raises them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Text = str | Promise

# The classes that document their code, by code. Read it through config.lib.errors.registry.
documented: dict[str, type[DomainError]] = {}


class DomainError(Exception):
    """A refusal that its reader can act on.

    `code` is the API's machine word, `status` the HTTP status, and `detail` the sentence for a person about this
    occurrence; the class has the one that is used when none is given. `extra` are further members of the problem
    document (`retry_after` in seconds also becomes the header).

    The class with a `remedy` documents its code, once for all classes that share the code: in the API's description,
    on /help and in docs/api.md. Such a class has besides:

    title: what the code is called, the same in each document with the code (RFC 9457).
    remedy: what a caller does about it, with code in backticks.
    example: the members of an example document that differ from the class's own.
    table_order: its place among the codes of its status in those tables; equal ones are sorted by code.
    """

    code = "refused"
    status = 400
    detail: Text = "Refused"
    title: ClassVar[Text]
    remedy: ClassVar[Text]
    example: ClassVar[Mapping[str, Any]] = {}
    table_order: ClassVar[int] = 0

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "remedy" in vars(cls) and documented.setdefault(cls.code, cls) is not cls:
            raise TypeError(f"{cls.__name__} documents {cls.code}, as {documented[cls.code].__name__} does")

    def __init__(self, detail: Text = "", **extra: Any) -> None:
        self.detail = detail or type(self).detail
        self.extra = extra
        super().__init__(str(self.detail))


class InvalidRequest(DomainError):
    """`errors` has the sentences by field."""

    code = "validation_error"
    status = 400
    title = _("Invalid request")
    detail = _("Invalid request")
    remedy = _("Fix the fields listed in `errors`.")
    example = {
        "detail": "limit: Ensure this value is less than or equal to 100.",
        "errors": {"limit": ["Ensure this value is less than or equal to 100."]},
    }


class InvalidField(InvalidRequest):
    """One field is wrong, and the sentence says what would be right."""

    def __init__(self, field: str, sentence: Text) -> None:
        super().__init__(sentence, errors={field: [str(sentence)]})


class BadWebhook(DomainError):
    code = "bad_webhook"
    status = 400
    title = _("The webhook was refused")
    detail = _("This webhook could not be read. Send it as documented, with a JSON body.")
    remedy = _(
        "For payment gateways and number providers: sign the raw body with the shared secret, and send it as JSON."
    )
    table_order = 1


class Forbidden(DomainError):
    code = "forbidden"
    status = 403
    title = _("Not allowed")
    detail: Text = "Forbidden"
    remedy = _("Use a key with the scope named in `detail`.")
    example = {"detail": "This API key lacks the scope 'buy'."}


class NotFound(DomainError):
    code = "not_found"
    status = 404
    title = _("Not found")
    detail: Text = "Not found"
    remedy = _("Check the ID. Items of other accounts also answer 404.")
    example = {"detail": "You have no such verification."}


class KeyReused(DomainError):
    code = "key_reused"
    status = 422
    title = _("The idempotency key was used for something else")
    detail = _("This idempotency key was used for another request. Send a new key with a new request.")
    remedy = _("Send a new key with a new request.")


class OverLimit(DomainError):
    """`retry_after` in seconds, where waiting helps."""

    code = "over_limit"
    status = 429
    title = _("You have reached a limit")
    detail = _("You have reached a limit. Wait a little and try again.")
    remedy = _("Wait `retry_after` seconds if it is given; otherwise wait until something of yours has ended.")
    example = {
        "detail": "You can buy 100 numbers an hour, and have. Wait until the first of them is an hour old.",
        "retry_after": 240,
    }
