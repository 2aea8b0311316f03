"""Pages, API and sockets on one port (daphne), or sockets alone beside a WSGI server."""

import gc
import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
pages = get_asgi_application()

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402

from notifications.routing import socket_stack  # noqa: E402

application = ProtocolTypeRouter({"http": pages, "websocket": socket_stack(URLRouter)})

# Measured with 10,000 sockets: the collector's full passes were what made the slowest pushes slow.
gc.collect()
gc.freeze()
gc.set_threshold(20_000, 500, 1000)
