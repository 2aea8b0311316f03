"""What the operator's commands share: a report in constant memory, its table or JSON, their flags, their exit code."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from config.lib import money

Step = Callable[[], None]


def no_step() -> None:
    """The `step` of a report that nobody watches."""


@dataclass
class Report:
    """What a check found. Everything is counted, the first `keep` rows are kept.

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
        """Note one thing that is off (or, mended, was)."""
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
        """Two places, or as many as it has."""
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
        """Prints what was found. Exits 1 where anything was off, mended or not."""
        now = timezone.now()
        with Progress(self.name) as progress:
            report = self.reconcile(
                since=now - timedelta(days=options["days"]), now=now, execute=options["execute"], step=progress.step
            )
        if options["json"]:
            self.print_json({**report.as_dict(), "executed": options["execute"]})
        else:
            self.print_report(report)
            self.stdout.write(self._sum(report, executed=options["execute"]))
        fail_unless(report.clean, f"{self.name}: {report.found} off")

    @property
    def name(self) -> str:
        return type(self).__module__.rsplit(".", 1)[-1]

    def _sum(self, report: Report, *, executed: bool) -> str:
        what = "mended" if executed else "would be mended (dry run: nothing was changed)"
        whole = int(report.amount)
        shown = money.display(whole) if whole == report.amount else report.amount_text
        return f"{report.found} off, {report.mended} {what}, {shown} in all."


class Progress:
    """A count on the terminal's standard error while the work runs; silent anywhere else."""

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
    """The type of a `--days` option, from 1 to `most`: anything else is refused with a sentence."""

    def days(text: str) -> int:
        if not text.isdecimal() or len(text) > len(str(most)) or not 1 <= int(text) <= most:
            raise ArgumentTypeError(f"{text!r:.40} is no number of days: name a whole number from 1 to {most}")
        return int(text)

    return days
