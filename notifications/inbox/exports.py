"""The inbox as a file, streamed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from django.db.models import QuerySet
from django.http import StreamingHttpResponse

from accounts.models import User
from config.lib import export
from notifications.inbox import rendering
from notifications.models import Notification

COLUMNS = ("created_at", "seq", "type", "category", "priority", "title", "message", "link", "is_read")
_CHUNK = 500


def respond(rows: QuerySet[Notification], *, user: User, as_format: str) -> StreamingHttpResponse:
    """Return these notifications of one user as csv or json."""
    shown = _shown(rows, user)
    if as_format == "json":
        return export.json_response(name="notifications", rows=(dict(row) for row in shown))
    cells = ([dict(row)[name] for name in COLUMNS] for row in shown)
    return export.csv_response(name="notifications", header=COLUMNS, rows=cells)


def _shown(rows: QuerySet[Notification], user: User) -> Iterator[rendering.Shown]:
    """Yield them in chunks, so that the codes are a query for each chunk and memory stays constant."""
    found = rows.iterator(chunk_size=_CHUNK)
    while chunk := list(islice(found, _CHUNK)):
        yield from rendering.render_all(chunk, user=user)
