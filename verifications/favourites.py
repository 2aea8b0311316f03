"""Reads of a customer's favourites, and of what was bought last."""

from __future__ import annotations

from django.db.models import QuerySet
from django.db.models.functions import Lower

from accounts.models import User
from verifications import selectors
from verifications.models import Offer, Verification


def favourites_of(*, user: User, country: str = "US") -> QuerySet[Offer]:
    """Return the offers of the user's favourites, by title. What is no longer for sale is left out."""
    kept = selectors.services_for_sale(country=country).filter(service__favourites__user=user)
    return kept.order_by(Lower("service__title"), "pk")


def bought_last(*, user: User, country: str = "US", number: int = 4) -> list[Offer]:
    """Return offers of the services that the user bought last and can buy again, newest first, favourites left out."""
    recent = (
        Verification.objects.filter(user=user, charged=True)
        .order_by("-created_at")
        .values_list("service_id", flat=True)[:40]
    )
    last = list(dict.fromkeys(recent))
    offers = (
        selectors.services_for_sale(country=country).filter(service__in=last).exclude(service__favourites__user=user)
    )
    return sorted(offers, key=lambda offer: last.index(offer.service_id))[:number]
