"""Codes and texts encrypted at rest, with keys that rotate (`FIELD_ENCRYPTION_KEYS`, newest first)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models


@lru_cache(maxsize=4)
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def encrypt(text: str) -> bytes:
    return _fernet(tuple(settings.FIELD_ENCRYPTION_KEYS)).encrypt(text.encode())


def decrypt(token: bytes, *, ttl: int | None = None) -> str:
    """Return the text. Raises ValueError when no key of FIELD_ENCRYPTION_KEYS fits, or after `ttl` seconds."""
    try:
        return _fernet(tuple(settings.FIELD_ENCRYPTION_KEYS)).decrypt(bytes(token), ttl).decode()
    except InvalidToken as error:
        raise ValueError("No key of FIELD_ENCRYPTION_KEYS opens this value") from error


def rotate(token: bytes) -> bytes:
    """The same text under the newest key."""
    return _fernet(tuple(settings.FIELD_ENCRYPTION_KEYS)).rotate(bytes(token))


class EncryptedTextField(models.BinaryField):
    """Text in Python, a Fernet token in the database; the empty text is NULL there."""

    description = "Encrypted text"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.update(null=True, blank=True, editable=False)
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        for key in ("null", "blank", "editable"):
            kwargs.pop(key, None)
        return name, path, args, kwargs

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return super().get_db_prep_value(encrypt(value) if value else None, connection, prepared)

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> str:
        return decrypt(bytes(value)) if value is not None else ""

    def get_default(self) -> str:
        return ""
