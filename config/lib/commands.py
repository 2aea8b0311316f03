"""Shared parts of the operator's commands: reports as table or JSON, options, progress, exit code."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from config.lib import money

Step = Callable[[], None]
FURTHEST = timedelta(days=3653)  # ten years either way: nothing here is older, and nothing is planned for later


def no_step() -> None:
    """Do nothing: the `step` of a report without a progress display."""


@dataclass
class Report:
    """The discrepancies that a check found. All are counted, the first `keep` rows are kept.

    `rows` hold primitives, by column. `amount` is the sum in cents of what was found, where that means something; a
    provider's costs are finer than a cent.
    """

    name: str
    columns: tuple[str, ...]
    keep: int = 100
    checked: int = 0
    found: int = 0
    mended: int = 0
    amount: int | Decimal = 0
    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(self, *, cents: int | Decimal = 0, mended: bool = False, **row: Any) -> None:
        """Record one discrepancy, mended or not."""
        self.found += 1
        self.mended += mended
        self.amount += cents
        if len(self.rows) < self.keep:
            self.rows.append(row)

    @property
    def clean(self) -> bool:
        return self.found == 0

    @property
    def amount_text(self) -> str:
        """Format an amount with two decimal places, or more where it has more."""
        whole = int(self.amount)
        return money.to_text(whole) if whole == self.amount else f"{Decimal(self.amount).normalize() / 100:f}"

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "clean": self.clean,
            "checked": self.checked,
            "found": self.found,
            "mended": self.mended,
            "amount": self.amount_text,
            "rows": self.rows,
        }


class ReportCommand(BaseCommand):
    """A command that prints tables for people or, with --json, one document for machines."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON document instead of a table")

    def print_json(self, document: Any) -> None:
        self.stdout.write(json.dumps(document, indent=2, default=str))

    def print_table(self, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Columns as wide as their widest cell; for bounded rows (a Report's)."""
        cells = [[str(cell) for cell in row] for row in rows]
        widths = [max([len(title), *(len(row[n]) for row in cells)]) for n, title in enumerate(header)]
        lines = [list(header), ["-" * width for width in widths], *cells]
        for line in lines:
            self.stdout.write("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())

    def print_report(self, report: Report) -> None:
        if report.rows:
            self.print_table(report.columns, [[row.get(name, "") for name in report.columns] for row in report.rows])
        if report.found > len(report.rows):
            self.stdout.write(f"… and {report.found - len(report.rows)} more")


class ReconcileCommand(ReportCommand):
    """`--days N` and one of `--dry-run`, `--execute`. Subclasses give `days` and `reconcile`."""

    days = 30

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--days", type=whole_days(3660), default=self.days, help=f"how far to look back ({self.days})"
        )
        how = parser.add_mutually_exclusive_group(required=True)
        how.add_argument("--dry-run", action="store_true", help="do the same and roll it back")
        how.add_argument("--execute", action="store_true", help="mend what is off")

    def reconcile(self, *, since: Any, now: Any, execute: bool, step: Step) -> Report:
        raise NotImplementedError

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the discrepancies. Exit with 1 where there was one, mended or not."""
        now = timezone.now()
        with Progress(self.name) as progress:
            report = self.reconcile(
                since=now - timedelta(days=options["days"]), now=now, execute=options["execute"], step=progress.step
            )
        if options["json"]:
            self.print_json({**report.as_dict(), "executed": options["execute"]})
        else:
            self.print_report(report)
            what = "mended" if options["execute"] else "would be mended (dry run: nothing was changed)"
            whole = int(report.amount)
            amount = money.display(whole) if whole == report.amount else report.amount_text
            self.stdout.write(f"{report.found} off, {report.mended} {what}, {amount} in all.")
        fail_unless(report.clean, f"{self.name}: {report.found} off")

    @property
    def name(self) -> str:
        return type(self).__module__.rsplit(".", 1)[-1]


class Progress:
    """Shows a count on the terminal's standard error while the work runs; shows nothing elsewhere."""

    def __init__(self, name: str, *, every: int = 200, stream: Any = None) -> None:
        self.name, self.every, self.stream, self.done = name, every, stream or sys.stderr, 0
        self.shown = bool(getattr(self.stream, "isatty", lambda: False)())

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *error: object) -> None:
        if self.shown and self.done:
            self._show(end="\n")

    def step(self) -> None:
        self.done += 1
        if self.shown and self.done % self.every == 0:
            self._show()

    def _show(self, end: str = "") -> None:
        self.stream.write(f"\r{self.name}: {self.done}{end}")
        self.stream.flush()


def fail_unless(good: bool, why: str) -> None:
    """End the command with exit code 1 and `why` on standard error."""
    if not good:
        raise CommandError(why, returncode=1)


def whole_days(most: int) -> Callable[[str], int]:
    """Return the type of a `--days` option, a whole number from 1 to `most`."""

    def days(text: str) -> int:
        if not text.isdecimal() or len(text) > len(str(most)) or not 1 <= int(text) <= most:
            raise ArgumentTypeError(f"{text!r:.40} is no number of days: name a whole number from 1 to {most}")
        return int(text)

    return days


def point_in_time(text: str) -> datetime:
    """Parse a `--now` option: an ISO 8601 time with its offset, within ten years of now."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is not a time: write it as 2026-11-21T12:00:00+00:00") from error
    if moment.tzinfo is None:
        full = f"{moment.isoformat()}+00:00"
        raise ArgumentTypeError(f"{text!r} is no full time with its offset: write it as {full}, or with Z for UTC")
    if abs(moment - timezone.now()) > FURTHEST:
        raise ArgumentTypeError(f"{text!r} is more than ten years away from now: name a time nearer to it")
    return moment
