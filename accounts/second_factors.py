"""The secrets of second factors, which allauth keeps encrypted by our adapter."""

from __future__ import annotations

from typing import Any

from allauth.mfa.models import Authenticator

from config.lib.commands import Step
from config.lib.secrets.encryption import NoKeyFits, rotate
from config.lib.secrets.rotation import Rotated
from config.lib.unit_of_work import unit_of_work

_SECRETS = ("secret", "seed")
_LISTS = ("migrated_codes",)


def rotate_second_factors(*, execute: bool, step: Step) -> Rotated:
    """Encrypt all of them again with the newest key."""
    rotated = Rotated("mfa.Authenticator.data")
    for pk in Authenticator.objects.order_by("pk").values_list("pk", flat=True).iterator(chunk_size=500):
        step()
        with unit_of_work():
            row = Authenticator.objects.select_for_update().filter(pk=pk).first()
            if row is None:
                continue  # removed meanwhile
            data = {name: _rotate(name, value, rotated) for name, value in row.data.items()}
            if execute and data != row.data:
                Authenticator.objects.filter(pk=pk).update(data=data)
    return rotated


def _rotate(name: str, value: Any, rotated: Rotated) -> Any:
    if name in _LISTS and isinstance(value, list):
        return [_rotate(_SECRETS[0], one, rotated) for one in value]
    if name not in _SECRETS or not isinstance(value, str):
        return value
    rotated.checked += 1
    try:
        fresh = rotate(value.encode())
    except NoKeyFits:
        rotated.unreadable += 1
        return value
    if fresh is None:
        return value
    rotated.sealed += 1
    return fresh.decode()
