"""Reads of this app."""

from __future__ import annotations

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accounts.models import User
from config.lib.errors.base import NotFound
from payments.models import Payment

NEWEST_FIRST = ("-created_at", "-id")


def payment_of(*, user: User, reference: str) -> Payment:
    """Return the user's payment. Raises NotFound, for another's too."""
    payment = Payment.objects.select_related("user").filter(user=user, reference=reference).first()
    if payment is None:
        raise NotFound(_("You have no such payment."))
    return payment


def payments_of(*, user: User) -> QuerySet[Payment]:
    """Return the user's payments, newest first."""
    return Payment.objects.filter(user=user).order_by(*NEWEST_FIRST)
