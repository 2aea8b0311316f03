"""One sandbox: everything its handlers share."""

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
    """Never the same twice, not even after a reset: the product's database may remember the earlier one."""
    return prefix + "".join(secrets.choice(_LETTERS) for _ in range(length))


@dataclass
class Knobs:
    """What `POST /__ctl/settings` turns. `stock` gives a service's quantity, 0 for none left.

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
    def of(cls, config: SandboxConfig) -> "Knobs":
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


class Forgotten(Exception):
    """The sandbox was reset while a request waited; it must not touch what came after."""


class World:
    def __init__(self, config: SandboxConfig) -> None:
        self.config = config
        self.clock = Clock()
        self.webhooks = Webhooks()
        self.forget()
        self.file = StateFile(config.state_file, self.snapshot) if config.state_file else None
        self._saving: asyncio.TimerHandle | None = None

    def forget(self) -> None:
        """Back to how it was when it started for the first time. Identifiers are not given out again."""
        self.state = State()
        self.knobs = Knobs.of(self.config)
        self.tokens: dict[str, float] = {}  # bearer token -> end, on the sandbox's clock
        self.faults: list[Fault] = []
        self.log: deque[dict[str, Any]] = deque(maxlen=5000)
        self.hung: set[asyncio.Event] = set()

    def reset(self) -> None:
        for event in self.hung:
            event.set()
        self.clock.reset()
        self.webhooks.reset()
        self.forget()
        self.changed()

    async def pause(self, seconds: float) -> None:
        """Real seconds; a reset ends it with Forgotten."""
        released = asyncio.Event()
        self.hung.add(released)
        try:
            await asyncio.wait_for(released.wait(), seconds)
        except TimeoutError:
            return
        finally:
            self.hung.discard(released)
        raise Forgotten

    def changed(self) -> None:
        """To be called after every change of the state; the file is written soon after."""
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
        """Take up the state file, where there is one. What was running is over. The caller sets the timers again."""
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


WORLD = web.AppKey("world", World)
