"""Requests to TextVerified's API v2: the bearer token, and what it means when no proper answer comes."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import aiohttp
from yarl import URL

from config.lib.remote.errors import OutcomeUnknown, RemoteError, Throttled, Unavailable
from verifications.providers.base import Unexplained
from verifications.providers.textverified import mapping

ROOT = "/api/pub/v2"
_RENEW_BEFORE = 60.0  # seconds before its end; a shorter-lived token is renewed at half its life
_LONGEST_WAIT = 600.0


@dataclass
class Attempt:
    """How far one operation got: whether something that changes the provider's state may have reached it."""

    sent: bool = False
    provider_id: str = ""

    def unanswered(self, why: str) -> RemoteError:
        """The error for no answer, or none that can be read: perhaps done, or surely not."""
        return OutcomeUnknown(why, remote_id=self.provider_id) if self.sent else Unavailable(why)


@dataclass(frozen=True)
class Credentials:
    base_url: str
    api_key: str
    username: str

    def __repr__(self) -> str:
        return f"Credentials({self.base_url})"


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: Any

    def __repr__(self) -> str:
        return f"Reply({self.status})"


class Client:
    """Sessions over one pool of connections. Lives in one event loop; create it there."""

    def __init__(self, credentials: Credentials, *, connections: int) -> None:
        self._credentials = credentials
        pool = aiohttp.TCPConnector(limit=connections, keepalive_timeout=15)
        self._reading = _session(pool)
        self._changing = _session(pool, trace_configs=[_tracing()])
        self._token = ""
        self._renew_at = 0.0
        self._renewal: asyncio.Task[str] | None = None
        self._no_auth_before = 0.0

    async def close(self) -> None:
        await self._changing.close()
        await self._reading.close()

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """The body of a read. Raises Unavailable, Throttled, Rejected and its kind."""
        return (await self.call(Attempt(), "GET", path, query=query)).body

    async def ask(self, path: str, body: Any) -> Any:
        """The same by POST, for what only looks."""
        return (await self.call(Attempt(), "POST", path, body=body)).body

    async def change(self, attempt: Attempt, path: str, body: Any = None, *, key: str = "") -> Reply:
        """A POST that changes something. Raises OutcomeUnknown too."""
        headers = {"Idempotency-Key": key} if key else {}
        return await self.call(attempt, "POST", path, body=body, headers=headers, changing=True)

    async def call(
        self,
        attempt: Attempt,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        changing: bool = False,
    ) -> Reply:
        """A 401 means that nothing was done: a new token, and once more with the same key."""
        for _ in range(2):
            token = await self._bearer()
            reply = await self._send(
                attempt,
                method,
                path,
                body=body,
                query=query,
                headers={**(headers or {}), "Authorization": f"Bearer {token}"},
                changing=changing,
            )
            if reply.status != 401:
                return _checked(attempt, reply, f"{method} {_route(path)}")
            attempt.sent = False
            if token == self._token:
                self._token = ""
        raise Unavailable("401 with a new token")

    async def _send(
        self,
        attempt: Attempt,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        body: Any = None,
        query: Mapping[str, str] | None = None,
        changing: bool = False,
    ) -> Reply:
        url = URL(f"{self._credentials.base_url}{ROOT}{path}")
        session = self._changing if changing else self._reading
        try:
            async with session.request(
                method,
                url.with_query(query) if query else url,
                json=body,
                headers=headers,
                allow_redirects=False,
                trace_request_ctx=attempt if changing else None,
            ) as response:
                content = await response.read()
        except (aiohttp.ClientError, OSError) as error:
            raise attempt.unanswered(f"{method} {_route(path)}: {type(error).__name__}") from None
        return Reply(response.status, response.headers, _json(content))

    async def _bearer(self) -> str:
        """The token, renewed once for all who wait for it."""
        if self._token and time.monotonic() < self._renew_at:
            return self._token
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.create_task(self._authenticate())
            self._renewal.add_done_callback(_retrieve)
        return await asyncio.shield(self._renewal)

    async def _authenticate(self) -> str:
        wait = self._no_auth_before - time.monotonic()
        if wait > 0:
            raise Throttled("auth", retry_after=wait)
        identity = {"X-API-KEY": self._credentials.api_key, "X-API-USERNAME": self._credentials.username}
        begun = time.monotonic()
        reply = await self._send(Attempt(), "POST", "/auth", headers=identity)
        if reply.status == 401:
            raise Unavailable("auth: the credentials are refused")
        try:
            body = _checked(Attempt(), reply, "POST /auth").body
        except Throttled as error:
            self._no_auth_before = time.monotonic() + error.retry_after
            raise
        except (Unavailable, OutcomeUnknown):
            raise
        except RemoteError as error:
            raise Unavailable(f"auth: {error}") from None
        try:
            with mapping.parsing("token"):
                token, life = body["token"], float(body["expiresIn"])
                if not isinstance(token, str) or not token.isprintable() or not token:
                    raise mapping.Unreadable
        except mapping.Unreadable:
            raise Unavailable("auth: unreadable token") from None
        self._token = token
        self._renew_at = begun + max(life - _RENEW_BEFORE, life / 2)
        return token


def _session(pool: aiohttp.TCPConnector, **options: Any) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=pool,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),  # the operation's own limit holds for all of it
        headers={"Accept": "application/json", "User-Agent": "ringfence"},
        **options,
    )


def _checked(attempt: Attempt, reply: Reply, what: str) -> Reply:
    """The reply, if it is a 2xx of the API's own: a page of HTML comes from something in between."""
    if 200 <= reply.status < 300:
        if "html" in reply.headers.get("Content-Type", ""):
            raise attempt.unanswered(f"{what}: HTML")
        return reply
    if reply.status == 429:
        attempt.sent = False
        raise Throttled(what, retry_after=_retry_after(reply.headers))
    if 400 <= reply.status < 500 and reply.status != 408:
        raise _client_error(attempt, reply, f"{what}: {reply.status}")
    raise attempt.unanswered(f"{what}: {reply.status}")


def _client_error(attempt: Attempt, reply: Reply, what: str) -> RemoteError:
    """What a 4xx means. Only the vendor's own `errorCode` refuses what would change something.

    The same status without it may come from a proxy or a firewall, before or after the vendor did what was asked.
    Reads are documented to answer 400 and 404 without a body, which then is an answer, unless it is a page of HTML.
    """
    if mapping.error_fields(reply.body)[0]:
        attempt.sent = False
        return mapping.error_from(reply.status, reply.body)
    if attempt.sent:
        return Unexplained(f"{what}, no errorCode", remote_id=attempt.provider_id)
    if reply.status in (400, 404) and "html" not in reply.headers.get("Content-Type", ""):
        return mapping.error_from(reply.status, reply.body)
    return attempt.unanswered(f"{what}, no errorCode")


def _retry_after(headers: Mapping[str, str]) -> float:
    """Seconds; the vendor names none in its document, so its form is not relied on."""
    try:
        seconds = float(headers.get("Retry-After", "5"))
    except ValueError:
        return 5.0
    return 5.0 if math.isnan(seconds) else min(max(seconds, 1.0), _LONGEST_WAIT)


def _json(content: bytes) -> Any:
    """None for what is no JSON. Amounts become Decimal."""
    try:
        return json.loads(content, parse_float=str)
    except (ValueError, RecursionError):
        return None


def _route(path: str) -> str:
    """The path for logs: without ids."""
    parts = path.split("/")
    return "/".join("{id}" if any(map(str.isdigit, part)) or len(part) > 20 else part for part in parts)


def _retrieve(task: asyncio.Task[str]) -> None:
    """Mark a failure as seen, for when all who waited for it have gone."""
    if not task.cancelled():
        task.exception()


def _tracing() -> aiohttp.TraceConfig:
    """aiohttp tells just before the first byte of a request goes out: from then on it is perhaps done."""

    async def mark(session: aiohttp.ClientSession, context: SimpleNamespace, params: Any) -> None:
        if isinstance(attempt := context.trace_request_ctx, Attempt):
            attempt.sent = True

    tracing = aiohttp.TraceConfig()
    tracing.on_request_headers_sent.append(mark)
    return tracing
