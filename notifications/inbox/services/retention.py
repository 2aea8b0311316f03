"""Removing old rows that money doesn't depend on."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection

from activity import services as activity_services
from activity.events import FINANCIAL_TYPES
from config.lib.unit_of_work import unit_of_work

_BATCH = 2_000

# The inboxes are locked first, as everywhere: the other way round, this and a customer who reads just now would wait
# for each other. What was unread leaves the counters in the same statement.
_REMOVE = """
WITH batch AS MATERIALIZED (
    SELECT notification.id, notification.user_id FROM notifications_notification notification
    JOIN activity_activity activity ON activity.id = notification.activity_id
    WHERE activity.created_at < %(before)s AND NOT activity.activity_type = ANY(%(kept)s)
    LIMIT %(batch)s
), inboxes AS MATERIALIZED (
    SELECT user_id FROM notifications_inbox WHERE user_id IN (SELECT user_id FROM batch) ORDER BY user_id FOR UPDATE
), gone AS (
    DELETE FROM notifications_notification
    WHERE (SELECT count(*) FROM inboxes) >= 0 AND id IN (SELECT id FROM batch)
    RETURNING user_id, read_at IS NULL AND archived_at IS NULL AND deleted_at IS NULL AS was_unread
), counted AS (
    SELECT user_id, count(*) AS unread FROM gone WHERE was_unread GROUP BY user_id
), moved AS (
    UPDATE notifications_inbox inbox SET unread = inbox.unread - counted.unread
    FROM counted WHERE counted.user_id = inbox.user_id
)
SELECT count(*) FROM gone
"""


def cleanup(*, days: int, now: datetime) -> int:
    """Remove events older than `days` that money doesn't depend on, and their notifications. Return how many events."""
    before = now - timedelta(days=days)
    removed = 1
    while removed:
        with unit_of_work(), connection.cursor() as cursor:
            cursor.execute(_REMOVE, {"before": before, "kept": list(FINANCIAL_TYPES), "batch": _BATCH})
            removed = cursor.fetchone()[0]
    return activity_services.cleanup(before=before)
