"""Reads of this app."""

from __future__ import annotations

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from config.lib.errors.base import NotFound
from refunds.models import Refund


def refunds_of(*, user: User) -> QuerySet[Refund]:
    """Return the user's refunds, newest first, each with its verification and service."""
    return Refund.objects.filter(user=user).select_related("verification__service").order_by("-created_at", "-id")


def refund_of(*, user: User, reference: str) -> Refund:
    """Return one of the user's refunds. Raises NotFound, also for another user's refund."""
    refund = refunds_of(user=user).filter(reference=reference).first()
    if refund is None:
        raise NotFound(_("You have no such refund."))
    return refund
