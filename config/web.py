"""The server of pages and sockets: `python -m config.web -b 127.0.0.1 -p 8000`, with daphne's options.

Daphne goes over all its connections at once every two seconds: with 10,000 sockets open, pushes waited for 15 ms behind
it. Here it is a twentieth of them at a time. Its pings are rare, since the sockets' own heartbeat does their work.
What one client can make it hold is limited in client_limits.py.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from daphne import cli as daphne_cli  # type: ignore[import-untyped]
from daphne import server as daphne_server
from daphne.cli import CommandLineInterface  # type: ignore[import-untyped]
from twisted.internet import reactor
from twisted.web.http import RESPONSES

from config.access_log import DaphneLog
from config.client_limits import LimitedHTTPFactory, LimitedSocketFactory

# Daphne's server makes its two factories by these names, and has no setting for them.
daphne_server.HTTPFactory, daphne_server.WebSocketFactory = LimitedHTTPFactory, LimitedSocketFactory

daphne_cli.AccessLogGenerator = DaphneLog

_ROUND_SECONDS, _TURNS = 2.0, 20
_PING_SECONDS = 600
_FRAME_BYTES = 64 * 1024  # the largest that a client of ours sends is a list of ids
_reactor: Any = reactor  # daphne's, which it installed above: a module only to the type checker

# Twisted knows the statuses of HTTP/1.1's first years, and calls the others, such as 422 and 429, "Unknown Status".
for _status in HTTPStatus:
    RESPONSES.setdefault(_status.value, _status.phrase.encode())


class BatchedTimeoutServer(daphne_server.Server):
    """Checks the timeouts of a few connections at a time, instead of all at once."""

    _unchecked: list[Any] = []
    _each = 1

    def timeout_checker(self) -> None:
        if not self._unchecked:
            self._unchecked = list(self.connections)
            self._each = len(self._unchecked) // _TURNS + 1
        now, self._unchecked = self._unchecked[: self._each], self._unchecked[self._each :]
        for connection in now:
            if connection in self.connections:
                connection.check_timeouts()
        _reactor.callLater(_ROUND_SECONDS / _TURNS, self.timeout_checker)


class Command(CommandLineInterface):
    server_class = BatchedTimeoutServer

    def __init__(self) -> None:
        super().__init__()
        self.parser.set_defaults(
            ping_interval=_PING_SECONDS,
            websocket_max_message_size=_FRAME_BYTES,
            websocket_max_frame_size=_FRAME_BYTES,
        )


if __name__ == "__main__":
    Command.entrypoint()
