"""Pages, API and sockets on one port (daphne), or sockets alone beside a WSGI server."""

import gc
import os
from typing import Any

from django.conf import settings
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
pages = get_asgi_application()

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402

from notifications.routing import socket_stack  # noqa: E402

router = ProtocolTypeRouter({"http": pages, "websocket": socket_stack(URLRouter)})


async def application(scope: dict[str, Any], receive: Any, send: Any) -> Any:
    """Serve below our own root alone: daphne takes the scope's from a header that any client can send."""
    return await router({**scope, "root_path": settings.FORCE_SCRIPT_NAME or ""}, receive, send)


# Measured with 10,000 sockets: the collector's full passes were what made the slowest pushes slow.
gc.collect()
gc.freeze()
gc.set_threshold(20_000, 500, 1000)
