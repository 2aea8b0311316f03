"""Outgoing signed webhooks, retried a few times, all of them kept for tests."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import aiohttp

BACKOFF = (0.3, 1.0, 3.0, 8.0)  # seconds before each further attempt
TIMEOUT = aiohttp.ClientTimeout(total=10)

Sign = Callable[[bytes], dict[str, str]]


@dataclass
class Delivery:
    vendor: str
    event: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    attempts: list[int | str] = field(default_factory=list)
    done: bool = False


def textverified_signature(secret: str, body: bytes) -> dict[str, str]:
    digest = base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha512)).decode()
    return {"X-Webhook-Signature": f"HMAC-SHA512={digest}"}


def stripe_signature(secret: str, body: bytes) -> dict[str, str]:
    """Return Stripe's signature, with the real time and not the sandbox's: receivers check its age."""
    moment = int(time.time())
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={moment},v1={digest}"}


class Webhooks:
    def __init__(self) -> None:
        self.deliveries: deque[Delivery] = deque(maxlen=5000)
        self._tasks: set[asyncio.Task[None]] = set()
        self._client: aiohttp.ClientSession | None = None

    def send(
        self,
        *,
        vendor: str,
        url: str,
        payload: dict[str, Any],
        sign: Sign,
        event: str,
        enabled: bool = True,
        retry: bool = True,
        attempt_field: str | None = None,
    ) -> None:
        """Post `payload` to `url` until it is answered 2xx, or the attempts are used up.

        `attempt_field` names the payload's counter of attempts, where the vendor has one.
        """
        delivery = Delivery(vendor=vendor, event=event, url=url)
        self.deliveries.append(delivery)

        def prepare(attempt: int) -> bytes:
            content = {**payload, attempt_field: attempt} if attempt_field else payload
            body = json.dumps(content).encode()
            delivery.body = body.decode()
            delivery.headers = {"Content-Type": "application/json", **sign(body)}
            return body

        prepare(1)
        if not enabled:
            delivery.done = True
            return
        task = asyncio.get_running_loop().create_task(self._deliver(delivery, prepare, BACKOFF if retry else ()))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, delivery: Delivery, prepare: Callable[[int], bytes], backoff: tuple[float, ...]) -> None:
        for attempt, pause in enumerate((*backoff, None), start=1):
            outcome = await self._post(delivery, prepare(attempt))
            delivery.attempts.append(outcome)
            if (isinstance(outcome, int) and 200 <= outcome < 300) or pause is None:
                break
            await asyncio.sleep(pause)
        delivery.done = True

    async def _post(self, delivery: Delivery, body: bytes) -> int | str:
        if self._client is None:
            self._client = aiohttp.ClientSession(timeout=TIMEOUT)
        try:
            async with self._client.post(
                delivery.url, data=body, headers=delivery.headers, allow_redirects=False
            ) as response:
                return response.status
        except (aiohttp.ClientError, TimeoutError) as error:
            return type(error).__name__

    async def settle(self, seconds: float) -> None:
        """Wait until no webhook is being sent, at most this many seconds."""
        deadline = time.monotonic() + seconds
        while self._tasks and (left := deadline - time.monotonic()) > 0:
            await asyncio.wait(set(self._tasks), timeout=left)

    def listing(self) -> list[dict[str, Any]]:
        return [asdict(delivery) for delivery in self.deliveries]

    def reset(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()
        self.deliveries.clear()

    async def close(self) -> None:
        self.reset()
        if self._client is not None:
            await self._client.close()
