"""The feed as a file, streamed."""

from __future__ import annotations

import json
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse

from activity import selectors
from activity.models import Activity
from config.lib import export

COLUMNS = (
    "created_at", "event", "activity_type", "action", "status", "title", "description", "resource_type", "resource_id",
    "actor", "ip_address", "data",
)  # fmt: skip
_CHUNK = 500


def respond(rows: QuerySet[Activity], *, as_format: str) -> StreamingHttpResponse:
    """Return these events as csv or json."""
    shown = (selectors.render(row) for row in rows.iterator(chunk_size=_CHUNK))
    if as_format == "json":
        return export.json_response(name="activity", rows=shown)
    return export.csv_response(name="activity", header=COLUMNS, rows=(_cells(row) for row in shown))


def _cells(row: dict[str, Any]) -> list[Any]:
    return [json.dumps(row[name], ensure_ascii=False) if name == "data" else row[name] or "" for name in COLUMNS]
