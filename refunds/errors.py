"""Refusals of this app."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from config.lib.errors.base import DomainError


class NothingToRefund(DomainError):
    """The journal has no charge for the verification."""

    code = "nothing_to_refund"
    status = 409
    detail = _("Nothing was charged for this verification, so there is nothing to refund.")
