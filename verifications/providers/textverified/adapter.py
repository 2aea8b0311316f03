"""The provider protocol, spoken by TextVerified's API v2 (its document of 2025-08, and what was added since)."""

from __future__ import annotations

import asyncio
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
    Quote,
    Rows,
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

_MOST_PAGES = 1000
_PAGES_LIMIT_SECONDS = 120.0
_OLDER_IN_A_ROW = 20  # rows behind the window, each older than the one before: no list in another order has them
_TOO_EARLY_SECONDS = 30.0


class TextVerified:
    name = "textverified"

    def __init__(self) -> None:
        self._client: Client | None = None
        self._client_key: tuple[int, Credentials] | None = None
        self._inherited: list[Client] = []

    def services(self) -> Rows[ServiceListing]:
        async def work(client: Client, attempt: Attempt) -> Rows[ServiceListing]:
            body = await client.get("/services", {"numberType": "mobile", "reservationType": "verification"})
            return _readable(mapping.parse_list(body), mapping.parse_service, "services")

        return self._do("services", work)

    def quote(self, spec: Spec) -> Quote:
        """The vendor tells price and stock apart; a stock that it doesn't tell is None."""

        async def work(client: Client, attempt: Attempt) -> Quote:
            asked = {"serviceName": spec.service, "numberType": "mobile", "capability": _capability(spec)}
            priced = await client.ask(
                "/pricing/verifications", {**asked, "areaCode": bool(spec.area_code), "carrier": False}
            )
            with mapping.parsing("price"):
                cost = mapping.parse_amount(priced["price"])
            return Quote(service=spec.service, cost=cost, stock=await _stock(client, asked))

        return self._do("quote", work)

    def purchase(self, spec: Spec, *, key: str) -> Number:
        async def work(client: Client, attempt: Attempt) -> Number:
            reply = await client.change(attempt, "/verifications", _order(spec), key=key)
            attempt.provider_id = mapping.parse_link(reply.body, reply.headers.get("Location", ""))
            try:
                return mapping.parse_number(await client.get(f"/verifications/{attempt.provider_id}"))
            except RemoteError as error:
                raise OutcomeUnknown(f"bought, details: {error}", remote_id=attempt.provider_id) from None

        return self._do("purchase", work)

    def fetch(self, provider_id: str) -> Number:
        return self._do("fetch", _fetching(provider_id, waiting_too=True))

    def fetch_many(self, provider_ids: Sequence[str], *, concurrency: int) -> Mapping[str, Number | RemoteError]:
        works = {provider_id: _fetching(provider_id, waiting_too=False) for provider_id in provider_ids}
        return self._do_many("fetch", works, concurrency)

    def cancel(self, provider_id: str) -> None:
        async def work(client: Client, attempt: Attempt) -> None:
            path = f"/verifications/{_known(provider_id)}"
            try:
                await client.change(attempt, f"{path}/cancel")
            except NotFound:
                raise
            except (Rejected, Unexplained) as refused:
                # The vendor has no word for "too early": a number that still waits can be cancelled later.
                try:
                    number = mapping.parse_number(await client.get(path))
                except (RemoteError, mapping.Unreadable):
                    if isinstance(refused, Unexplained):
                        raise refused from None  # perhaps done: nobody says what became of it
                    raise
                if number.state == "waiting":
                    if number.can_cancel and isinstance(refused, Unexplained):
                        raise refused from None  # not the vendor's own no: it is asked again
                    wait = 1 if number.can_cancel else _TOO_EARLY_SECONDS
                    raise TooEarly(str(refused), retry_after=wait) from None
                if number.state == "unknown":
                    raise
                raise Rejected(str(refused)) from None

        self._do("cancel", work)

    def report(self, provider_id: str) -> None:
        self._do("report", _reporting(provider_id))

    def report_many(self, provider_ids: Sequence[str], *, concurrency: int) -> Mapping[str, RemoteError | None]:
        works = {provider_id: _reporting(provider_id) for provider_id in provider_ids}
        return self._do_many("report", works, concurrency)

    def recent(self, *, since: datetime) -> Rows[Sale]:
        """Read to the end: the order is not promised. Stops early only where the list has proved to fall in time."""

        async def work(client: Client, attempt: Attempt) -> Rows[Sale]:
            found: dict[str, Sale] = {}
            unreadable, falling, last, older = 0, True, None, 0
            query: dict[str, str] | None = {}
            for _ in range(_MOST_PAGES):
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
                if query is None or (falling and older >= _OLDER_IN_A_ROW):
                    return Rows(found.values(), unreadable=unreadable)
            raise Unavailable("too many pages of verifications")

        return self._do("recent", work, limit=_PAGES_LIMIT_SECONDS)

    def balance(self) -> Decimal:
        async def work(client: Client, attempt: Attempt) -> Decimal:
            body = await client.get("/account/me")
            with mapping.parsing("account"):
                return mapping.parse_amount(body["currentBalance"])

        return self._do("balance", work)

    def parse_webhook(self, *, headers: Mapping[str, str], body: bytes) -> IncomingText | None:
        return webhook.parse(headers=headers, body=body, secret=settings.TEXTVERIFIED_WEBHOOK_SECRET)

    def _do(self, operation: str, work: Work[T], *, limit: float | None = None) -> T:
        limit = settings.PROVIDER_TIMEOUT_SECONDS if limit is None else limit
        try:
            return event_loop.run(self._timed(operation, work, limit), limit=limit)
        except TimeoutError:
            raise OutcomeUnknown(f"{operation}: the loop does not answer") from None

    def _do_many(self, operation: str, works: Mapping[str, Work[T]], concurrency: int) -> Mapping[str, T | RemoteError]:
        # Halting bounds it to two rounds without an answer; with answers, each round is as long as the slowest of it.
        rounds = 2 + len(works) // max(concurrency, 1)
        work = self._many(operation, works, concurrency)
        try:
            return event_loop.run(work, limit=rounds * settings.PROVIDER_TIMEOUT_SECONDS)
        except TimeoutError:
            raise Unavailable(f"{operation}: the loop does not answer") from None

    async def _timed(self, operation: str, work: Work[T], limit: float) -> T:
        """One operation within its limit, measured; every way to get no answer is told as what it means."""
        attempt, begun, outcome = Attempt(), time.perf_counter(), "error"
        try:
            async with asyncio.timeout(limit):
                result = await work(self._here(), attempt)
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

    async def _many(
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

        await asyncio.gather(*(worker() for _ in range(min(concurrency, len(works)))))
        return results

    def _here(self) -> Client:
        """The client of this process, its loop, and the settings as they are. Called in the loop."""
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
                self._inherited.append(self._client)
        self._client = Client(key[1], connections=settings.POLL_CONCURRENCY + 50)
        self._client_key = key
        event_loop.at_close(self._client.close)
        return self._client


def _reporting(provider_id: str) -> Work[None]:
    async def work(client: Client, attempt: Attempt) -> None:
        await client.change(attempt, f"/verifications/{_known(provider_id)}/report")

    return work


def _fetching(provider_id: str, *, waiting_too: bool) -> Work[Number]:
    """Details first, messages after: a number seen as completed has its text then.

    One that waits there has had none, so polling, which asks of thousands, saves itself that half of the questions.
    """

    async def work(client: Client, attempt: Attempt) -> Number:
        number = mapping.parse_number(await client.get(f"/verifications/{_known(provider_id)}"))
        if number.state == "waiting" and not waiting_too:
            return number
        return replace(number, messages=await _messages(client, number))

    return work


async def _messages(client: Client, number: Number) -> tuple[Text, ...]:
    """Raises Unreadable where texts came and none can be read: then nothing is known of them."""
    query: dict[str, str] | None = {"reservationId": number.provider_id}
    found: list[Text] = []
    unreadable = 0
    read = partial(mapping.parse_text_for, provider_id=number.provider_id, phone_number=number.phone_number)
    for _ in range(_MOST_PAGES):
        rows, query = _page(await client.get("/sms", query))
        texts = _readable(rows, read, "sms")
        found += [text for text in texts if text is not None]
        unreadable += texts.unreadable
        if query is None:
            break
        query["reservationId"] = number.provider_id
    if unreadable and not found:
        raise mapping.Unreadable("messages")
    return tuple(found)


def _readable(rows: Iterable[Any], read: Callable[[Any], T], what: str) -> Rows[T]:
    """Row by row: what can't be read is left out and counted, so that one strange row hides no other."""
    found, unreadable = mapping.parse_rows(rows, read)
    if unreadable:
        metrics.provider_rows_unreadable_total.labels(TextVerified.name, what).inc(unreadable)
        log.warning("%s of %s rows of %s can't be read", unreadable, unreadable + len(found), what)
    return Rows(found, unreadable=unreadable)


async def _stock(client: Client, asked: Mapping[str, Any]) -> int | None:
    try:
        body = await client.ask("/inventory/verifications", asked)
        with mapping.parsing("stock"):
            return max(0, int(body["availableQuantity"]))
    except (RemoteError, mapping.Unreadable):
        return None  # the price alone is worth having


def _page(body: Any) -> tuple[list[Any], dict[str, str] | None]:
    """Rows of a page and the query of the next one, None on the last. Only the link's query is followed."""
    with mapping.parsing("page"):
        rows = list(body["data"])
        if body["hasNext"] is not True:
            return rows, None
        query = dict(parse_qsl(urlsplit(body["links"]["next"]["href"]).query))
        if not query:
            raise mapping.Unreadable("link")
        return rows, query


def _order(spec: Spec) -> dict[str, Any]:
    order: dict[str, Any] = {"serviceName": spec.service, "capability": _capability(spec)}
    if spec.area_code:
        order["areaCodeSelectOption"] = [spec.area_code]
    if spec.max_cost is not None:
        order["maxPrice"] = float(spec.max_cost)  # a JSON number; cents survive in a double's shortest form
    return order


def _capability(spec: Spec) -> str:
    for theirs, ours in mapping.CAPABILITIES.items():
        if ours == spec.capability:
            return theirs
    raise Rejected(f"no capability {spec.capability}")


def _known(provider_id: str) -> str:
    try:
        return mapping.parse_id(provider_id)
    except mapping.Unreadable:
        raise NotFound("not an id of this provider") from None
