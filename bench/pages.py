"""Time to the first byte of the pages, under the two servers that may serve them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

from django.utils import timezone

from bench import heavy, numbers, people
from bench.context import Context
from bench.report import Row, below, quantile, spread
from bench.web import Browser
from dev.stack.environment import ROOT
from verifications.models import Verification
from verifications.services import sync_catalogue


def run(context: Context) -> Iterator[Row]:
    subprocess.run([sys.executable, "manage.py", "collectstatic", "--no-input", "-v", "0"], cwd=ROOT, check=True)
    ids, _ = heavy.load(context)
    (user,) = ids[-1:]
    with context.sandbox():
        now = timezone.now()
        sync_catalogue(now=now)
        there = numbers.control(context, "/__bench/sell", service="test_pending", count=3)
        numbers.load(there, [user], service="test_pending", sold=now, ends=now + timedelta(minutes=15))
    one = Verification.objects.filter(user_id=user)[0]
    paths = {
        "dashboard": "/",
        "buy": "/buy",
        "verification": f"/verify/{one.pk}",
        "history": "/history",
        "wallet": "/wallet",
        "notifications": "/notifications",
        "activity": "/activity",
    }
    (session,) = people.sign_in([user])
    servers: tuple[tuple[str, AbstractContextManager[Any]], ...] = (
        ("WSGI (gunicorn)", context.gunicorn()),
        ("ASGI (daphne)", context.daphne()),
    )
    for name, server in servers:
        yield _under(context, name, server, session, paths)


def _under(
    context: Context, name: str, server: AbstractContextManager[Any], session: str, paths: dict[str, str]
) -> Row:
    times = context.size(60, 15)
    with server, Browser(context.port, session) as browser:
        for path in ("/health/live", *paths.values()):
            context.progress.step(f"{name}: warming {path}")
            for _ in range(6):  # both of gunicorn's processes have each template by then
                browser.get(path)
        floor = [browser.get("/health/live") for _ in range(times)]
        took = {}
        for page, path in paths.items():
            context.progress.step(f"{name}: {path}, {times} times")
            took[page] = [browser.get(path) for _ in range(times)]
    worst = max(took, key=lambda page: quantile(took[page], 0.95))
    p95 = quantile(took[worst], 0.95)
    others = "; ".join(f"{page} {quantile(times, 0.95) * 1000:.0f}" for page, times in took.items())
    return Row(
        what=f"any page, first byte, {name}: the slowest is {worst}",
        measured=spread(took[worst]),
        floor=f"/health/live: {spread(floor)}",
        ratio=p95 / quantile(floor, 0.95),
        must="< 200 ms",
        aim="< 60 ms",
        met=below(p95, must=0.2, aim=0.06),
        limit=f"p95 in ms: {others}.",
    )
