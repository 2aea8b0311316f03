"""Searching an inbox by words. Codes are in none of the columns that are searched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from django.db.models import Q, QuerySet

from activity import wording
from notifications.inbox.rendering import title_of
from notifications.models import Notification


def matching(rows: QuerySet[Notification], query: str) -> QuerySet[Notification]:
    """Return the rows whose event has all of the words in its title, description or resource."""
    for word in query.split():
        rows = rows.filter(
            Q(activity__title__icontains=word)
            | Q(activity__description__icontains=word)
            | Q(activity__resource_id__icontains=word)
        )
    return rows


def suggestions(found: Iterable[Notification]) -> list[str]:
    """Return up to five titles and services that what was found has in common, the most frequent first."""
    counted: Counter[str] = Counter()
    for notification in found:
        activity = notification.activity
        shown = wording.values(activity.event, activity.data)
        counted.update(words for words in (title_of(activity, shown), activity.data.get("service", "")) if words)
    return sorted(counted, key=lambda words: (-counted[words], words))[:5]
