"""The journal as a file, streamed from a server-side cursor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse

from config.lib import export
from wallet.models import Transaction
from wallet.serializers import TransactionSerializer

COLUMNS = TransactionSerializer.Meta.fields
_CHUNK = 1000


def respond(rows: QuerySet[Transaction], *, as_format: str) -> StreamingHttpResponse:
    """Return these transactions as csv or json, in the form of the API's list."""
    if as_format == "json":
        return export.json_response(name="transactions", rows=_shown(rows))
    cells = ([row[name] for name in COLUMNS] for row in _shown(rows))
    return export.csv_response(name="transactions", header=COLUMNS, rows=cells)


def _shown(rows: QuerySet[Transaction]) -> Iterator[dict[str, Any]]:
    shape = TransactionSerializer()
    return (shape.to_representation(row) for row in rows.iterator(chunk_size=_CHUNK))
