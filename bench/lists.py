"""The long lists on a million rows: by API and by page, one client, beside the bare SQL of the same rows."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

import psycopg
from django.conf import settings
from django.test import Client

from bench import heavy, people
from bench.context import Context
from bench.report import Row, below, quantile, spread
from bench.statements import Statements
from bench.web import Browser

_SIGN_IN = 2  # session and user
_LISTS = (
    (
        "notification list with counts, page of 20 (API)",
        "/api/notifications?limit=20",
        0.05,
        0.015,
        """
        SELECT (SELECT count(*) FROM notifications_notification WHERE user_id = %(user)s AND deleted_at IS NULL
            AND archived_at IS NULL), i.seq, i.unread, n.*, a.*
        FROM notifications_inbox i JOIN notifications_notification n USING (user_id)
        JOIN activity_activity a ON a.id = n.activity_id
        WHERE i.user_id = %(user)s AND n.deleted_at IS NULL AND n.archived_at IS NULL ORDER BY n.seq DESC LIMIT 20
        """,
    ),
    (
        "wallet transactions, page of 20 (API)",
        "/api/wallet/transactions?limit=20",
        0.1,
        0.03,
        """
        SELECT t.*, (SELECT count(*) FROM wallet_transaction WHERE wallet_id = w.id)
        FROM wallet_wallet w JOIN wallet_transaction t ON t.wallet_id = w.id
        WHERE w.user_id = %(user)s ORDER BY t.sequence DESC LIMIT 20
        """,
    ),
    (
        "activities, page of 20 (API)",
        "/api/activities?limit=20",
        0.1,
        0.03,
        """
        SELECT a.*, (SELECT count(*) FROM activity_activity WHERE user_id = %(user)s)
        FROM activity_activity a WHERE user_id = %(user)s ORDER BY created_at DESC, id DESC LIMIT 20
        """,
    ),
)


def run(context: Context) -> Iterator[Row]:
    ids, size = heavy.load(context)
    user = ids[len(ids) // 2]
    (session,) = people.sign_in([user])
    times = context.size(200, 60)
    with context.gunicorn(), Browser(context.port, session) as browser:
        for what, path, must, aim, sql in _LISTS:
            statements = _statements(session, path)
            print(statements.listing(path))
            context.progress.step(f"{path}, {times} times")
            took = _timed(lambda path=path: browser.get(path), times)
            floor = _bare(sql, user, times)
            p95 = quantile(took, 0.95)
            own = len(statements.sent) - _SIGN_IN
            bounded = what.startswith("notification")
            yield Row(
                what=f"{what}, {size:,} rows in the table, {heavy.EACH:,} the user's",
                measured=f"{spread(took)}; {own} queries and {_SIGN_IN} of the sign-in",
                floor=f"bare SQL: {spread(floor)}",
                ratio=p95 / quantile(floor, 0.95),
                must=f"p95 < {must * 1000:.0f} ms",
                aim=f"p95 < {aim * 1000:.0f} ms" + (", ≤ 4 queries" if bounded else ""),
                met=below(p95, must=must, aim=None if bounded and own > 4 else aim),
                limit="By HTTP through gunicorn, session and user included: Python's share, not the table's.",
            )


def _statements(session: str, path: str) -> Statements:
    client = Client()
    client.cookies[settings.SESSION_COOKIE_NAME] = session
    client.get(path)  # notes where somebody is signed in
    with Statements() as statements:
        answer = client.get(path)
    if answer.status_code != 200:
        raise RuntimeError(f"{path}: {answer.status_code} {answer.content[:300]!r}")
    return statements


def _timed(work: Callable[[], object], times: int) -> list[float]:
    for _ in range(20):
        work()
    took = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return took


def _bare(sql: str, user: int, times: int) -> list[float]:
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        return _timed(lambda: connection.execute(sql, {"user": user}).fetchall(), times)
