"""Which statements a piece of work sends to the database, and how many round trips that makes."""

from __future__ import annotations

import re
from contextlib import ExitStack
from typing import Any
from unittest import mock

from django.db import connection


class Statements:
    """Counts this thread's statements; each transaction adds its BEGIN and its COMMIT or ROLLBACK."""

    def __enter__(self) -> Statements:
        self.sent: list[str] = []
        self.transactions = 0
        self._stack = ExitStack()
        self._stack.enter_context(connection.execute_wrapper(self._note))
        for name in ("_commit", "_rollback"):
            self._stack.enter_context(mock.patch.object(connection, name, self._ending(getattr(connection, name))))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def round_trips(self) -> int:
        return len(self.sent) + 2 * self.transactions

    def listing(self, title: str) -> str:
        lines = [f"  {number:2}. {_short(text)}" for number, text in enumerate(self.sent, 1)]
        return "\n".join([f"{title}: {self.round_trips} round trips, {self.transactions} transactions", *lines])

    def _note(self, execute: Any, text: str, params: Any, many: bool, context: Any) -> Any:
        self.sent.append(text)
        return execute(text, params, many, context)

    def _ending(self, end: Any) -> Any:
        def ended() -> Any:
            self.transactions += 1
            return end()

        return ended


def _short(text: str) -> str:
    flat = re.sub(r"\s+", " ", text).strip()
    flat = re.sub(r"^(SELECT) .*? (FROM) ", r"\1 … \2 ", flat)
    return flat[:140]
