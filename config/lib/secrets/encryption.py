"""Codes and texts encrypted at rest, with keys that rotate (`FIELD_ENCRYPTION_KEYS`, newest first)."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any

import structlog
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models

log = structlog.get_logger(__name__)

DOTS = "••••••"
_LOG_EVERY = 60.0
_logged_at = -_LOG_EVERY


class NoKeyFits(ValueError):
    """No key of FIELD_ENCRYPTION_KEYS opens this value: its own was removed, or the value is damaged."""


class UnreadableText(str):
    """A text that no key opens: it reads as dots, and is saved as its token again."""

    __slots__ = ("token",)
    token: bytes

    def __new__(cls, token: bytes) -> UnreadableText:
        text = super().__new__(cls, DOTS)
        text.token = token
        return text


@lru_cache(maxsize=4)
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def encrypt(text: str) -> bytes:
    return _fernet(tuple(settings.FIELD_ENCRYPTION_KEYS)).encrypt(text.encode())


def decrypt(token: bytes, *, ttl: int | None = None) -> str:
    """Return the text. Raises NoKeyFits, also after `ttl` seconds."""
    try:
        return _fernet(tuple(settings.FIELD_ENCRYPTION_KEYS)).decrypt(bytes(token), ttl).decode()
    except InvalidToken as error:
        raise NoKeyFits("No key of FIELD_ENCRYPTION_KEYS opens this value") from error


def rotate(token: bytes) -> bytes | None:
    """Return the same text under the newest key; None where that key has sealed it already. Raises NoKeyFits."""
    keys = tuple(settings.FIELD_ENCRYPTION_KEYS)
    try:
        _fernet(keys[:1]).decrypt(bytes(token))
    except InvalidToken:
        pass
    else:
        return None
    try:
        return _fernet(keys).rotate(bytes(token))
    except InvalidToken as error:
        raise NoKeyFits("No key of FIELD_ENCRYPTION_KEYS opens this value") from error


class EncryptedTextField(models.BinaryField):
    """Text in Python, a Fernet token in the database; the empty text is NULL there.

    What no key opens any more reads as dots (UnreadableText): a removed key breaks no page and no number in flight.
    """

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
        token = value.token if isinstance(value, UnreadableText) else encrypt(value) if value else None
        return super().get_db_prep_value(token, connection, prepared)

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> str:
        if value is None:
            return ""
        try:
            return decrypt(bytes(value))
        except NoKeyFits:
            _log_unreadable(str(self))
            return UnreadableText(bytes(value))

    def get_default(self) -> str:
        return ""


def _log_unreadable(field: str) -> None:
    """Log that a text can't be decrypted, once a minute: a page may show a hundred of them."""
    global _logged_at
    now = time.monotonic()
    if now - _logged_at >= _LOG_EVERY:
        _logged_at = now
        log.error("No key of FIELD_ENCRYPTION_KEYS opens some texts", field=field)
