"""The access logs of both web servers, with the secrets in addresses masked."""

from __future__ import annotations

from typing import Any

from daphne.access import AccessLogGenerator  # type: ignore[import-untyped]
from gunicorn.glogging import Logger  # type: ignore[import-untyped]

from config.lib.secrets.redaction import mask_secrets


class DaphneLog(AccessLogGenerator):
    def write_entry(self, host: str, date: Any, request: str, *args: Any, **kwargs: Any) -> None:
        super().write_entry(host, date, mask_secrets(request), *args, **kwargs)


class GunicornLog(Logger):
    """For gunicorn's `--logger-class`."""

    def atoms(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Mask the request line and every header: a Referer is an address too."""
        atoms = super().atoms(*args, **kwargs)
        return {name: mask_secrets(value) if isinstance(value, str) else value for name, value in atoms.items()}
