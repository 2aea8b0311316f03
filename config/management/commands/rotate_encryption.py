"""Seal all that is encrypted again under the newest key: `manage.py rotate_encryption --dry-run | --execute`."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from accounts.second_factors import rotate_second_factors
from config.lib.commands import Progress, ReportCommand, fail_unless
from config.lib.secrets.rotation import encrypted_columns, rotate_column


class Command(ReportCommand):
    help = (
        "Seal codes, texts and second factors again under the first of FIELD_ENCRYPTION_KEYS; afterwards the others "
        "may be removed. It may be broken off and run again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        how = parser.add_mutually_exclusive_group(required=True)
        how.add_argument("--dry-run", action="store_true", help="count what would be sealed again")
        how.add_argument("--execute", action="store_true", help="seal it again")

    def handle(self, *args: Any, execute: bool, **options: Any) -> None:
        """Exits 1 where there is something that no key opens."""
        with Progress("rotate_encryption") as progress:
            done = [rotate_column(column, execute=execute, step=progress.step) for column in encrypted_columns()]
            done.append(rotate_second_factors(execute=execute, step=progress.step))
        unreadable = sum(one.unreadable for one in done)
        if options["json"]:
            self.print_json({"executed": execute, "columns": [asdict(one) for one in done]})
        else:
            header = ("column", "looked at", "sealed again" if execute else "to be sealed again", "unreadable")
            self.print_table(header, [(one.column, one.checked, one.sealed, one.unreadable) for one in done])
        fail_unless(not unreadable, f"{unreadable} values are opened by no key of FIELD_ENCRYPTION_KEYS")
