"""Open sockets by the thousand: from a commit to the frame, a push alone, one announcement to all, memory."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import redis as redis_client
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import User
from bench import people
from bench.context import Context
from bench.forked import Forked
from bench.machine import Busy, database_pids, memory, said
from bench.report import Row, below, quantile, spread
from config.lib.unit_of_work import unit_of_work
from dev.stack.environment import ROOT
from dev.stack.process import kill_group
from notifications.announcements import services
from notifications.realtime import frames, publish
from wallet import services as wallet
from wallet.models import Transaction

RATE = 200
PRODUCERS = 8
_ANNOUNCING_SECONDS = 300  # whoever was not told by then is lost, in the table
_TAG = re.compile(rb"bench:(\d+)")
Times = dict[int, float]


class Clients:
    """The other end of the sockets, in a process of its own."""

    def __init__(self, context: Context, name: str) -> None:
        log = (context.folder / f"{name}.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench.clients"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
        log.close()
        self.pid = self.process.pid

    def ask(self, **command: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(command).encode() + b"\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("The load generator ended.")
        return json.loads(line)

    def seen(self, *, until: Callable[[dict[str, list[float]]], bool], seconds: float) -> dict[str, Any]:
        """What came, once it is all there or the time is over."""
        deadline = time.monotonic() + seconds
        while True:
            answer = self.ask(seen=True)
            if until(answer["frames"]) or time.monotonic() > deadline:
                return answer
            time.sleep(0.2)


@contextlib.contextmanager
def clients(context: Context, name: str) -> Iterator[Clients]:
    one = Clients(context, name)
    try:
        yield one
    finally:
        kill_group(one.process)
        one.process.wait()


@dataclass
class Tap:
    """Beside the servers: when Redis handed a tagged message on."""

    pattern: str
    at: Times = field(default_factory=dict)

    def __enter__(self) -> Tap:
        self._client = redis_client.Redis.from_url(os.environ["REDIS_URL"], socket_timeout=None)
        self._pubsub = self._client.pubsub()
        self._pubsub.psubscribe(self.pattern)
        self._stop = False
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        return self

    def _listen(self) -> None:
        while not self._stop:
            message = self._pubsub.get_message(timeout=0.5)
            if message and message["type"] == "pmessage" and (tag := _TAG.search(message["data"])):
                self.at.setdefault(int(tag[1]), time.monotonic())

    def __exit__(self, *_: object) -> None:
        self._stop = True
        self._thread.join(5)
        self._pubsub.close()
        self._client.close()


@dataclass
class Measured:
    """One kind of load on one server. Seconds; `sent` by number, as `came`."""

    sent: Times
    came: Times
    published: Times
    took_in_all: float
    shares: dict[str, float]
    late: float
    lost_sockets: int

    @property
    def took(self) -> list[float]:
        return [self.came[number] - at for number, at in self.sent.items() if number in self.came]

    @property
    def lost(self) -> int:
        return len(self.sent.keys() - self.came.keys())

    def stages(self) -> str:
        both = [number for number in self.sent if number in self.came and number in self.published]
        publishing = [max(0.0, self.published[number] - self.sent[number]) for number in both]
        delivering = [max(0.0, self.came[number] - self.published[number]) for number in both]
        return (
            f"to Redis {spread(publishing)}, Redis to client {spread(delivering)}; "
            f"the load generator itself was > 5 ms late {self.late:.0%} of the time; of a core: {said(self.shares)}"
        )


def run(context: Context) -> list[Row]:
    count, seconds = context.size(10_000, 500), context.size(20, 8)
    step = context.progress.step
    step(f"{count:,} sockets of the floor")
    ids = people.make(count, cents=1_000_00)
    User.objects.exclude(pk__in=ids).update(is_active=False)  # an announcement is for these alone
    floor, floor_all, floor_memory = _floor(context, ids, seconds)
    step(f"{count:,} sockets of the product")
    keys = people.sign_in(ids)
    with context.daphne() as server, clients(context, "clients") as others:
        before = memory(server.pid)
        wanted = [
            [f"/ws/notifications/{pk}", f"{settings.SESSION_COOKIE_NAME}={key}"]
            for pk, key in zip(ids, keys, strict=True)
        ]
        opened = others.ask(connect=wanted, port=context.port, origin=settings.PUBLIC_URL)
        if opened["open"] != count:
            raise RuntimeError(f"{opened['open']} of {count} sockets opened: {opened.get('error')}")
        a_socket = (memory(server.pid) - before) / count
        time.sleep(1)
        pattern = publish.redis_channel("") + "*"
        pids = {"server": [server.pid], "clients": [others.pid], "Redis": _redis_pids(), "database": database_pids}
        step("nothing but the push")
        push = _measure(others, pattern, pids, lambda _: _pushes(ids, seconds), "balance_update")
        step("commits")
        commits = _measure(others, pattern, pids, lambda _: _commits(ids, seconds), "notification")
        step("one frame to all")
        to_all = _to_all(others, count, lambda: publish.send([publish.Hint(publish.ALL, _frame(0))]))
        step("one announcement to all")
        told, told_lost = _announced(others, count)
    floor_p99, push_p99, commit_p99 = (quantile(one.took, 0.99) for one in (floor, push, commits))
    sockets = f"{count:,} open sockets"
    return [
        Row(
            what=f"journal commit → frame in its client's socket, {sockets}, {RATE} events/s (p50/p95/p99)",
            measured=f"{spread(commits.took)}; lost {commits.lost} of {len(commits.sent)}; "
            f"{len(commits.sent) / commits.took_in_all:.0f}/s reached",
            floor=f"bare websockets and pub/sub, push alone: {spread(floor.took)}",
            ratio=commit_p99 / floor_p99,
            must="none lost, p99 < 100 ms",
            aim="p99 < 20 ms",
            met="NO" if commits.lost or commits.lost_sockets else below(commit_p99, must=0.1, aim=0.02),
            limit=commits.stages(),
        ),
        Row(
            what=f"the same with nothing but the push, {sockets}, {RATE}/s (p50/p95/p99)",
            measured=f"{spread(push.took)}; lost {push.lost} of {len(push.sent)}",
            floor=f"bare: {spread(floor.took)}",
            ratio=push_p99 / floor_p99,
            must="p99 < 20 ms",
            aim="p99 < 10 ms",
            met="NO" if push.lost or push.lost_sockets else below(push_p99, must=0.02, aim=0.01),
            limit=push.stages(),
        ),
        Row(
            what=f"one frame to {count:,} sockets, until the last has it",
            measured=f"{to_all:.2f} s",
            floor=f"bare: {floor_all:.2f} s",
            ratio=to_all / floor_all,
            must="< 3 s",
            aim="< 0.5 s",
            met=below(to_all, must=3, aim=0.5),
            limit="The server writes to one socket after the other: one queue, one task and one write each.",
        ),
        Row(
            what=f"one announcement that stays in {count:,} inboxes, until the last has it",
            measured=f"{told:.2f} s" + (f"; lost {told_lost}" if told_lost else ""),
            floor=f"the frame alone: {to_all:.2f} s",
            ratio=told / to_all,
            must="< 3 s",
            aim="< 0.5 s",
            met="NO" if told_lost else below(told, must=3, aim=0.5),
            limit="An event row, an inbox row and a hint for each customer, written by one worker.",
        ),
        Row(
            what=f"memory of the server a socket, {sockets}",
            measured=f"{a_socket / 1000:.0f} kB",
            floor=f"bare: {floor_memory / 1000:.0f} kB",
            ratio=a_socket / floor_memory,
            limit=f"Sign-in included, {count / opened['seconds']:.0f} sockets opened a second.",
        ),
    ]


def _floor(context: Context, ids: Sequence[int], seconds: float) -> tuple[Measured, float, float]:
    ready = f"http://127.0.0.1:{context.port}"
    with (
        context.process("floor", "bench.floor_server", str(context.port), ready=ready) as server,
        clients(context, "floor-clients") as others,
    ):
        before = memory(server.pid)
        opened = others.ask(connect=[[f"/{pk}", ""] for pk in ids], port=context.port, origin=ready)
        if opened["open"] != len(ids):
            raise RuntimeError(f"floor: {opened['open']} sockets opened: {opened.get('error')}")
        a_socket = (memory(server.pid) - before) / len(ids)
        pids = {"server": [server.pid], "clients": [others.pid], "Redis": _redis_pids()}
        client = redis_client.Redis.from_url(os.environ["REDIS_URL"])
        push = _measure(others, "floor:*", pids, lambda _: _bare_pushes(ids, seconds), "balance_update")
        body = frames.encode(_frame(0))
        to_all = _to_all(others, len(ids), lambda: client.publish("floor:all", body))
        client.close()
    return push, to_all, a_socket


@dataclass
class Produced:
    """When each was sent (after its commit), how long all of it took, and what it cost this process."""

    sent: Times
    took: float
    cpu: float


def _measure(
    others: Clients, pattern: str, pids: dict[str, Any], produce: Callable[[int], Produced], kind: str
) -> Measured:
    others.ask(watch=True)
    busy = Busy()
    with Tap(pattern) as tap:
        producer = Forked(produce)
        busy.start(pids)
        produced = producer.result()
        shares = busy.stop()
        answer = others.seen(
            until=lambda frames: all(f"{kind}:{number}" in frames for number in produced.sent), seconds=30
        )
    shares["producer"] = produced.cpu / produced.took
    shares["everything else"] = max(0.0, shares["everything else"] - shares["producer"])
    return Measured(
        sent=produced.sent,
        came={int(name.split(":")[1]): times[0] for name, times in answer["frames"].items() if name.startswith(kind)},
        published=tap.at,
        took_in_all=produced.took,
        shares=shares,
        late=answer["late"],
        lost_sockets=answer["lost"],
    )


def _paced(count: int, send: Callable[[int], float], *, threads: int) -> Produced:
    """`send(number)` RATE times a second, as far as it goes; it gives the moment that counts."""
    sent: Times = {}
    numbers = iter(range(1, count + 1))
    lock = threading.Lock()
    cpu, start = time.process_time(), time.monotonic() + 0.5

    def work() -> None:
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                connection.close()
                return
            time.sleep(max(0.0, start + number / RATE - time.monotonic()))
            sent[number] = send(number)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return Produced(sent, time.monotonic() - start, time.process_time() - cpu)


def _commits(ids: Sequence[int], seconds: float) -> Produced:
    """Money that comes: journal, event, inbox and hints, as anywhere in the product."""

    def send(number: int) -> float:
        at: list[float] = []
        with unit_of_work():
            transaction.on_commit(lambda: at.append(time.monotonic()))  # the first to be called
            wallet.credit(
                user=User(pk=ids[number * 7919 % len(ids)]),
                amount=100,
                type="bonus",
                counterparty="promotions",
                reference=f"bench:sockets:{number}",
                description=f"bench:{number}",
            )
        return at[0]

    wallet.wallet_of(user=User(pk=ids[0]))
    return _paced(int(RATE * seconds), send, threads=PRODUCERS)


def _pushes(ids: Sequence[int], seconds: float) -> Produced:
    def send(number: int) -> float:
        now = time.monotonic()
        publish.send([publish.to_user(ids[number * 7919 % len(ids)], _frame(number))])
        return now

    return _paced(int(RATE * seconds), send, threads=1)


def _bare_pushes(ids: Sequence[int], seconds: float) -> Produced:
    client = redis_client.Redis.from_url(os.environ["REDIS_URL"])

    def send(number: int) -> float:
        body = frames.encode(_frame(number))
        now = time.monotonic()
        client.publish(f"floor:{ids[number * 7919 % len(ids)]}", body)
        return now

    return _paced(int(RATE * seconds), send, threads=1)


def _frame(number: int) -> frames.BalanceUpdate:
    now = timezone.now()
    row = Transaction(pk=number, sequence=1, amount=100, type="bonus", description=f"bench:{number}", created_at=now)
    return frames.balance_update(balance=100, held=0, version=1, now=now, transaction=row)


def _to_all(others: Clients, count: int, publish: Callable[[], object]) -> float:
    """The quickest of three."""
    took = []
    for _ in range(3):
        others.ask(watch=True)
        began = time.monotonic()
        publish()
        answer = others.seen(until=lambda frames: _times(frames, "balance_update:0") >= count, seconds=120)
        if _times(answer["frames"], "balance_update:0") < count:
            raise RuntimeError(f"{_times(answer['frames'], 'balance_update:0')} of {count} sockets got the frame")
        took.append(answer["frames"]["balance_update:0"][1] - began)
    return min(took)


def _times(frames: dict[str, list[float]], name: str) -> int:
    return int(frames.get(name, [0, 0, 0])[2])


def _announced(others: Clients, count: int) -> tuple[float, int]:
    """Seconds until the last one was told, and how many were not. Written as the worker's task does it."""
    others.ask(watch=True)
    began = time.monotonic()
    told = {"announcement_id": "bench", "title": "bench:0", "text": "A word to all.", "link": ""}

    def announce(_: int) -> None:
        after: int | None = 0
        while after is not None and time.monotonic() - began < _ANNOUNCING_SECONDS:
            after = services.announce_batch(**told, after=after, now=timezone.now())

    Forked(announce).result(2 * _ANNOUNCING_SECONDS)
    answer = others.seen(until=lambda frames: _times(frames, "notification:0") >= count, seconds=60)
    arrived = _times(answer["frames"], "notification:0")
    last = answer["frames"].get("notification:0", [0, began])[1]
    return last - began, count - arrived


def _redis_pids() -> list[int]:
    with redis_client.Redis.from_url(os.environ["REDIS_URL"]) as client:
        return [client.info("server")["process_id"]]  # type: ignore[index]
