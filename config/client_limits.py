"""Limits to what one client can make the web server hold: bodies, frames and unread answers, in daphne's protocols.

Daphne keeps a request's whole body before the application sees its address, and a socket's frames for as long as its
client doesn't read them. Here a body over DATA_UPLOAD_MAX_MEMORY_SIZE is dropped as it comes, and the application
answers 413 (config.middleware.BodyLimitMiddleware); one that is larger by far is cut off. A socket that leaves more
than SOCKET_BUFFER_BYTES unread, or sends frames faster than they are answered, is closed.
"""

from __future__ import annotations

import logging
from typing import Any

from daphne.http_protocol import HTTPFactory, WebRequest  # type: ignore[import-untyped]
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol  # type: ignore[import-untyped]
from django.conf import settings
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer  # type: ignore[import-untyped]

log = logging.getLogger(__name__)

# A client with too large a body is answered after it has sent all of it, as HTTP wants, up to so many times the limit.
_CUT_OFF_FACTOR = 8
_FRAMES_WAITING = 200  # that a client sent and the application has not looked at


class LimitedRequest(WebRequest):
    """Counts the bytes of a body as they come, and keeps none of a body over the limit."""

    _received = 0
    _cut_off = False

    def gotLength(self, length: int | None) -> None:  # noqa: N802
        super().gotLength(length)
        if length is not None and length > _CUT_OFF_FACTOR * _body_limit():
            self._cut()

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802
        self._received += len(data)
        if self._received <= _body_limit():
            super().handleContentChunk(data)
            return
        self.content.seek(0)
        self.content.truncate()
        if self._received > _CUT_OFF_FACTOR * _body_limit():
            self._cut()

    def process(self) -> None:
        if self._cut_off:
            return
        if self._received > _body_limit():
            # A chunked body has no length of its own: the application refuses by this header.
            self.requestHeaders.setRawHeaders(b"content-length", [str(self._received).encode()])
        super().process()

    def _cut(self) -> None:
        """Answer and hang up in the middle of the body."""
        if self._cut_off or self.channel is None:
            return
        self._cut_off = True
        log.warning("A request's body is too large; its connection is closed")
        self.channel.transport.write(
            b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\n"
            b"The request is too large. Nothing was saved.\n"
        )
        self.channel.loseConnection()


class LimitedHTTPFactory(HTTPFactory):
    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = LimitedRequest
        return protocol


@implementer(IPushProducer)
class LimitedSocket(WebSocketProtocol):
    """Counts what is sent from the moment on that its client stops reading, which the transport tells it."""

    _unread: int | None = None  # bytes sent since; None while the client reads

    def onOpen(self) -> None:  # noqa: N802
        super().onOpen()
        self.transport.unregisterProducer()  # the HTTP connection that it was before
        self.transport.registerProducer(self, True)

    def pauseProducing(self) -> None:  # noqa: N802
        if self._unread is None:
            self._unread = 0

    def resumeProducing(self) -> None:  # noqa: N802
        self._unread = None

    def stopProducing(self) -> None:  # noqa: N802
        """Do nothing: onClose handles a lost connection."""

    def serverSend(self, content: Any, binary: bool = False) -> None:  # noqa: N802
        super().serverSend(content, binary)
        if self._unread is not None:
            self._unread += len(content)
            if self._unread > settings.SOCKET_BUFFER_BYTES:
                self._abort("it does not read what it is sent")

    def serverClose(self, code: int | None = None) -> None:  # noqa: N802
        """Close with any code. Autobahn's own method raises for codes below 3000, such as 1013."""
        if code is None or code == 1000 or code >= 3000:
            super().serverClose(code)
        else:
            self.sendCloseFrame(code=code, isReply=False)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:  # noqa: N802, N803
        super().onMessage(payload, isBinary)
        if self.application_queue.qsize() > _FRAMES_WAITING:
            self._abort("it sends faster than it is answered")

    def _abort(self, why: str) -> None:
        self.muted = True
        self._unread = None
        log.warning("A socket is closed: %s", why)
        self.application_queue.put_nowait({"type": "websocket.disconnect", "code": 1008})
        self.transport.abortConnection()


class LimitedSocketFactory(WebSocketFactory):
    protocol = LimitedSocket

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.setProtocolOptions(failByDrop=False)  # a refused frame is answered with the code that says why


def _body_limit() -> int:
    return int(settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0)
