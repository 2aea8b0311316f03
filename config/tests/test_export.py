"""Exports that no spreadsheet runs, and pages by cursor."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import RequestFactory

from config.lib import export
from config.lib.paging import keyset_page


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "=HYPERLINK(\"http://evil.test\")",
     "-2+3+cmd|' /C calc'!A0",
     "＝1+1", "+", "-", "+²", "--5", "-1."],
)  # fmt: skip
def test_a_text_that_a_spreadsheet_would_run_gets_a_quote(text: str) -> None:
    assert export.safe_cell(text) == f"'{text}"


@pytest.mark.parametrize("value", ["-2.50", "+15551234567", "2.50", "WhatsApp", "a=b", "", 5, -5, None, True])
def test_everything_else_stays_as_it_is(value: Any) -> None:
    assert export.safe_cell(value) is value


def test_a_csv_streams_safe_rows_as_a_file() -> None:
    answer = export.csv_response(name="wallet", header=["id", "note"], rows=[(1, '=cmd,"x"\nnext'), (2, None)])
    rows = list(csv.reader(io.StringIO(answer.getvalue().decode(), newline="")))
    assert rows == [["id", "note"], ["1", '\'=cmd,"x"\nnext'], ["2", ""]]
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"] == 'attachment; filename="wallet.csv"'


@pytest.mark.parametrize("rows", [[], [{"a": 1}], [{"a": "é"}, {"b": None}]])
def test_json_streams_one_valid_document(rows: list[dict[str, Any]]) -> None:
    assert json.loads(export.json_response(name="wallet", rows=rows).getvalue()) == rows


@pytest.mark.django_db
def test_pages_follow_each_other_without_gap_or_repeat() -> None:
    Group.objects.bulk_create(Group(name=f"g{number}") for number in range(5))
    seen, newest, query = [], [], "q=kept"
    for _ in range(3):
        page = keyset_page(RequestFactory().get(f"/x?{query}"), Group.objects.all(), "-id", size=2)
        seen.append([row.name for row in page.rows])
        newest.append(page.newest)
        query = page.older
    assert seen == [["g4", "g3"], ["g2", "g1"], ["g0"]]
    assert query == ""
    assert newest == ["q=kept"] * 3, "the way back keeps the filters"


@pytest.mark.django_db
@pytest.mark.parametrize("before", ["", "x", "-1", "1.5", "9" * 40, "²", "1e5", "%00", "0x1", "1;drop"])
def test_a_bad_cursor_is_the_first_page(before: str) -> None:
    group = Group.objects.create(name="only")
    page = keyset_page(RequestFactory().get(f"/x?before={before}"), Group.objects.all(), "-id")
    assert (page.rows, page.older, page.first) == ([group], "", True)
