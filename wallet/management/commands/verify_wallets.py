"""Check that the books balance."""

from __future__ import annotations

from typing import Any

from config.lib import money
from config.lib.commands import Progress, ReportCommand, fail_unless
from wallet.audit import Audit, audit


class Command(ReportCommand):
    help = "Prove every wallet against its journal and its holds, and the trial balance. Exits 1 where anything is off."

    def handle(self, *args: Any, **options: Any) -> None:
        with Progress("verify_wallets", every=1) as progress:
            found = audit(step=progress.step)
        if options["json"]:
            self.print_json(found.as_dict())
        else:
            self._print(found)
        fail_unless(found.clean, "verify_wallets: the books don't balance")

    def _print(self, found: Audit) -> None:
        self.print_table(
            ("check", "off", "by"), [(r.name, r.found, money.display(int(r.amount))) for r in found.checks]
        )
        for report in found.checks:
            if not report.clean:
                self.stdout.write(f"\n{report.name}: not so in")
                self.print_report(report)
        self.stdout.write("")
        trial = found.trial
        lines = [(name, money.display(cents)) for name, cents in trial.counterparties.items()]
        lines += [
            ("journal, all of them", money.display(trial.journal)),
            ("wallets owe their owners", money.display(trial.liability)),
            ("difference", money.display(trial.difference)),
        ]
        self.print_table(("trial balance", "into wallets"), lines)
        verdict = "All is right" if found.clean else "DRIFT"
        self.stdout.write(f"\n{verdict}: {trial.wallets} wallets, {trial.rows} journal rows.")
