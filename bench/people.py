"""Customers by the thousand, in a statement or two each."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from datetime import timedelta
from importlib import import_module

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.models import Session
from django.db import connection
from django.utils import timezone

from accounts.models import ApiKey, User
from accounts.services import digest
from config.lib.unit_of_work import unit_of_work

_runs = itertools.count(1)

_USERS = """
INSERT INTO accounts_user (password, is_superuser, email, name, time_zone, is_staff, is_active, date_joined)
SELECT '!bench', false, format('bench-%%s-%%s@ringfence.test', %(run)s::text, n), '', 'UTC', false, true, now()
FROM generate_series(1, %(count)s) n
RETURNING id
"""
_POLICY = """
INSERT INTO accounts_policyacceptance (user_id, version, accepted_at) SELECT id, %(version)s, now()
FROM unnest(%(ids)s::bigint[]) id
"""
_WALLETS = """
WITH wallets AS (
    INSERT INTO wallet_wallet (user_id, balance, held, version, created_at)
    SELECT id, %(cents)s, 0, 1, now() FROM unnest(%(ids)s::bigint[]) id RETURNING id
)
INSERT INTO wallet_transaction (
    wallet_id, sequence, amount, type, counterparty, balance_after, reference, description, service,
    resource_type, resource_id, status, created_at
)
SELECT id, 1, %(cents)s, 'bonus', 'promotions', %(cents)s, format('bench:start:%%s', id), 'Start', '', '', '',
    'completed', now() FROM wallets
"""


@unit_of_work()
def make(count: int, *, cents: int = 0) -> list[int]:
    """Ids of so many new customers, in order, who accepted the policy; with that much money where `cents` says so."""
    with connection.cursor() as cursor:
        cursor.execute(_USERS, {"run": f"{os.getpid()}-{next(_runs)}", "count": count})
        ids = sorted(row[0] for row in cursor.fetchall())
        cursor.execute(_POLICY, {"ids": ids, "version": settings.POLICY_VERSION})
        if cents:
            cursor.execute(_WALLETS, {"ids": ids, "cents": cents})
    return ids


def sign_in(ids: Sequence[int]) -> list[str]:
    """A session key for each, as signing in leaves it."""
    store = import_module(settings.SESSION_ENGINE).SessionStore
    session_hash = User(password="!bench").get_session_auth_hash()
    ends = timezone.now() + timedelta(days=1)
    rows = []
    for pk in ids:
        session = store()
        session.update(
            {
                SESSION_KEY: str(pk),
                BACKEND_SESSION_KEY: settings.AUTHENTICATION_BACKENDS[0],
                HASH_SESSION_KEY: session_hash,
            }
        )
        data = session.encode(session._session)
        rows.append(Session(session_key=f"bench{pk:027d}", session_data=data, expire_date=ends))
    Session.objects.bulk_create(rows, batch_size=2000)
    return [row.session_key for row in rows]


def keys_of(ids: Sequence[int]) -> list[str]:
    """An API key's secret for each."""
    secrets = [f"rf_bench_{pk:034d}" for pk in ids]
    ApiKey.objects.bulk_create(
        ApiKey(user_id=pk, name="bench", prefix=secret[:10], digest=digest(secret), scopes=list(ApiKey.SCOPES))
        for pk, secret in zip(ids, secrets, strict=True)
    )
    return secrets
