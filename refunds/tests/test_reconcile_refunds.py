"""The command that finds charged verifications without a code and without a refund."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.models import User
from accounts.tests.factories import make_user
from config.lib.unit_of_work import unit_of_work
from refunds.models import Refund
from refunds.tests.factories import bought, end
from verifications.models import Status, Verification
from wallet import services as wallet
from wallet.models import Wallet
from wallet.tests.factories import funded

pytestmark = pytest.mark.django_db


@pytest.fixture
def user() -> User:
    user = make_user()
    funded(user, 1000)
    return user


def run(*arguments: str) -> tuple[int, str]:
    """(exit code, what it printed)"""
    out = StringIO()
    try:
        call_command("reconcile_refunds", *arguments, stdout=out)
    except CommandError as error:
        return error.returncode, out.getvalue()
    return 0, out.getvalue()


def state(user: User) -> tuple[int, int]:
    return Refund.objects.count(), Wallet.objects.get(user=user).balance


def test_nothing_off_is_exit_code_0(user: User) -> None:
    bought(user)
    bought(user, status=Status.COMPLETED)
    bought(user, status=Status.FAILED, charged=False)
    assert run("--dry-run") == (0, "0 off, 0 would be mended (dry run: nothing was changed), $0.00 in all.\n")


def test_a_dry_run_says_what_it_would_do_and_changes_nothing(user: User) -> None:
    verification = end(bought(user))
    before = Verification.objects.values().get()
    code, text = run("--dry-run")
    *_, row, total = text.splitlines()
    assert row.split() == [
        str(verification.pk),
        str(user.pk),
        verification.ended_at.isoformat(),
        "timed_out",
        "2.50",
        "refunded",
    ]
    assert total == "1 off, 1 would be mended (dry run: nothing was changed), $2.50 in all."
    assert (code, state(user)) == (1, (0, 750))
    assert Verification.objects.values().get() == before


def test_execute_refunds_each_once_with_the_reason_of_its_end(user: User) -> None:
    for status in (Status.TIMED_OUT, Status.CANCELLED, Status.FAILED):
        end(bought(user, price=100), status)
    assert state(user) == (0, 700)
    code, text = run("--execute")
    assert (code, text.splitlines()[-1]) == (1, "3 off, 3 mended, $3.00 in all.")
    assert state(user) == (3, 1000)
    assert set(Refund.objects.values_list("reason", flat=True)) == {"timeout", "cancelled", "failed"}
    assert run("--execute") == (0, "0 off, 0 mended, $0.00 in all.\n")


def test_a_charge_that_the_journal_does_not_know_is_shown_and_not_refunded(user: User) -> None:
    verification = bought(user, charged=False, status=Status.FAILED)
    Verification.objects.filter(pk=verification.pk).update(charged=True)
    code, text = run("--execute", "--json")
    report = json.loads(text)
    assert (code, report) == (
        1,
        {
            "name": "reconcile_refunds",
            "clean": False,
            "checked": 1,
            "found": 1,
            "mended": 0,
            "amount": "0.00",
            "rows": [
                {
                    "verification": str(verification.pk),
                    "user": user.pk,
                    "ended": verification.ended_at.isoformat(),
                    "status": "failed",
                    "amount": "0.00",
                    "result": "charged says the verification, but not the journal",
                }
            ],
            "executed": True,
        },
    )
    assert state(user) == (0, 1000)


def test_it_looks_back_as_far_as_it_is_told(user: User) -> None:
    verification = end(bought(user))
    Verification.objects.filter(pk=verification.pk).update(ended_at=timezone.now() - timedelta(days=31))
    assert run("--dry-run")[0] == 0
    assert run("--dry-run", "--days", "32")[0] == 1


@pytest.mark.parametrize(
    "arguments", [[], ["--dry-run", "--execute"], ["--dry-run", "--days", "0"], ["--dry-run", "--days", "x"]]
)
def test_how_to_run_it_is_said_once_and_right(user: User, arguments: list[str]) -> None:
    end(bought(user))
    code, _ = run(*arguments)
    assert (code, state(user)) == (1, (0, 750))


def test_its_query_count_a_verification_is_constant(user: User, django_assert_max_num_queries: Any) -> None:
    for _ in range(3):
        end(bought(user, price=100))
    with django_assert_max_num_queries(3 * 60):
        run("--execute")


def test_a_charge_that_was_reversed_by_hand_is_shown_and_stops_no_other(user: User) -> None:
    """The journal undoes a row once: what gave it back under another reference is for people to look at."""
    by_hand, plain = end(bought(user)), end(bought(user, price=100))
    with unit_of_work():
        wallet.reverse(
            transaction=f"verification:{by_hand.pk}:capture",
            user=user,
            type="adjustment",
            reference="by hand",
            description="Given back by hand",
        )

    for arguments, refunds in ((["--dry-run"], 0), (["--execute"], 1)):
        code, text = run(*arguments, "--json")
        results = {row["verification"]: row["result"] for row in json.loads(text)["rows"]}
        assert results == {
            str(by_hand.pk): "not refunded: This was reversed before.",
            str(plain.pk): "refunded",
        }
        assert (code, Refund.objects.count()) == (1, refunds)
    assert Wallet.objects.get(user=user).balance == 1000


def test_money_without_its_refund_row_gets_the_row_and_no_money(user: User) -> None:
    verification = end(bought(user))
    with unit_of_work():
        wallet.reverse(
            transaction=f"verification:{verification.pk}:capture",
            user=user,
            type="verification_refund",
            reference=f"verification:{verification.pk}:refund",
            description="Refund",
        )
    assert run("--execute")[0] == 1
    assert state(user) == (1, 1000)
    assert run("--execute")[0] == 0


def held(user: User, status: str) -> Verification:
    """One whose money is set aside still, in any state: what a bug or a hand in the database would leave."""
    verification = bought(user, charged=False, status=status)
    with unit_of_work():
        wallet.hold(
            user=user,
            amount=verification.price,
            reference=verification.hold_reference,
            description="WhatsApp",
            resource=("verification", str(verification.pk)),
        )
    return verification


def test_money_that_is_held_still_after_the_end_is_released(user: User) -> None:
    stuck = held(user, Status.FAILED)
    held(user, Status.REQUESTED)
    code, text = run("--dry-run", "--json")
    (row,) = json.loads(text)["rows"]
    assert (code, row["verification"], row["amount"]) == (1, str(stuck.pk), "2.50")
    assert row["result"] == "what was held is released"
    assert Wallet.objects.values_list("balance", "held").get() == (1000, 500)
    assert run("--execute")[0] == 1
    assert Wallet.objects.values_list("balance", "held").get() == (1000, 250)
    assert run("--execute") == (0, "0 off, 0 mended, $0.00 in all.\n")


def test_a_charge_that_the_verification_does_not_know_is_refunded(user: User) -> None:
    verification = end(bought(user), Status.FAILED)
    Verification.objects.filter(pk=verification.pk).update(charged=False)
    assert run("--execute")[0] == 1
    assert state(user) == (1, 1000)
    assert run("--execute") == (0, "0 off, 0 mended, $0.00 in all.\n")
