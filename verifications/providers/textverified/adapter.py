"""The provider protocol over TextVerified's API v2 (its document of 2025-08, and what was added since)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
import traceback
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from django.conf import settings

from config.lib import metrics
from config.lib.remote.errors import NotFound, OutcomeUnknown, Rejected, RemoteError, Throttled, Unavailable
from verifications.providers import event_loop
from verifications.providers.base import (
    IncomingText,
    Number,
    PartialList,
    Quote,
    Sale,
    ServiceListing,
    Spec,
    Text,
    TooEarly,
    Unexplained,
    outcome_of,
)
from verifications.providers.textverified import mapping, webhook
from verifications.providers.textverified.client import Attempt, Client, Credentials

log = logging.getLogger(__name__)
T = TypeVar("T")
Work = Callable[[Client, Attempt], Awaitable[T]]

_MAX_PAGES = 1000
_PAGES_LIMIT_SECONDS = 120.0
_OLDER_ROWS_THAT_END = 20  # rows behind the window, each older than the one before: no list in another order has them
_TOO_EARLY_SECONDS = 30.0


class TextVerified:
    name = "textverified"

    def __init__(self) -> None:
        self._client: Client | None = None
        self._client_key: tuple[int, Credentials] | None = None
        self._forked_clients: list[Client] = []

    def services(self) -> PartialList[ServiceListing]:
        async def work(client: Client, attempt: Attempt) -> PartialList[ServiceListing]:
            body = await client.get("/services", {"numberType": "mobile", "reservationType": "verification"})
            return _readable(mapping.parse_list(body), mapping.parse_service, "services")

        return self._run("services", work)

    def quote(self, spec: Spec) -> Quote:
        """Return price and stock, which the vendor answers apart; a stock that it does not answer is None."""

        async def work(client: Client, attempt: Attempt) -> Quote:
            asked = {"serviceName": spec.service, "numberType": "mobile", "capability": _capability(spec)}
            priced = await client.ask(
                "/pricing/verifications", {**asked, "areaCode": bool(spec.area_code), "carrier": False}
            )
            with mapping.parsing("price"):
                cost = mapping.parse_amount(priced["price"])
            stock: int | None = None
            with contextlib.suppress(RemoteError, mapping.Unreadable):  # the price alone is worth having
                stocked = await client.ask("/inventory/verifications", asked)
                with mapping.parsing("stock"):
                    stock = max(0, int(stocked["availableQuantity"]))
            return Quote(service=spec.service, cost=cost, stock=stock)

        return self._run("quote", work)

    def purchase(self, spec: Spec, *, key: str) -> Number:
        order: dict[str, Any] = {"serviceName": spec.service}
        if spec.area_code:
            order["areaCodeSelectOption"] = [spec.area_code]
        if spec.max_cost is not None:
            order["maxPrice"] = float(spec.max_cost)  # a JSON number; cents survive in a double's shortest form

        async def work(client: Client, attempt: Attempt) -> Number:
            body = {**order, "capability": _capability(spec)}
            reply = await client.change(attempt, "/verifications", body, key=key)
            attempt.provider_id = mapping.parse_link(reply.body, reply.headers.get("Location", ""))
            try:
                return mapping.parse_number(await client.get(f"/verifications/{attempt.provider_id}"))
            except RemoteError as error:
                raise OutcomeUnknown(f"bought, details: {error}", remote_id=attempt.provider_id) from None

        return self._run("purchase", work)

    def fetch(self, provider_id: str) -> Number:
        return self._run("fetch", _fetch_work(provider_id, waiting_too=True))

    def fetch_many(self, provider_ids: Sequence[str], *, concurrency: int) -> Mapping[str, Number | RemoteError]:
        works = {provider_id: _fetch_work(provider_id, waiting_too=False) for provider_id in provider_ids}
        return self._run_many("fetch", works, concurrency)

    def cancel(self, provider_id: str) -> None:
        async def work(client: Client, attempt: Attempt) -> None:
            path = f"/verifications/{_path_id(provider_id)}"
            try:
                await client.change(attempt, f"{path}/cancel")
            except NotFound:
                raise
            except (Rejected, Unexplained) as refused:
                # The vendor has no error for "too early": a number that still waits can be cancelled later.
                try:
                    number = mapping.parse_number(await client.get(path))
                except (RemoteError, mapping.Unreadable):
                    if isinstance(refused, Unexplained):
                        raise refused from None  # perhaps done: there is no answer that says so
                    raise
                if number.state == "waiting":
                    if number.can_cancel and isinstance(refused, Unexplained):
                        raise refused from None  # not the vendor's own refusal: it is asked again
                    wait = 1 if number.can_cancel else _TOO_EARLY_SECONDS
                    raise TooEarly(str(refused), retry_after=wait) from None
                if number.state == "unknown":
                    raise
                raise Rejected(str(refused)) from None

        self._run("cancel", work)

    def report(self, provider_id: str) -> None:
        self._run("report", _report_work(provider_id))

    def report_many(self, provider_ids: Sequence[str], *, concurrency: int) -> Mapping[str, RemoteError | None]:
        works = {provider_id: _report_work(provider_id) for provider_id in provider_ids}
        return self._run_many("report", works, concurrency)

    def recent(self, *, since: datetime) -> PartialList[Sale]:
        """Return the sales since then. The list is read to its end, unless it has proved to fall in time before."""

        async def work(client: Client, attempt: Attempt) -> PartialList[Sale]:
            found: dict[str, Sale] = {}
            unreadable, falling, last, older = 0, True, None, 0
            query: dict[str, str] | None = {}
            for _ in range(_MAX_PAGES):
                async with asyncio.timeout(settings.PROVIDER_TIMEOUT_SECONDS):
                    body = await client.get("/verifications", query)
                rows, query = _page(body)
                sales = _readable(rows, mapping.parse_sale, "verifications")
                unreadable += sales.unreadable
                found.update({sale.provider_id: sale for sale in sales if sale.created_at >= since})
                for sale in sales:
                    falling = falling and (last is None or sale.created_at <= last)
                    older += sale.created_at < since and (last is None or sale.created_at < last)
                    last = sale.created_at
                if query is None or (falling and older >= _OLDER_ROWS_THAT_END):
                    return PartialList(found.values(), unreadable=unreadable)
            raise Unavailable("too many pages of verifications")

        return self._run("recent", work, limit=_PAGES_LIMIT_SECONDS)

    def balance(self) -> Decimal:
        async def work(client: Client, attempt: Attempt) -> Decimal:
            body = await client.get("/account/me")
            with mapping.parsing("account"):
                return mapping.parse_amount(body["currentBalance"])

        return self._run("balance", work)

    def parse_webhook(self, *, headers: Mapping[str, str], body: bytes) -> IncomingText | None:
        return webhook.parse(headers=headers, body=body, secret=settings.TEXTVERIFIED_WEBHOOK_SECRET)

    def _run(self, operation: str, work: Work[T], *, limit: float | None = None) -> T:
        limit = settings.PROVIDER_TIMEOUT_SECONDS if limit is None else limit
        try:
            return event_loop.run(self._timed(operation, work, limit), limit=limit)
        except TimeoutError:
            raise OutcomeUnknown(f"{operation}: the loop does not answer") from None

    async def _timed(self, operation: str, work: Work[T], limit: float) -> T:
        """Run one operation within its limit and measure it. No answer raises Unavailable or OutcomeUnknown."""
        attempt, begun, outcome = Attempt(), time.perf_counter(), "error"
        try:
            async with asyncio.timeout(limit):
                result = await work(self._current_client(), attempt)
            outcome = "ok"
            return result
        except (TimeoutError, mapping.Unreadable) as error:
            why = attempt.unanswered(f"{operation}: {'timed out' if isinstance(error, TimeoutError) else 'unreadable'}")
            outcome = outcome_of(why)
            raise why from None
        except RemoteError as error:
            outcome = outcome_of(error)
            raise
        except Exception as error:  # noqa: BLE001  a mistake of ours keeps no number from ending
            # Where it happened is logged; what it says is not, since that may quote the answer.
            place = traceback.extract_tb(error.__traceback__)[-1]
            log.error("%s: %s at %s:%s", operation, type(error).__name__, place.filename, place.lineno)
            why = attempt.unanswered(f"{operation}: {type(error).__name__} of ours")
            outcome = outcome_of(why)
            raise why from None
        finally:
            metrics.provider_requests_total.labels(self.name, operation, outcome).inc()
            metrics.provider_latency_seconds.labels(self.name, operation).observe(time.perf_counter() - begun)

    def _run_many(
        self, operation: str, works: Mapping[str, Work[T]], concurrency: int
    ) -> Mapping[str, T | RemoteError]:
        remaining = iter(works.items())
        results: dict[str, T | RemoteError] = {}
        halt: RemoteError | None = None
        unanswered, answered = 0, False

        async def worker() -> None:
            nonlocal halt, unanswered, answered
            for provider_id, work in remaining:
                if halt is not None:
                    results[provider_id] = halt
                    continue
                try:
                    results[provider_id] = await self._timed(operation, work, settings.PROVIDER_TIMEOUT_SECONDS)
                    answered = True
                except (Unavailable, OutcomeUnknown) as error:
                    results[provider_id] = error
                    unanswered += 1
                    if not answered and unanswered >= concurrency:
                        halt = error
                except RemoteError as error:
                    results[provider_id] = error
                    answered = True
                    if isinstance(error, Throttled):
                        halt = error

        async def all_workers() -> None:
            await asyncio.gather(*(worker() for _ in range(min(concurrency, len(works)))))

        # Halting bounds it to two rounds without an answer; with answers, each round is as long as the slowest of it.
        rounds = 2 + len(works) // max(concurrency, 1)
        try:
            event_loop.run(all_workers(), limit=rounds * settings.PROVIDER_TIMEOUT_SECONDS)
        except TimeoutError:
            raise Unavailable(f"{operation}: the loop does not answer") from None
        return results

    def _current_client(self) -> Client:
        """Return the client of this process and of the settings as they are. Call in the event loop."""
        key = (
            os.getpid(),
            Credentials(settings.TEXTVERIFIED_BASE_URL, settings.TEXTVERIFIED_API_KEY, settings.TEXTVERIFIED_USERNAME),
        )
        if self._client is not None and key == self._client_key:
            return self._client
        if self._client is not None and self._client_key is not None:
            if self._client_key[0] == key[0]:
                event_loop.spawn(self._client.close())
            else:
                self._forked_clients.append(self._client)
        self._client = Client(key[1], connections=settings.POLL_CONCURRENCY + 50)
        self._client_key = key
        event_loop.at_close(self._client.close)
        return self._client


def _report_work(provider_id: str) -> Work[None]:
    async def work(client: Client, attempt: Attempt) -> None:
        await client.change(attempt, f"/verifications/{_path_id(provider_id)}/report")

    return work


def _fetch_work(provider_id: str, *, waiting_too: bool) -> Work[Number]:
    """Return the work that fetches a number: its details first, then its messages, which a completed one has by then.

    One that waits has none, so polling, which asks about thousands, leaves that half of the requests out. Raises
    Unreadable where messages came and none of them can be read.
    """

    async def work(client: Client, attempt: Attempt) -> Number:
        number = mapping.parse_number(await client.get(f"/verifications/{_path_id(provider_id)}"))
        if number.state == "waiting" and not waiting_too:
            return number
        read = partial(mapping.parse_text_for, provider_id=number.provider_id, phone_number=number.phone_number)
        query: dict[str, str] | None = {}
        found: list[Text] = []
        unreadable = 0
        for _ in range(_MAX_PAGES):
            rows, query = _page(await client.get("/sms", {**(query or {}), "reservationId": number.provider_id}))
            texts = _readable(rows, read, "sms")
            found += [text for text in texts if text is not None]
            unreadable += texts.unreadable
            if query is None:
                break
        if unreadable and not found:
            raise mapping.Unreadable("messages")
        return replace(number, messages=tuple(found))

    return work


def _readable(rows: Iterable[Any], read: Callable[[Any], T], what: str) -> PartialList[T]:
    """Return the rows that can be read; the others are counted and logged."""
    found, unreadable = mapping.parse_rows(rows, read)
    if unreadable:
        metrics.provider_rows_unreadable_total.labels(TextVerified.name, what).inc(unreadable)
        log.warning("%s of %s rows of %s can't be read", unreadable, unreadable + len(found), what)
    return PartialList(found, unreadable=unreadable)


def _page(body: Any) -> tuple[list[Any], dict[str, str] | None]:
    """Return the rows of a page and the query of the next one, None on the last. Only the link's query is followed."""
    with mapping.parsing("page"):
        rows = list(body["data"])
        if body["hasNext"] is not True:
            return rows, None
        query = dict(parse_qsl(urlsplit(body["links"]["next"]["href"]).query))
        if not query:
            raise mapping.Unreadable("link")
        return rows, query


def _capability(spec: Spec) -> str:
    for theirs, ours in mapping.CAPABILITIES.items():
        if ours == spec.capability:
            return theirs
    raise Rejected(f"no capability {spec.capability}")


def _path_id(provider_id: str) -> str:
    try:
        return mapping.parse_id(provider_id)
    except mapping.Unreadable:
        raise NotFound("not an id of this provider") from None
