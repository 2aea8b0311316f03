"""The sandbox in a thread, for test suites. One for a test process, `reset()` between tests:

@pytest.fixture(scope="session")
def sandbox_process():
    with running_sandbox(SandboxConfig(webhook_enabled=False)) as sandbox:
        yield sandbox

@pytest.fixture
def sandbox(sandbox_process):
    sandbox_process.reset()
    return sandbox_process
"""

import asyncio
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from dev.sandbox.app import create_app
from dev.sandbox.config import SandboxConfig


class ControlError(Exception):
    """The control API refused. `status` and `body` are its answer."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body


@dataclass(frozen=True)
class RunningSandbox:
    """A sandbox listening on `base_url`. All methods are blocking calls of its control API over HTTP."""

    base_url: str
    config: SandboxConfig = field(default_factory=SandboxConfig)

    def __str__(self) -> str:
        return self.base_url

    @property
    def textverified_url(self) -> str:
        """Return the value of TEXTVERIFIED_BASE_URL: `/api/pub/v2/…` follows."""
        return f"{self.base_url}/textverified"

    @property
    def stripe_url(self) -> str:
        """Return the value of STRIPE_API_BASE: `/v1/…` follows."""
        return f"{self.base_url}/stripe"

    def reset(self) -> None:
        """Forget everything: numbers, sessions, timers, faults, tokens, settings, clock, log."""
        self._call("POST", "/__ctl/reset", {})

    def settings(self, **values: Any) -> dict[str, Any]:
        """Change cancel_lock_seconds, token_seconds, seed, webhook_enabled, latency_ms, public_url, … ; returns all."""
        return self._call("POST", "/__ctl/settings", values)

    def sms(self, number: str, text: str, **shape: Any) -> dict[str, Any]:
        """Deliver a message to the newest live reservation of a number. Shape: delay, sent_at, duplicate."""
        return self._call("POST", "/__ctl/sms", {"number": number, "text": text, **shape})

    def fault(self, match: str, fault: str, times: int = 1, body: str = "") -> None:
        """Let the next `times` vendor requests whose "METHOD /path" matches the regular expression misbehave.

        `body` is another one: only requests in whose body it finds something.
        """
        self._call("POST", "/__ctl/faults", {"match": match, "fault": fault, "times": times, "body": body})

    def mend(self) -> None:
        """End all faults; requests that hang are let go."""
        self._call("POST", "/__ctl/faults", {"forget": True})

    def advance(self, seconds: float) -> None:
        """Move the sandbox's clock. What fell due has happened on return (its webhooks may be under way)."""
        self._call("POST", "/__ctl/clock", {"advance": seconds})

    def pay(self, reference: str, outcome: str = "paid", **shape: Any) -> dict[str, Any]:
        """Finish a checkout. Outcome: paid, failed, disputed. Shape: duplicate, delay, bad_signature."""
        return self._call("POST", "/__ctl/pay", {"reference": reference, "outcome": outcome, **shape})

    def plant_key(self, key: str, state: str) -> None:
        """Make TextVerified take an Idempotency-Key as running (409), expired (400) or unused."""
        self._call("POST", "/__ctl/keys", {"key": key, "state": state})

    def ledger(self) -> dict[str, Any]:
        return self._call("GET", "/__ctl/ledger")

    def requests(self) -> list[str]:
        """Return the vendor requests since the reset, oldest first, as "METHOD /path"."""
        return self._call("GET", "/__ctl/requests")["requests"]

    def request_log(self) -> list[dict[str, Any]]:
        """Return them with {method, path, query, body, status, key, fault}; `key` is the idempotency key."""
        return self._call("GET", "/__ctl/requests")["log"]

    def webhooks(self, *, settle: float = 0) -> list[dict[str, Any]]:
        """Every webhook since the reset: {vendor, event, url, headers, body, attempts: [status or error], done}.

        With `webhook_enabled` off they are written down here and not sent, so that a test can post `body` with
        `headers` itself. `settle` waits at most so many seconds until none is under way.
        """
        return self._call("GET", f"/__ctl/webhooks?settle={settle}", timeout=settle + 10)["webhooks"]

    def mail(self) -> list[dict[str, Any]]:
        """Messages, newest first: {id, to, subject, text, links, …}."""
        return self._call("GET", "/mail?format=json")["messages"]

    def _call(self, method: str, path: str, body: Any = None, timeout: float = 15) -> Any:
        request = urllib.request.Request(self.base_url + path, method=method)  # noqa: S310  always http
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, data=data, timeout=timeout) as response:
                return json.loads(response.read())
        except urllib.error.HTTPError as error:
            with error:
                raise ControlError(error.code, json.loads(error.read())) from None


@contextmanager
def running_sandbox(config: SandboxConfig | None = None, *, port: int = 0) -> Iterator[RunningSandbox]:
    """Run the sandbox in a thread on a free port of 127.0.0.1 until the block ends."""
    config = config or SandboxConfig()
    loop = asyncio.new_event_loop()
    started: threading.Event = threading.Event()
    stop = asyncio.Event()
    outcome: list[Any] = []

    async def serve() -> None:
        runner = web.AppRunner(create_app(config), access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", port)
            await site.start()
            outcome.append(runner.addresses[0][1])
            started.set()
            await stop.wait()
        finally:
            await runner.cleanup()

    def run() -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(serve())
        except BaseException as error:  # noqa: BLE001  the caller's thread raises it
            outcome.append(error)
        finally:
            started.set()
            loop.close()

    thread = threading.Thread(target=run, name="sandbox", daemon=True)
    thread.start()
    started.wait(10)
    if not outcome or isinstance(outcome[0], BaseException):
        raise RuntimeError("The sandbox did not start.") from (outcome[0] if outcome else None)
    try:
        yield RunningSandbox(base_url=f"http://127.0.0.1:{outcome[0]}", config=config)
    finally:
        if not loop.is_closed():
            loop.call_soon_threadsafe(stop.set)
        thread.join(10)
