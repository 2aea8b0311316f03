"""Journal rows a second: ours beside the same statement in pgbench, on many wallets and on one."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator

from accounts.models import User
from bench import people, pgbench
from bench.context import Context
from bench.forked import in_forks
from bench.report import Row, above
from config.lib.unit_of_work import unit_of_work
from wallet import services as wallet
from wallet import signals, statements

WRITERS = 16

SCRIPT = "\\set user random({first}, {last})\n" + statements.POST % {
    "user": ":user",
    "amount": "100",
    "type": "'bonus'",
    "counterparty": "'promotions'",
    "reference": "'pgbench:' || gen_random_uuid()",
    "description": "'bench'",
    "service": "''",
    "resource_type": "''",
    "resource_id": "''",
    "now": "NULL",
}


def run(context: Context) -> Iterator[Row]:
    ids = people.make(context.size(10_000, 500), cents=1_000_00)
    for users, label in ((ids, f"{len(ids):,} wallets"), (ids[:1], "1 wallet")):
        yield from _rows(context, users, label)


def _rows(context: Context, users: list[int], label: str) -> list[Row]:
    seconds = context.size(6, 3)
    script = SCRIPT.format(first=users[0], last=users[-1])

    def peer() -> float:
        return pgbench.transactions_a_second(script, folder=context.folder, clients=WRITERS, seconds=seconds / 2)

    context.progress.step(f"{label}: pgbench")
    before = peer()
    context.progress.step(f"{label}: the journal alone")
    bare = _rate(lambda number: _post_for(number, users, seconds, heard=False))
    context.progress.step(f"{label}: with event, inbox row and hints")
    full = _rate(lambda number: _post_for(number, users, seconds, heard=True))
    rate = (before + peer()) / 2
    return [
        Row(
            what=f"wallet postings, {WRITERS} writers, {label}: the journal alone",
            measured=f"{bare:,.0f}/s",
            floor=f"pgbench, the same statement: {rate:,.0f}/s",
            ratio=bare / rate,
            must="1/2 of pgbench",
            met=above(bare / rate, must=0.5),
            limit="A posting costs 0.3 ms of a core of our clients' Python, as much as pgbench and its server take; "
            "BEGIN and COMMIT are trips of their own, with which pgbench has 0.9 of this floor.",
        ),
        Row(
            what=f"the same, {label}: with event, inbox row and hints",
            measured=f"{full:,.0f}/s",
            floor=f"pgbench, the journal alone: {rate:,.0f}/s",
            ratio=full / rate,
            limit="Statements a posting: the journal's, the event's, the inbox's and its savepoint, a rule's look-up.",
        ),
    ]


def _rate(work: Callable[[int], int]) -> float:
    """`work` gives (postings a second) of one of the writers."""
    return sum(in_forks(work, WRITERS))


def _post_for(number: int, users: list[int], seconds: float, *, heard: bool) -> float:
    if not heard:
        for signal in (signals.transaction_posted, signals.balance_changed):
            signal.receivers = []
            signal.sender_receivers_cache.clear()
    mine = users[number::WRITERS] or users
    customers = [User(pk=pk) for pk in mine]
    _post(customers[0], f"{os.getpid()}:{time.time()}")
    time.sleep(max(0.0, 1.0 - number * 0.05))  # until all of them are up
    start, posted = time.perf_counter(), 0
    for posted in itertools.count(1):
        _post(customers[posted % len(customers)], f"{os.getpid()}:{start}:{posted}")
        if time.perf_counter() - start > seconds:
            break
    return posted / (time.perf_counter() - start)


@unit_of_work()
def _post(user: User, reference: str) -> None:
    wallet.credit(
        user=user,
        amount=100,
        type="bonus",
        counterparty="promotions",
        reference=f"bench:{reference}",
        description="bench",
    )
