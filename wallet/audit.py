"""Checks that the books balance. They only read: drift is reported, never repaired silently.

Each check is one statement, so it sees a consistent snapshot of a running system, and memory use here doesn't grow with
the tables. Amounts are cents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from config.lib import money
from config.lib.commands import Report, Step, no_step

COLUMNS = ("wallet", "where", "expected", "found")


@dataclass(frozen=True)
class Check:
    """`sql` selects one row per fault: wallet, where, expected, found. `money` says that the last two are cents."""

    name: str
    sql: str
    money: bool = True


CHECKS = (
    Check(
        "balance is the sum of its rows",
        """SELECT w.id, 'balance', coalesce(j.total, 0), w.balance FROM wallet_wallet w
           LEFT JOIN (SELECT wallet_id, sum(amount) AS total FROM wallet_transaction GROUP BY wallet_id) j
               ON j.wallet_id = w.id
           WHERE w.balance <> coalesce(j.total, 0)""",
    ),
    Check(
        "balance is the last balance_after",
        """SELECT w.id, 'row ' || w.version, coalesce(t.balance_after, 0), w.balance FROM wallet_wallet w
           LEFT JOIN wallet_transaction t ON t.wallet_id = w.id AND t.sequence = w.version
           WHERE w.balance <> coalesce(t.balance_after, 0)""",
    ),
    Check(
        "sequences have no gap",
        """SELECT wallet_id, 'row ' || sequence, due, sequence FROM (
               SELECT wallet_id, sequence,
                   1 + lag(sequence, 1, 0::bigint) OVER (PARTITION BY wallet_id ORDER BY sequence) AS due
               FROM wallet_transaction
           ) rows WHERE sequence <> due""",
        money=False,
    ),
    Check(
        "version is the last sequence",
        """SELECT w.id, 'version', coalesce(j.last, 0), w.version FROM wallet_wallet w
           LEFT JOIN (SELECT wallet_id, max(sequence) AS last FROM wallet_transaction GROUP BY wallet_id) j
               ON j.wallet_id = w.id
           WHERE w.version <> coalesce(j.last, 0)""",
        money=False,
    ),
    Check(
        "balance_after is the previous one and the amount",
        """SELECT wallet_id, reference, due, balance_after FROM (
               SELECT wallet_id, reference, balance_after, amount
                   + lag(balance_after, 1, 0::bigint) OVER (PARTITION BY wallet_id ORDER BY sequence) AS due
               FROM wallet_transaction
           ) rows WHERE balance_after <> due""",
    ),
    Check(
        "held is the sum of active holds",
        """SELECT w.id, 'held', coalesce(h.total, 0), w.held FROM wallet_wallet w
           LEFT JOIN (SELECT wallet_id, sum(amount) AS total FROM wallet_hold WHERE status = 'active'
                      GROUP BY wallet_id) h ON h.wallet_id = w.id
           WHERE w.held <> coalesce(h.total, 0)""",
    ),
    Check(
        "captured holds are charged, and no others",
        """SELECT h.wallet_id, h.reference, CASE WHEN h.status = 'captured' THEN -h.amount ELSE 0 END,
               coalesce(t.amount, 0)
           FROM wallet_hold h LEFT JOIN wallet_transaction t
               ON t.reference = h.reference || ':capture' AND t.wallet_id = h.wallet_id
           WHERE CASE WHEN h.status = 'captured' THEN -h.amount ELSE 0 END <> coalesce(t.amount, 0)""",
    ),
    Check(
        "a reversal undoes its row whole",
        """SELECT t.wallet_id, t.reference, -r.amount, t.amount FROM wallet_transaction t
           JOIN wallet_transaction r ON r.id = t.reverses_id
           WHERE t.amount <> -r.amount OR t.wallet_id <> r.wallet_id OR t.counterparty <> r.counterparty""",
    ),
)

_FAULTS = """
    WITH faults (wallet, place, expected, found) AS MATERIALIZED ({sql})
    SELECT wallet, place, expected, found, count(*) OVER (), sum(abs(found - expected)) OVER ()
    FROM faults ORDER BY wallet, place LIMIT %s
"""
_TRIAL_BALANCE = """
    SELECT 'counterparty', counterparty, sum(amount), count(*) FROM wallet_transaction GROUP BY counterparty
    UNION ALL SELECT 'wallets', '', coalesce(sum(balance), 0), count(*) FROM wallet_wallet
"""


@dataclass
class TrialBalance:
    """The sum that each counterparty gave the wallets (negative: took), and what the wallets owe their owners."""

    counterparties: dict[str, int] = field(default_factory=dict)
    liability: int = 0
    wallets: int = 0
    rows: int = 0

    @property
    def journal(self) -> int:
        return sum(self.counterparties.values())

    @property
    def difference(self) -> int:
        return self.liability - self.journal


@dataclass
class Audit:
    checks: list[Report]
    trial: TrialBalance

    @property
    def clean(self) -> bool:
        return self.trial.difference == 0 and all(report.clean for report in self.checks)

    def as_dict(self) -> dict[str, Any]:
        trial = self.trial
        return {
            "clean": self.clean,
            "wallets": trial.wallets,
            "rows": trial.rows,
            "checks": [report.as_dict() for report in self.checks],
            "trial_balance": {
                "counterparties": {name: money.to_text(cents) for name, cents in trial.counterparties.items()},
                "journal": money.to_text(trial.journal),
                "liability": money.to_text(trial.liability),
                "difference": money.to_text(trial.difference),
            },
        }


def audit(*, keep: int = 100, step: Step = no_step) -> Audit:
    """Run every check on every wallet, and the trial balance. Keeps the first `keep` faults of each check."""
    trial = trial_balance()
    reports = []
    for check in CHECKS:
        report = Report(check.name, COLUMNS, keep=keep, checked=trial.wallets)
        for wallet, place, expected, found, faults, drift in _rows(_FAULTS.format(sql=check.sql), [keep]):
            show = money.to_text if check.money else str
            report.add(wallet=wallet, where=place, expected=show(int(expected)), found=show(int(found)))
            report.found, report.amount = faults, int(drift) if check.money else 0
        reports.append(report)
        step()
    return Audit(checks=reports, trial=trial)


def trial_balance() -> TrialBalance:
    trial = TrialBalance()
    for kind, name, cents, count in _rows(_TRIAL_BALANCE):
        if kind == "wallets":
            trial.liability, trial.wallets = int(cents), count
        else:
            trial.counterparties[name] = int(cents)
            trial.rows += count
    trial.counterparties = dict(sorted(trial.counterparties.items()))
    return trial


def _rows(sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()
