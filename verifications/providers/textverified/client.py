"""Requests to TextVerified's API v2: the bearer token, and the error that a missing or bad answer means."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import aiohttp
from yarl import URL

from config.lib.remote.errors import OutcomeUnknown, RemoteError, Throttled, Unavailable
from config.lib.remote.retry_after import retry_after
from verifications.providers.base import Unexplained
from verifications.providers.textverified import mapping

ROOT = "/api/pub/v2"
_MAX_RETRY_AFTER = 600.0  # the vendor does not document the header
_RENEW_BEFORE = 60.0  # seconds before its end; a shorter-lived token is renewed at half its life


@dataclass
class Attempt:
    """How far one operation got: `sent` once a request that changes the provider's state may have reached it."""

    sent: bool = False
    provider_id: str = ""

    def unanswered(self, why: str) -> RemoteError:
        """Return the error for no readable answer: OutcomeUnknown once something was sent, else Unavailable."""
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
    """Sessions over one pool of connections. It lives in one event loop; create it there."""

    def __init__(self, credentials: Credentials, *, connections: int) -> None:
        self._credentials = credentials
        pool = aiohttp.TCPConnector(limit=connections, keepalive_timeout=15)
        self._reading = _session(pool)

        async def mark_sent(session: aiohttp.ClientSession, context: SimpleNamespace, params: Any) -> None:
            if isinstance(attempt := context.trace_request_ctx, Attempt):  # just before the request's first byte
                attempt.sent = True

        tracing = aiohttp.TraceConfig()
        tracing.on_request_headers_sent.append(mark_sent)
        self._changing = _session(pool, trace_configs=[tracing])
        self._token = ""
        self._renew_at = 0.0
        self._renewal: asyncio.Task[str] | None = None
        self._no_auth_before = 0.0

    async def close(self) -> None:
        await self._changing.close()
        await self._reading.close()

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """Return the body of a read. Raises Unavailable, Throttled, Rejected and its subclasses."""
        return (await self.call(Attempt(), "GET", path, query=query)).body

    async def ask(self, path: str, body: Any) -> Any:
        """Return the body of a read that the vendor wants as a POST. Raises as `get` does."""
        return (await self.call(Attempt(), "POST", path, body=body)).body

    async def change(self, attempt: Attempt, path: str, body: Any = None, *, key: str = "") -> Reply:
        """POST a change and return the reply. Raises OutcomeUnknown besides what `get` raises."""
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
        """Send the request and return its reply. A 401 has done nothing: it is repeated once, with a new token."""
        for _ in range(2):
            token = await self._valid_token()
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
        try:
            parsed = json.loads(content, parse_float=str)  # amounts stay text until they become Decimal
        except (ValueError, RecursionError):
            parsed = None
        return Reply(response.status, response.headers, parsed)

    async def _valid_token(self) -> str:
        """Return the token, which is renewed once for all that wait for it."""
        if self._token and time.monotonic() < self._renew_at:
            return self._token
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.create_task(self._authenticate())
            # Marks a failure as seen, for when all that waited for it have gone.
            self._renewal.add_done_callback(lambda task: task.cancelled() or task.exception())
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
    """Return the reply if it is a 2xx of the API's own, else raise what it means; HTML comes from something in between.

    Only the vendor's own `errorCode` refuses what would change something. The same 4xx without it may come from a proxy
    or a firewall, before or after the vendor did what was asked. Reads are documented to answer 400 and 404 without a
    body, which then is an answer, unless it is a page of HTML.
    """
    is_html = "html" in reply.headers.get("Content-Type", "")
    if 200 <= reply.status < 300:
        if is_html:
            raise attempt.unanswered(f"{what}: HTML")
        return reply
    if reply.status == 429:
        attempt.sent = False
        raise Throttled(what, retry_after=retry_after(reply.headers.get("Retry-After"), longest=_MAX_RETRY_AFTER))
    if not 400 <= reply.status < 500 or reply.status == 408:
        raise attempt.unanswered(f"{what}: {reply.status}")
    if mapping.error_fields(reply.body)[0]:
        attempt.sent = False
        raise mapping.error_from(reply.status, reply.body)
    what = f"{what}: {reply.status}, no errorCode"
    if attempt.sent:
        raise Unexplained(what, remote_id=attempt.provider_id)
    if reply.status in (400, 404) and not is_html:
        raise mapping.error_from(reply.status, reply.body)
    raise attempt.unanswered(what)


def _route(path: str) -> str:
    """Return the path as it is logged: without ids."""
    parts = path.split("/")
    return "/".join("{id}" if any(map(str.isdigit, part)) or len(part) > 20 else part for part in parts)
