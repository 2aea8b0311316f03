"""The one door through which a verification changes its status."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from config.lib.postgres.rows import columns, one
from verifications.models import MOVES, OPEN, Verification


class NotAMove(RuntimeError):
    """A bug: the transition table has no such move."""


def move(verification: Verification, to: str, *, now: datetime, **fields: Any) -> bool:
    """Compare and set: False where somebody else was first. Call inside atomic(); locks the row.

    `fields` are written with it; `verification` shows the new state afterwards.
    """
    old = verification.status
    if to not in MOVES.get(old, ()):
        raise NotAMove(f"{old} -> {to} ({verification.pk})")
    fields = {"status": to, "next_poll_at": None, "next_recovery_at": None, "lock_failures": 0, **fields}
    if to not in OPEN:
        fields.setdefault("ended_at", now)
    if Verification.objects.filter(pk=verification.pk, status=old).update(**fields) != 1:
        return False
    for name, value in fields.items():
        setattr(verification, name, value)
    return True


_LOCK = f"SELECT {columns(Verification, 'v')} FROM verifications_verification v WHERE v.id = %s FOR NO KEY UPDATE"  # noqa: S608


def relock(known: Verification) -> Verification:
    """`lock` for a row that is at hand: its user and service, where loaded, come along instead of being read again."""
    row = one(Verification, _LOCK, [known.pk])
    if row is None:
        raise Verification.DoesNotExist
    current, _ = row
    for name in ("user", "service"):
        if name in known._state.fields_cache:
            setattr(current, name, getattr(known, name))
    return current


def lock(verification_id: Any) -> Verification:
    """The row as it stands, locked until the transaction ends, with its user and service."""
    return (
        Verification.objects.select_for_update(of=("self",), no_key=True)
        .select_related("user", "service")
        .get(pk=verification_id)
    )


def note(verification: Verification, **fields: Any) -> bool:
    """Write further fields while the status is the one we know; False where it moved on."""
    rows = Verification.objects.filter(pk=verification.pk, status=verification.status).update(**fields)
    if rows != 1:
        return False
    for name, value in fields.items():
        setattr(verification, name, value)
    return True
