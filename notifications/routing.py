"""The sockets' addresses, and what stands before them: the check of the origin, then the cookies."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from channels.security.websocket import WebsocketDenier
from channels.sessions import CookieMiddleware
from django.conf import settings
from django.http.request import split_domain_port, validate_host
from django.urls import path, re_path

from notifications.sockets.consumers import BalanceSocket, ConsoleSocket, NotificationsSocket

Application = Callable[[dict[str, Any], Any, Any], Awaitable[Any]]

websocket_urlpatterns = [
    path("ws/notifications/<int:user_id>", NotificationsSocket.as_asgi()),
    path("ws/balance", BalanceSocket.as_asgi()),
    path("ws/console", ConsoleSocket.as_asgi()),
    re_path("", WebsocketDenier.as_asgi()),  # the router alone would fail: a 500 and a traceback
]


def socket_stack(router: Any) -> Any:
    return OriginMiddleware(CookieMiddleware(router(websocket_urlpatterns)))


class OriginMiddleware:
    """Let in our own pages, which may use their session, and programs, which send no Origin. Refuse other pages.

    Channels' validator goes by ALLOWED_HOSTS, where another port of the host is as good and "*" lets in everyone.
    """

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        headers = {name.lower(): value.decode("latin1") for name, value in scope["headers"]}
        origin = headers.get(b"origin")
        if origin is not None and not is_ours(origin, host=headers.get(b"host", "")):
            return await WebsocketDenier()(scope, receive, send)
        return await self.application({**scope, "from_page": origin is not None}, receive, send)


def is_ours(origin: str, *, host: str) -> bool:
    """Return whether a page of this origin may open sockets: one of this very host and port, or a trusted one."""
    if origin in settings.CSRF_TRUSTED_ORIGINS:
        return True
    parts = urlsplit(origin)
    secure = parts.scheme == "https" or (parts.scheme == "http" and not settings.SESSION_COOKIE_SECURE)
    allowed = settings.ALLOWED_HOSTS or (["localhost", "127.0.0.1", "[::1]"] if settings.DEBUG else [])
    return bool(host) and secure and parts.netloc == host and validate_host(split_domain_port(host)[0], allowed)
