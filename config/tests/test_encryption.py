"""Secrets at rest, under keys that rotate; signatures of webhooks."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from cryptography.fernet import Fernet

from config.lib.secrets import encryption, signing

OLD, NEW, OTHER = (Fernet.generate_key().decode() for _ in range(3))


def test_what_was_sealed_opens_and_shows_nothing(settings: Any) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    token = encryption.encrypt("123456")
    assert b"123456" not in token
    assert encryption.decrypt(memoryview(token)) == "123456"  # type: ignore[arg-type]  what drivers hand out


def test_an_old_key_opens_what_the_new_one_no_longer_seals(settings: Any) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    token = encryption.encrypt("123456")
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    assert encryption.decrypt(token) == "123456"
    rotated = encryption.rotate(token)
    assert rotated is not None
    assert encryption.rotate(rotated) is None
    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    assert encryption.decrypt(rotated) == "123456"
    with pytest.raises(ValueError, match="No key of FIELD_ENCRYPTION_KEYS opens this value"):
        encryption.decrypt(token)


@pytest.mark.parametrize("token", [b"", b"nonsense", b"gAAAAA"])
def test_what_no_key_opens_is_an_error_that_says_so(settings: Any, token: bytes) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [OTHER]
    with pytest.raises(ValueError, match="No key of FIELD_ENCRYPTION_KEYS opens this value"):
        encryption.decrypt(token)


def test_the_empty_text_is_null_in_the_database() -> None:
    field = encryption.EncryptedTextField()
    assert (field.from_db_value(None, None, None), field.get_default(), field.null) == ("", "", True)


def signature(secret: str, body: bytes) -> str:
    return base64.b64encode(signing.hmac_sha512(secret, body)).decode()


def test_a_signature_fits_its_body_and_secret_alone() -> None:
    given = signature("secret", b"body")
    assert signing.matches_base64("secret", b"body", given)
    assert not signing.matches_base64("secret", b"body ", given)
    assert not signing.matches_base64("other", b"body", given)


def test_without_a_secret_no_signature_fits() -> None:
    assert not signing.matches_base64("", b"body", signature("", b"body"))


@pytest.mark.parametrize("given", ["", "é", "====", "not base64!", "\x00", "A" * 65_536])
def test_nonsense_is_no_signature(given: str) -> None:
    assert not signing.matches_base64("secret", b"body", given)
