"""Masking of secrets in addresses, before they reach a log."""

from __future__ import annotations

import re
from typing import Any

from django.http import HttpRequest

# The secret of a password reset link, of an e-mail confirmation link, of a socket's ticket.
_SECRETS = re.compile(r"(/password/reset/key/|/confirm-email/|[?&]token=)[^\s/?&\"'#<>]+")


def mask_secrets(text: str) -> str:
    """Return the text with every such secret as ***."""
    return _SECRETS.sub(r"\1***", text)


def mask_event(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Mask the texts of a log line, and the address of a request that it carries. A processor for structlog."""
    for name, value in event.items():
        if isinstance(value, HttpRequest):
            event[name] = mask_secrets(repr(value))
        elif isinstance(value, str):
            event[name] = mask_secrets(value)
    return event
