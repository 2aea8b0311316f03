"""Expected refusals. Each app defines its own beside the service that raises them."""

from __future__ import annotations

from typing import Any

from django.utils.functional import Promise


class DomainError(Exception):
    """A refusal that its reader can act on.

    `code` is the API's machine word, `status` the HTTP status, `detail` the sentence for a person;
    `extra` are further members of the problem document (`retry_after` in seconds also becomes the header).
    """

    code = "refused"
    status = 400
    title: str | Promise = "Refused"

    def __init__(self, detail: str | Promise = "", **extra: Any) -> None:
        self.detail = detail or self.title
        self.extra = extra
        super().__init__(str(self.detail))


class NotFound(DomainError):
    code = "not_found"
    status = 404
    title: str | Promise = "Not found"


class Forbidden(DomainError):
    code = "forbidden"
    status = 403
    title: str | Promise = "Forbidden"
