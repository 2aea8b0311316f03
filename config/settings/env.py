"""The environment, with what `make run` wrote for its own processes below it.

`var/run.env` is the launcher's: it names the embedded database and its secrets, so that a command in another
terminal finds the running product. Variables that are set win over it; with DEBUG set to a false value it is not read.
"""

import os
import re
from collections.abc import Callable, Collection
from decimal import Decimal
from pathlib import Path
from typing import TypeAlias, TypeVar
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from .currencies import TWO_DECIMALS

BASE_DIR = Path(__file__).resolve().parent.parent.parent
VAR_DIR = Path(os.environ.get("RINGFENCE_VAR", BASE_DIR / "var"))

_T = TypeVar("_T")
# For the signatures in a class whose methods have these names.
_int: TypeAlias = int
_float: TypeAlias = float
_bool: TypeAlias = bool
_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?", re.ASCII)
_WORDS = {
    **dict.fromkeys(("1", "true", "on", "yes", "y", "ok", "t"), True),
    **dict.fromkeys(("0", "false", "off", "no", "n", "f"), False),
}
_MOST = 10**9  # seconds: thirty years; cents: ten millions


class Env(environ.Env):
    """environ's, but a value that won't do is refused, with its variable's name and what would be right.

    environ's own numbers leave out the letters ("10 min" is 10), and its truths are false where they are misspelt.
    Empty is unset.
    """

    def int(self, var: str, default: _int, low: _int = 0, high: _int = _MOST) -> _int:  # type: ignore[override]
        """Read a whole number from `low` to `high`."""

        def read(text: str) -> _int:
            if not _NUMBER.fullmatch(text) or "." in text or not low <= int(text) <= high:
                raise ValueError
            return int(text)

        return self._read(var, default, read, f"a whole number from {low} to {high}")

    def float(self, var: str, default: _float) -> _float:  # type: ignore[override]
        """Read a number, 0 or more."""
        return self._read(var, default, lambda text: float(_number(text)), "a number such as 2.5")

    def decimal(self, var: str, default: str, *, low: _int) -> Decimal:
        """Read a number, `low` or more."""

        def read(text: str) -> Decimal:
            if (value := _number(text)) < low:
                raise ValueError
            return value

        return self._read(var, Decimal(default), read, f"a number, {low} or more, such as {default}")

    def currency(self, var: str, default: str) -> str:
        """Read the code of a currency with two decimal places, in any case: every amount here is in hundredths."""

        def read(text: str) -> str:
            if text.upper() not in TWO_DECIMALS:
                raise ValueError
            return text.upper()

        return self._read(var, default, read, "the code of a currency with two decimal places, such as USD or EUR")

    def decimals(self, var: str, default: Collection[_int]) -> list[Decimal]:
        """Numbers with commas between them."""
        return self._read(
            var,
            [Decimal(number) for number in default],
            lambda text: [_number(part.strip()) for part in text.split(",") if part.strip()],
            "numbers with commas between them, such as 50,25,10",
        )

    def bool(self, var: str, default: _bool) -> _bool:  # type: ignore[override]
        def read(text: str) -> _bool:
            if text.lower() not in _WORDS:
                raise ValueError
            return _WORDS[text.lower()]

        return self._read(var, default, read, "1 or 0 (true or false, on or off, yes or no)")

    def one_of(self, var: str, default: str, words: Collection[str]) -> str:
        """Read one of the words (which are upper-case), in any case."""

        def read(text: str) -> str:
            if text.upper() not in words:
                raise ValueError
            return text.upper()

        return self._read(var, default, read, f"one of {', '.join(words)}")

    def address(
        self, var: str, default: str, *, schemes: Collection[str] = ("http", "https"), example: str = ""
    ) -> str:
        """Read a URL. An invalid one is not shown in the error: it may hold a password."""
        text = self.str(var, default="").strip()
        if text and not _is_address(text, schemes):
            raise ImproperlyConfigured(f"{var} is no such address as it takes, which is one like {example or default}.")
        return text or default

    def _read(self, var: str, default: _T, read: Callable[[str], _T], right: str) -> _T:
        text = self.str(var, default="").strip()
        if not text:
            return default
        try:
            return read(text)
        except ValueError:
            raise ImproperlyConfigured(f"{var} is {text!r:.60}; it takes {right}.") from None


def _number(text: str) -> Decimal:
    if not _NUMBER.fullmatch(text):
        raise ValueError
    return Decimal(text)


def _is_address(text: str, schemes: Collection[str]) -> bool:
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018  raises where it is no number
    except ValueError:
        return False
    return parts.scheme in schemes and (bool(parts.hostname) or not parts.scheme.startswith("http"))


env = Env()

if (BASE_DIR / ".env").exists():
    env.read_env(BASE_DIR / ".env")
# An empty DEBUG is no permission: production may well have written it so.
if os.environ.get("DEBUG", "1").strip() and env.bool("DEBUG", default=True) and (VAR_DIR / "run.env").exists():
    env.read_env(VAR_DIR / "run.env")
