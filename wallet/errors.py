"""Refusals of this app."""

from __future__ import annotations

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from config.lib import money
from config.lib.errors.base import DomainError, KeyReused


class NotInTransaction(RuntimeError):
    """The caller has no transaction open around the change of state and its money."""


class InsufficientFunds(DomainError):
    """`available` and `required` are cents here and strings with two places in the problem document."""

    code = "insufficient_funds"
    status = 402
    title = _("Not enough money")
    detail = _("Not enough money in the wallet")
    remedy = _("Top up. Nothing was set aside or charged.")
    example = {
        "detail": "You have $1.00 available, and this costs $12.50. Top up $11.50 or more.",
        "available": "1.00",
        "required": "12.50",
    }

    def __init__(self, *, available: int, required: int) -> None:
        missing = max(required - available, settings.TOP_UP_MIN_CENTS)
        sentence = _("You have %(available)s available, and this costs %(required)s. Top up %(missing)s or more.") % {
            "available": money.display(available),
            "required": money.display(required),
            "missing": money.display(missing),
        }
        super().__init__(sentence, available=money.to_text(available), required=money.to_text(required))


class ReferenceReused(KeyReused):
    """The reference already belongs to another movement."""

    def __init__(self, reference: str) -> None:
        super().__init__(_("%(reference)s names a different movement of money already.") % {"reference": reference})


class AlreadyResolved(DomainError):
    """The hold has been captured or released before."""

    code = "already_ended"
    status = 409
    detail = _("This was settled before.")


class AlreadyReversed(AlreadyResolved):
    """The journal row has been reversed before, under another reference."""

    detail = _("This was reversed before.")
