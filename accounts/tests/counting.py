"""A password hasher for tests that counts what it is asked to do."""

from __future__ import annotations

from django.contrib.auth.hashers import MD5PasswordHasher

HASHED: list[str] = []


class CountingHasher(MD5PasswordHasher):
    def encode(self, password: str, salt: str) -> str:
        HASHED.append(password)
        return super().encode(password, salt)
