"""The transitions of a verification between its states, and the locks that they need."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from config.lib.postgres.rows import columns, one
from verifications.models import OPEN, TRANSITIONS, Verification


class InvalidTransition(RuntimeError):
    """A bug: TRANSITIONS has no such entry."""


def transition(verification: Verification, to: str, *, now: datetime, **fields: Any) -> bool:
    """Change the status by compare-and-set; return False where it changed meanwhile. Call inside atomic().

    The row is locked from then on. `fields` are written with it; `verification` shows the new state afterwards.
    """
    old = verification.status
    if to not in TRANSITIONS.get(old, ()):
        raise InvalidTransition(f"{old} -> {to} ({verification.pk})")
    fields = {"status": to, "next_poll_at": None, "next_recovery_at": None, "lock_failures": 0, **fields}
    if to not in OPEN:
        fields.setdefault("ended_at", now)
    if Verification.objects.filter(pk=verification.pk, status=old).update(**fields) != 1:
        return False
    for name, value in fields.items():
        setattr(verification, name, value)
    return True


_LOCK = f"SELECT {columns(Verification, 'v')} FROM verifications_verification v WHERE v.id = %s FOR NO KEY UPDATE"  # noqa: S608


def lock_and_reload(known: Verification) -> Verification:
    """Lock the row and return it as it stands, with the user and service that `known` has loaded already."""
    row = one(Verification, _LOCK, [known.pk])
    if row is None:
        raise Verification.DoesNotExist
    current, _ = row
    if Verification.user.is_cached(known):
        current.user = known.user
    if Verification.service.is_cached(known):
        current.service = known.service
    return current


def lock(verification_id: Any) -> Verification:
    """Lock the row until the transaction ends and return it as it stands, with its user and service."""
    return (
        Verification.objects.select_for_update(of=("self",), no_key=True)
        .select_related("user", "service")
        .get(pk=verification_id)
    )


def update_in_status(verification: Verification, **fields: Any) -> bool:
    """Write further fields while the status is still the one of `verification`; return False where it changed."""
    rows = Verification.objects.filter(pk=verification.pk, status=verification.status).update(**fields)
    if rows != 1:
        return False
    for name, value in fields.items():
        setattr(verification, name, value)
    return True
