"""A browser, as far as time to the first byte goes: one kept connection, one session."""

from __future__ import annotations

import http.client
import time

from django.conf import settings


class Browser:
    def __init__(self, port: int, session: str = "") -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self._headers = {"Cookie": f"{settings.SESSION_COOKIE_NAME}={session}"} if session else {}

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def get(self, path: str) -> float:
        """Seconds until the answer's first byte; it is read to its end. Raises RuntimeError unless it is 200."""
        began = time.perf_counter()
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        took = time.perf_counter() - began
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {body[:300]!r}")
        return took
