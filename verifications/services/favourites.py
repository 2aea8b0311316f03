"""A customer's favourites."""

from __future__ import annotations

from accounts.models import User
from verifications import errors
from verifications.models import Favourite, Service


def add_favourite(*, user: User, service_name: str) -> Favourite:
    """Add a service to the favourites. Idempotent. Raises UnknownService where we sell none of that name."""
    sold = Service.objects.filter(name=service_name, blocked=False, category__blocked=False).first()
    if sold is None:
        raise errors.UnknownService()
    return Favourite.objects.get_or_create(user=user, service=sold)[0]


def remove_favourite(*, user: User, service_name: str) -> None:
    """Remove a service from the favourites. Idempotent."""
    Favourite.objects.filter(user=user, service__name=service_name).delete()
