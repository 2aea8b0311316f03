"""Streamed exports: CSV that no spreadsheet runs as a formula, and JSON."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, cast

from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


class _Echo:
    def write(self, value: str) -> str:
        return value


class _Stream(StreamingHttpResponse):
    """Streams under ASGI too, where Django would read the whole of a plain iterator first."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        parts = cast(Iterator[bytes], self.streaming_content)
        next_chunk = sync_to_async(lambda: b"".join(islice(parts, 500)))
        while chunk := await next_chunk():
            yield chunk


def safe_cell(value: Any) -> Any:
    """Return the value with a quote before a text that a spreadsheet would run. Plain numbers stay numbers."""
    if not isinstance(value, str) or not value.startswith(_FORMULA_STARTS):
        return value
    return value if _NUMBER.fullmatch(value) else f"'{value}"


def csv_response(*, name: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> StreamingHttpResponse:
    writer = csv.writer(_Echo())

    def lines() -> Iterator[str]:
        yield writer.writerow(header)
        for row in rows:
            yield writer.writerow([safe_cell(cell) for cell in row])

    return _attachment(_Stream(lines(), content_type="text/csv; charset=utf-8"), f"{name}.csv")


def json_response(*, name: str, rows: Iterable[dict[str, Any]]) -> StreamingHttpResponse:
    def parts() -> Iterator[str]:
        yield "["
        for index, row in enumerate(rows):
            yield ("," if index else "") + json.dumps(row)
        yield "]"

    return _attachment(_Stream(parts(), content_type="application/json"), f"{name}.json")


def _attachment(response: StreamingHttpResponse, filename: str) -> StreamingHttpResponse:
    response["Content-Disposition"] = f'attachment; filename="{filename}"'
    return response
