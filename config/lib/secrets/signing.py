"""HMAC signatures of incoming webhooks, compared in constant time."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac


def hmac_sha512(secret: str, body: bytes) -> bytes:
    return hmac.new(secret.encode(), body, hashlib.sha512).digest()


def matches_base64(secret: str, body: bytes, given: str) -> bool:
    """Return whether `given` is the base64 of HMAC-SHA512 over `body`. Never with an empty secret."""
    if not secret:
        return False
    try:
        return hmac.compare_digest(base64.b64decode(given, validate=True), hmac_sha512(secret, body))
    except (binascii.Error, ValueError):
        return False
