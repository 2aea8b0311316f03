"""Refusals of this app."""

from __future__ import annotations

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from config.lib import money
from config.lib.errors.base import DomainError


class NotInTransaction(RuntimeError):
    """Money moves with the state that it belongs to: the caller opens atomic() around both."""


class InsufficientFunds(DomainError):
    """`available` and `required` are cents here and strings with two places in the problem document."""

    code = "insufficient_funds"
    status = 402
    title = _("Not enough money in the wallet")

    def __init__(self, *, available: int, required: int) -> None:
        missing = max(required - available, settings.TOP_UP_MIN_CENTS)
        sentence = _("You have %(available)s available, and this costs %(required)s. Top up %(missing)s or more.") % {
            "available": money.display(available),
            "required": money.display(required),
            "missing": money.display(missing),
        }
        super().__init__(sentence, available=money.to_text(available), required=money.to_text(required))


class ReferenceReused(DomainError):
    """The reference names another movement already."""

    code = "key_reused"
    status = 422
    title = _("Reference used before")

    def __init__(self, reference: str) -> None:
        super().__init__(_("%(reference)s names a different movement of money already.") % {"reference": reference})


class AlreadyResolved(DomainError):
    """The hold was captured or released before."""

    code = "already_ended"
    status = 409
    title = _("This was settled before.")


class AlreadyReversed(AlreadyResolved):
    """The journal row was undone before, under another reference."""

    title = _("This was reversed before.")
