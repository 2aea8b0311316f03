"""Thousands of waiting numbers asked about by one worker: whether each has its turn in time."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from unittest import mock

from django.conf import settings
from django.db import close_old_connections
from django.utils import timezone

from bench import numbers
from bench.context import Context
from bench.machine import Busy, database_pids, said
from bench.report import Row, quantile
from verifications import providers
from verifications.models import Verification
from verifications.services import poll, poll_due

BEAT_SECONDS = 1.0
WORKER_THREADS = 8


def run(context: Context) -> list[Row]:
    count, seconds = context.size(5_000, 500), context.size(30, 12)
    asked: dict[Any, list[float]] = defaultdict(list)
    poll_batch = poll._poll

    def noted(rows: list[Verification], *rest: Any) -> None:
        poll_batch(rows, *rest)
        answered = time.monotonic()
        for row in rows:
            asked[row.pk].append(answered)

    numbers.let_rest()
    with context.sandbox() as sandbox:
        now = timezone.now()
        context.progress.step(f"buying {count:,} numbers")
        ids = numbers.buy(
            context, count, service="test_pending", customers=count // 4, sold=now, ends=now + timedelta(minutes=15)
        )
        context.progress.step("the same fetches alone")
        floor = _bare(ids, count)
        mine = Verification.objects.filter(user_id__in=ids)
        mine.update(created_at=timezone.now(), next_poll_at=timezone.now())
        busy = Busy()
        busy.start({"the worker": [os.getpid()], "database": database_pids, "sandbox": [sandbox.pid]})
        with mock.patch.object(poll, "_poll", noted):
            context.progress.step(f"polling {count:,} for {seconds} s")
            began = time.monotonic()
            _poll(seconds)
            ended = time.monotonic()
        shares = busy.stop()
    interval, allowed = settings.POLL_INTERVAL_SECONDS, settings.POLL_INTERVAL_SECONDS + BEAT_SECONDS
    gaps = [
        later - earlier
        for times in asked.values()
        for earlier, later in zip([began, *times], [*times, max(ended, times[-1])], strict=True)
    ]
    late = sum(gap > allowed for gap in gaps)
    never = count - len(asked)
    polls = sum(map(len, asked.values()))
    return [
        Row(
            what=f"{count:,} active verifications in their first minute, polled by one worker: time between answers",
            measured=f"p50 {quantile(gaps, 0.5):.1f} s, p99 {quantile(gaps, 0.99):.1f} s, longest {max(gaps):.1f} s; "
            f"{polls / (ended - began):,.0f} polls/s; late {late}, never {never}",
            floor=f"the same fetches alone, all at once: {floor:.1f} s a round",
            ratio=quantile(gaps, 0.5) / max(floor, interval),
            must=f"≤ {interval:g} s and the {BEAT_SECONDS:g} s tick",
            met="NO" if late or never else "must",
            limit=f"of a core: {said(shares)}.",
        )
    ]


def _bare(ids: list[int], count: int) -> float:
    """Seconds for one round of the provider's answers, by our adapter, with no database in it."""
    provider_ids = list(Verification.objects.filter(user_id__in=ids).values_list("provider_id", flat=True))
    provider = providers.current()
    provider.balance()  # the token
    began = time.monotonic()
    provider.fetch_many(provider_ids, concurrency=settings.POLL_CONCURRENCY)
    return time.monotonic() - began


def _poll(seconds: float) -> None:
    """As the schedule does it: a run each second, on the worker's threads."""
    began, runs = time.monotonic(), list[Future[int]]()
    with ThreadPoolExecutor(WORKER_THREADS) as threads:
        while (took := time.monotonic() - began) < seconds:
            if took >= BEAT_SECONDS * len(runs) and sum(not run.done() for run in runs) < WORKER_THREADS:
                runs.append(threads.submit(_run))
            time.sleep(0.02)
    for run in runs:
        run.result()


def _run() -> int:
    try:
        return poll_due(now=timezone.now())
    finally:
        close_old_connections()
