"""What the operator's commands share."""

from __future__ import annotations

import asyncio
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from config.lib import export
from config.lib.commands import Progress, ReconcileCommand, Report, Step


class Rows(ReconcileCommand):
    """Finds what it is told to."""

    days = 7

    def __init__(self, found: int = 0, *, keep: int = 100) -> None:
        super().__init__(stdout=io.StringIO())
        self.report, self.number, self.calls = Report("rows", ("id", "what"), keep=keep), found, []

    def reconcile(self, *, since: datetime, now: datetime, execute: bool, step: Step) -> Report:
        self.calls.append((now - since, execute))
        for n in range(self.number):
            step()
            self.report.checked += 1
            self.report.add(cents=150, mended=True, id=n, what="off")
        return self.report


def run(command: Rows, *arguments: str) -> tuple[int, str]:
    try:
        call_command(command, *arguments)
    except CommandError as error:
        return error.returncode, command.stdout.getvalue()
    return 0, command.stdout.getvalue()


def test_a_report_is_a_table_a_sum_and_an_exit_code() -> None:
    command = Rows(found=2)
    assert run(command, "--dry-run") == (
        1,
        "id  what\n--  ----\n0   off\n1   off\n"
        "2 off, 2 would be mended (dry run: nothing was changed), $3.00 in all.\n",
    )
    assert command.calls == [(timedelta(days=7), False)]


def test_a_clean_report_is_exit_code_0() -> None:
    command = Rows()
    assert run(command, "--execute", "--days", "2") == (0, "0 off, 0 mended, $0.00 in all.\n")
    assert command.calls == [(timedelta(days=2), True)]


@pytest.mark.parametrize("days", ["0", "x", "3661", "-1", "1.5", "", "9" * 5000])
def test_days_that_are_none_are_refused_with_what_would_be_right(days: str) -> None:
    with pytest.raises(CommandError) as error:
        call_command(Rows(), f"--days={days}", "--dry-run")
    assert str(error.value) == (
        f"Error: argument --days: {days!r:.40} is no number of days: name a whole number from 1 to 3660"
    )


def test_a_report_keeps_the_first_rows_and_counts_all() -> None:
    code, text = run(Rows(found=5, keep=2), "--execute")
    assert (code, text.splitlines()[3:]) == (1, ["1   off", "… and 3 more", "5 off, 5 mended, $7.50 in all."])


def test_a_report_for_machines_is_one_document() -> None:
    code, text = run(Rows(found=1), "--dry-run", "--json")
    assert (code, json.loads(text)) == (
        1,
        {
            "name": "rows",
            "clean": False,
            "checked": 1,
            "found": 1,
            "mended": 1,
            "amount": "1.50",
            "rows": [{"id": 0, "what": "off"}],
            "executed": False,
        },
    )


def test_progress_shows_on_a_terminal_and_nowhere_else() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    def shown(stream: io.StringIO) -> str:
        with Progress("work", every=2, stream=stream) as progress:
            for _ in range(5):
                progress.step()
        return stream.getvalue()

    assert shown(Terminal()) == "\rwork: 2\rwork: 4\rwork: 5\n"
    assert shown(io.StringIO()) == ""


def test_an_export_streams_under_asgi_and_under_wsgi() -> None:
    made: list[int] = []

    def rows() -> Any:
        for n in range(1200):
            made.append(n)
            yield (n, datetime(2026, 1, 1, tzinfo=UTC).isoformat())

    async def read() -> tuple[int, bytes]:
        chunks = aiter(export.csv_response(name="x", header=("n", "at"), rows=rows()))
        first = await anext(chunks)
        so_far = len(made)
        return so_far, first + b"".join([chunk async for chunk in chunks])

    so_far, whole = asyncio.run(read())
    assert so_far == 499  # and the header
    assert whole == export.csv_response(name="x", header=("n", "at"), rows=rows()).getvalue()
