"""The sandbox's state, settings and services, which its handlers share."""

import asyncio
import logging
import secrets
from collections import deque
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from dev.sandbox.clock import Clock
from dev.sandbox.config import SandboxConfig
from dev.sandbox.state import State, StateFile
from dev.sandbox.webhooks import Webhooks

log = logging.getLogger("sandbox")

_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_id(prefix: str, length: int = 26) -> str:
    """Return a random id, unique also across resets: the product's database may know ids of before."""
    return prefix + "".join(secrets.choice(_LETTERS) for _ in range(length))


@dataclass
class Settings:
    """Values that `POST /__ctl/settings` changes. `stock` is the quantity by service, 0 for none left.

    The rest is how TextVerified writes its lists: their order and the length of a page, whether numbers show the key
    that they were bought with, the word for a state or for a service's capability instead of the documented one (None:
    no word), and the services that are left out. `costs` are cents, perhaps with a fraction, by service.
    """

    public_url: str
    webhook_enabled: bool
    cancel_lock_seconds: float
    token_seconds: float
    latency_ms: float
    seed: int
    max_unfinished: int | None
    refund_status: str
    stock: dict[str, int]
    list_order: str
    page_length: int
    keys_in_lists: bool
    state_words: dict[str, str | None]
    capability_words: dict[str, str | None]
    unlisted: list[str]
    costs: dict[str, float]

    @classmethod
    def of(cls, config: SandboxConfig) -> "Settings":
        return cls(
            public_url=config.public_url.rstrip("/"),
            webhook_enabled=config.webhook_enabled,
            cancel_lock_seconds=config.cancel_lock_seconds,
            token_seconds=config.token_seconds,
            latency_ms=config.latency_ms,
            seed=config.seed,
            max_unfinished=None,
            refund_status="succeeded",
            stock={},
            list_order="newest",
            page_length=50,
            keys_in_lists=False,
            state_words={},
            capability_words={},
            unlisted=[],
            costs={},
        )


@dataclass
class Fault:
    match: Any  # re.Pattern[str]
    kind: str
    times: int
    seconds: float = 0
    body: Any = None  # re.Pattern[str]: of those requests only in whose body it finds something


class WasReset(Exception):
    """The sandbox was reset while a request waited; the request must not change the new state."""


class Sandbox:
    def __init__(self, config: SandboxConfig) -> None:
        self.config = config
        self.clock = Clock()
        self.webhooks = Webhooks()
        self.clear()
        self.file = StateFile(config.state_file, self.snapshot) if config.state_file else None
        self._saving: asyncio.TimerHandle | None = None

    def clear(self) -> None:
        """Set everything to its initial state. Ids are never used again."""
        self.state = State()
        self.settings = Settings.of(self.config)
        self.tokens: dict[str, float] = {}  # bearer token -> end, on the sandbox's clock
        self.faults: list[Fault] = []
        self.log: deque[dict[str, Any]] = deque(maxlen=5000)
        self.hung: set[asyncio.Event] = set()

    def reset(self) -> None:
        for event in self.hung:
            event.set()
        self.clock.reset()
        self.webhooks.reset()
        self.clear()
        self.changed()

    async def pause(self, seconds: float) -> None:
        """Wait for real seconds. Raises WasReset if the sandbox is reset meanwhile."""
        released = asyncio.Event()
        self.hung.add(released)
        try:
            await asyncio.wait_for(released.wait(), seconds)
        except TimeoutError:
            return
        finally:
            self.hung.discard(released)
        raise WasReset

    def changed(self) -> None:
        """Schedule a write of the state file. Call after every change of the state."""
        if self.file and self._saving is None:
            self._saving = asyncio.get_running_loop().call_later(self.file.delay, self.save)

    def save(self) -> None:
        if self._saving is not None:
            self._saving.cancel()
            self._saving = None
        if self.file:
            self.file.write()

    def snapshot(self) -> dict[str, Any]:
        return {"offset": self.clock.offset, "state": self.state.dump()}

    def restore(self) -> bool:
        """Load the state file; return whether there was one. Running purchases expire. The caller sets the timers."""
        if self.file is None:
            return False
        try:
            data = self.file.read()
            if data is None:
                return False
            self.state = State.load(data["state"])
            self.clock.offset = float(data["offset"])
        except (ValueError, KeyError, TypeError):  # half a file, or one of an older form
            aside = self.file.put_aside()
            log.warning("The sandbox's memory could not be read; it starts afresh and leaves it at %s", aside)
            return False
        for key in self.state.purchase_keys.values():
            if key.state == "running":
                key.state = "expired"
        return True


SANDBOX = web.AppKey("sandbox", Sandbox)
