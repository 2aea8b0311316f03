"""A table of a million rows: so many events, inbox rows and journal rows of customers with a thousand each."""

from __future__ import annotations

import json

from django.db import connection, transaction

from bench import people
from bench.context import Context

EACH = 1_000

_STATEMENTS = (
    # What a customer of some months has: purchases, refunds, top-ups.
    """
    INSERT INTO wallet_transaction (
        wallet_id, sequence, amount, type, counterparty, balance_after, reference, description, service,
        resource_type, resource_id, status, created_at
    )
    SELECT w.id, n + 1, CASE WHEN mod(n, 2) = 1 THEN -50 ELSE 50 END,
        CASE WHEN mod(n, 2) = 1 THEN 'sms_purchase' ELSE 'verification_refund' END, 'sales',
        w.balance - CASE WHEN mod(n, 2) = 1 THEN 50 ELSE 0 END, format('heavy:%%s:%%s', w.id, n), 'Number for WhatsApp',
        'whatsapp', 'verification', gen_random_uuid()::text, 'completed', now() - (%(each)s - n) * interval '1 hour'
    FROM wallet_wallet w, generate_series(1, %(each)s) n WHERE w.user_id = ANY(%(ids)s) ORDER BY n, w.id
    """,
    "UPDATE wallet_wallet SET version = version + %(each)s WHERE user_id = ANY(%(ids)s)",
    """
    INSERT INTO activity_activity (
        user_id, event, activity_type, resource_type, resource_id, action, status, title, description, data,
        user_agent, actor, created_at
    )
    SELECT id, (ARRAY['credit_deducted', 'instant_refund', 'number_purchased', 'verification_timeout'])[1 + mod(n, 4)],
        (ARRAY['credit_deduct', 'refund', 'verification', 'verification'])[1 + mod(n, 4)],
        'verification', gen_random_uuid()::text, 'create', 'completed', 'Credits Deducted', 'For a WhatsApp number',
        jsonb_build_object('amount', '0.50', 'balance', '12.00', 'reason', 'WhatsApp number', 'service', 'WhatsApp',
            'phone', '2015550100', 'reference', 'ref_' || n, 'transaction', 'heavy:' || n),
        '', 'system', now() - (%(each)s - n) * interval '1 hour'
    FROM generate_series(1, %(each)s) n, unnest(%(ids)s::bigint[]) id
    """,
    """
    INSERT INTO notifications_notification (user_id, seq, activity_id, category, priority, created_at, read_at)
    SELECT user_id, row_number() OVER (PARTITION BY user_id ORDER BY id), id,
        (ARRAY['credit', 'refund', 'verification'])[1 + mod(id, 3)], 'medium', created_at,
        CASE WHEN mod(id, 10) = 0 THEN NULL ELSE created_at END
    FROM activity_activity WHERE user_id = ANY(%(ids)s) AND resource_type = 'verification' ORDER BY id
    """,
    """
    INSERT INTO notifications_inbox (user_id, seq, unread)
    SELECT user_id, max(seq), count(*) FILTER (WHERE read_at IS NULL) FROM notifications_notification
    WHERE user_id = ANY(%(ids)s) GROUP BY user_id
    """,
)


def load(context: Context) -> tuple[list[int], int]:
    """The customers, and how many rows each of the tables got. Once a run, whichever part asks first."""
    loaded = context.folder / "heavy.json"
    if not loaded.exists():
        loaded.write_text(json.dumps(_load(context)))
    ids, size = json.loads(loaded.read_text())
    return ids, size


def _load(context: Context) -> tuple[list[int], int]:
    ids = people.make(context.size(1_000, 40), cents=1_000_00)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")
        for number, statement in enumerate(_STATEMENTS, start=1):
            context.progress.step(f"loading {len(ids) * EACH:,} rows into each table: {number} of {len(_STATEMENTS)}")
            cursor.execute(statement, {"ids": ids, "each": EACH})
    context.progress.step("and vacuum")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")
    return ids, len(ids) * EACH
