"""Thousands of numbers whose time ends in the same second: until every customer has the money back, once."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from functools import partial

from django.db import close_old_connections, connection
from django.db.models import QuerySet
from django.utils import timezone

from bench import numbers, people, pgbench
from bench.context import Context
from bench.forked import Forked
from bench.machine import Busy, database_pids, said
from bench.postings import SCRIPT
from bench.progress import STILL_SECONDS
from bench.report import Row, below
from bench.statements import Statements
from verifications.models import Verification
from verifications.services import expire_due

BEAT_SECONDS = 2.0  # how often the schedule starts a run
WORKERS = 2  # one a core, as compose.yaml starts them
WORKER_THREADS = 8

_PROOF = {
    "verifications without exactly one refund": """
        SELECT count(*) FROM verifications_verification v WHERE {mine} AND (v.status <> 'waiting')::int <> (
            SELECT count(*) FROM refunds_refund r WHERE r.verification_id = v.id AND r.status = 'completed')""",
    "wallets that are not their journal's sum": """
        SELECT count(*) FROM wallet_wallet w WHERE {mine} AND (w.balance, w.version) <> (
            SELECT sum(amount), count(*) FROM wallet_transaction t WHERE t.wallet_id = w.id)""",
    "inboxes that are not their rows' count": """
        SELECT count(*) FROM notifications_inbox i WHERE {mine} AND i.seq <> (
            SELECT count(*) FROM notifications_notification n WHERE n.user_id = i.user_id)""",
    "events without an inbox row": """
        SELECT count(*) FROM activity_activity a WHERE {mine} AND NOT EXISTS (
            SELECT 1 FROM notifications_notification n WHERE n.activity_id = a.id)""",
}


def run(context: Context) -> list[Row]:
    count = context.size(10_000, 400)
    numbers.let_rest()
    with context.sandbox() as sandbox:
        began = timezone.now() - timedelta(minutes=15)
        ends = timezone.now() - timedelta(seconds=15)
        context.progress.step(f"buying {count:,} numbers")
        ids = numbers.buy(context, count, service="test_timeout", customers=count // 4, sold=began, ends=ends)
        numbers.control(context, "/__ctl/clock", advance=30)  # there they end after 20 s
        listing, round_trips = _one_alone(ids)
        busy = Busy()
        workers = [Forked(partial(_work, ids=ids), number) for number in range(WORKERS)]
        busy.start(
            {f"each of {WORKERS} workers": [workers[0].pid], "database": database_pids, "sandbox": [sandbox.pid]}
        )
        context.progress.step(f"{count:,} numbers end, {WORKERS} workers")
        seconds, left = _until_refunded(context, ids)
        shares = busy.stop()
        for worker in workers:
            worker.result()
    context.progress.step("proving the books")
    wrong = _wrong(ids)
    if wrong:
        raise RuntimeError(f"The expiry went wrong: {wrong}")
    print(listing)
    wallets = people.make(min(count, 1000), cents=1_000_00)
    script = SCRIPT.format(first=wallets[0], last=wallets[-1])
    rate = pgbench.transactions_a_second(script, folder=context.folder, clients=12, seconds=3)
    ended = count - left
    floor, scaled = ended / rate, seconds * 10_000 / ended
    return [
        Row(
            what=f"{count:,} verifications expiring in the same second, {WORKERS} workers: until all are refunded once",
            measured=f"{ended:,} in {seconds:.1f} s ({ended / seconds:.0f}/s)"
            + ("" if ended == 10_000 else f"; at this rate {scaled:.0f} s for 10,000"),
            floor=f"pgbench, so many journal rows alone: {floor:.1f} s",
            ratio=seconds / floor,
            must="< 60 s",
            aim="< 20 s",
            met=below(scaled, must=60, aim=20),
            limit=f"{round_trips} round trips a row; of a core: {said(shares)}.",
        )
    ]


def _ours(ids: list[int]) -> QuerySet[Verification]:
    """The numbers of this run, by two figures: thousands of ids in a statement cost more than the endings do."""
    return Verification.objects.filter(user_id__gte=ids[0], user_id__lte=ids[-1])


def _one_alone(ids: list[int]) -> tuple[str, int]:
    """The statements of one ending."""
    others = _ours(ids).exclude(pk=Verification.objects.filter(user_id=ids[0])[:1])
    later = timezone.now() + timedelta(hours=1)
    kept = list(others.filter(expires_at__lt=later).values_list("pk", flat=True))
    ends = others[0].expires_at
    Verification.objects.filter(pk__in=kept).update(expires_at=later)
    with Statements() as statements:
        expire_due(now=timezone.now())
    Verification.objects.filter(pk__in=kept).update(expires_at=ends)
    return statements.listing("one ending, with its claim"), statements.round_trips


def _until_refunded(context: Context, ids: list[int]) -> tuple[float, int]:
    """Seconds until the last refund, and how many wait still where none came for STILL_SECONDS."""
    waiting = _ours(ids).filter(status="waiting")
    count = waiting.count()
    began = ended_at = asked_at = time.monotonic()
    ended = 0
    while waiting.exists() and time.monotonic() - ended_at < STILL_SECONDS - 60:
        if time.monotonic() - asked_at > 2:  # counting costs what is measured
            asked_at = time.monotonic()
            done = count - waiting.count()
            ended, ended_at = done, ended_at if done == ended else asked_at
            context.progress.count("refunded", done, count)
        time.sleep(0.05)
    seconds, left = time.monotonic() - began, waiting.count()
    waiting.update(expires_at=timezone.now() + timedelta(hours=1))  # nothing is due any more: the workers end
    return seconds, left


def _work(number: int, *, ids: list[int]) -> None:
    """A worker: the schedule starts a run every two seconds, and the workers take turns at them."""
    due = _ours(ids).filter(status="waiting", expires_at__lt=timezone.now())
    began = time.monotonic()
    runs: list[Future[int]] = []
    with ThreadPoolExecutor(WORKER_THREADS) as threads:
        while due.exists():
            running = [run for run in runs if not run.done()]
            turn = number + WORKERS * len(runs)
            if len(running) < WORKER_THREADS and time.monotonic() - began >= BEAT_SECONDS * turn:
                runs.append(threads.submit(_run))
            time.sleep(0.1)
    for run in runs:
        run.result()


def _run() -> int:
    try:
        return expire_due(now=timezone.now())
    finally:
        close_old_connections()


def _wrong(ids: list[int]) -> dict[str, int]:
    found = {}
    with connection.cursor() as cursor:
        for what, statement in _PROOF.items():
            cursor.execute(statement.format(mine="user_id = ANY(%s)"), [ids])
            found[what] = cursor.fetchone()[0]
    return {what: count for what, count in found.items() if count}
