"""Sockets: origin check, session, then the consumers."""

from __future__ import annotations

from typing import Any

from channels.auth import AuthMiddlewareStack
from channels.security.websocket import AllowedHostsOriginValidator


def socket_stack(router: Any) -> Any:
    return AllowedHostsOriginValidator(AuthMiddlewareStack(router([])))
