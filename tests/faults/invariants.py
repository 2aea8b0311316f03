"""What holds after every drill, whatever died in it, once recovery has run: read from the database and the sandbox.

    assert_invariants(sandbox)

`violations` gives the same as sentences. Both expect that nobody is in the middle of something.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from io import StringIO

from django.core.management import CommandError, call_command
from django.db.models import Count, F, Max, Q, Sum

from activity.models import Activity
from config.lib import money
from dev.sandbox.testing import RunningSandbox
from notifications.catalog import CATALOG
from notifications.models import Inbox, Notification
from payments.models import GatewayEvent, Payment, PaymentStatus
from refunds.models import Refund, RefundStatus
from verifications.models import Status, Verification
from wallet.models import Hold, HoldStatus, Transaction, Wallet

GIVEN_BACK = ("verificationCanceled", "verificationReported", "verificationTimedOut")
WITHOUT_CODE = (Status.TIMED_OUT, Status.CANCELLED, Status.FAILED)


def assert_invariants(sandbox: RunningSandbox) -> None:
    assert violations(sandbox) == []


def violations(sandbox: RunningSandbox) -> list[str]:
    ledger = sandbox.ledger()
    return [
        *_numbers(ledger["numbers"]),
        *books(),
        *_verifications(),
        *_payments(ledger["charges"]),
        *_events(),
        *_next_steps(),
    ]


def _numbers(sold: list[dict[str, str]]) -> Iterator[str]:
    """Provider's sold numbers = ours: each is its own verification's, or was given back, and it knows all of ours."""
    owners = {row.provider_id: row for row in Verification.objects.exclude(provider_id="")}
    for key, count in Counter(number["key"] for number in sold).items():
        if count > 1:
            yield f"{count} numbers were sold for the order {key}"
    for number in sold:
        owner = owners.pop(number["id"], None)
        what = f"number {number['id']} ({number['state']})"
        if owner is None:
            if number["state"] not in GIVEN_BACK:
                yield f"{what} is nobody's, and was not given back"
        elif str(owner.pk) != number["key"]:
            yield f"{what} was sold for {number['key']}, and is {owner.pk}'s"
        elif owner.status in WITHOUT_CODE and number["state"] not in GIVEN_BACK and owner.settlement == "unsettled":
            yield f"{what} of {owner.pk} ({owner.status}) was not given back"
    for provider_id, owner in owners.items():
        yield f"{owner.pk} has the number {provider_id}, which nobody sold"


def books() -> Iterator[str]:
    out = StringIO()
    try:
        call_command("verify_wallets", stdout=out, stderr=out)
    except (SystemExit, CommandError) as error:
        yield f"verify_wallets: {error}\n{out.getvalue()}"
    sums = Wallet.objects.annotate(sum=Sum("transactions__amount"))
    for wallet in sums.exclude(balance=F("sum")).exclude(balance=0, sum=None):
        yield f"wallet {wallet.pk} has {wallet.balance}, its journal {wallet.sum}"


def _verifications() -> Iterator[str]:
    """Charged once or never; refunded once where it ended without a code; money is held only while nobody knows."""
    posted = Counter(Transaction.objects.filter(resource_type="verification").values_list("resource_id", "type"))
    refunds = Counter(
        Refund.objects.exclude(status__in=[RefundStatus.FAILED, RefundStatus.CANCELLED]).values_list(
            "verification", flat=True
        )
    )
    active = set(Hold.objects.filter(status=HoldStatus.ACTIVE).values_list("reference", flat=True))
    for row in Verification.objects.all():
        without_code = row.charged and row.status in WITHOUT_CODE
        found = (
            posted[str(row.pk), "sms_purchase"],
            posted[str(row.pk), "verification_refund"],
            refunds[row.pk],
            row.hold_reference in active,
        )
        right = (int(row.charged), int(without_code), int(without_code), row.status == Status.REQUESTED)
        if found != right:
            yield f"{row.pk} ({row.status}): (charges, money back, refunds, held) is {found}, not {right}"
        active.discard(row.hold_reference)
    for reference in active:
        yield f"hold {reference} is active without a verification"


def _payments(charges: list[dict[str, str]]) -> Iterator[str]:
    """Credited is exactly what was paid, once."""
    paid = {row["reference"]: row["amount"] for row in charges if row["status"] == "paid"}
    credited = Transaction.objects.filter(type="credit").values_list("resource_id", "amount")
    journal = {reference: money.to_text(cents) for reference, cents in credited}
    if len(credited) != len(journal) or journal != paid:
        yield f"credited is {sorted(credited)}, paid is {paid}"
    completed = set(Payment.objects.filter(status=PaymentStatus.COMPLETED).values_list("reference", flat=True))
    if completed != set(journal):
        yield f"completed are {completed}, credited are {set(journal)}"
    for event in GatewayEvent.objects.filter(processed_at=None):
        yield f"event {event.event_id} is not applied: {event.error}"


def _events() -> Iterator[str]:
    """Each event of the catalogue has exactly one row in its customer's inbox, whose numbers have no hole."""
    rows = Activity.objects.filter(event__in=list(CATALOG)).annotate(told=Count("notification"))
    for activity in rows.exclude(told=1):
        yield f"event {activity.event} ({activity.pk}) has {activity.told} rows in the inbox"
    unread = Count("user__notifications", filter=Q(user__notifications__read_at=None))
    for inbox in Inbox.objects.annotate(
        rows=Count("user__notifications"), last=Max("user__notifications__seq"), u=unread
    ):
        if (inbox.rows, inbox.last or 0, inbox.u) != (inbox.seq, inbox.seq, inbox.unread):
            yield f"inbox {inbox.pk} says {inbox.seq} ({inbox.unread} unread), has {inbox.rows} up to {inbox.last}"
    expected = {
        "verification_initiated": Verification.objects.count(),
        "verification_complete": Verification.objects.filter(status=Status.COMPLETED).count(),
        "number_purchased": Verification.objects.filter(charged=True).count(),
        "instant_refund": Refund.objects.filter(automatic=True).count(),
        "payment_completed": Payment.objects.filter(status=PaymentStatus.COMPLETED).count(),
    }
    told = Counter(Notification.objects.values_list("activity__event", flat=True))
    if wrong := {event: (told[event], right) for event, right in expected.items() if told[event] != right}:
        yield f"events told and due: {wrong}"


def _next_steps() -> Iterator[str]:
    """Nothing open is forgotten: each row that is not final has its next turn."""
    open_rows = Verification.objects.filter(
        Q(status=Status.REQUESTED, next_recovery_at=None)
        | Q(status=Status.WAITING, next_poll_at=None)
        | Q(status=Status.WAITING, cancel_requested_at__isnull=False, next_recovery_at=None)
        | Q(status__in=WITHOUT_CODE, settlement="unsettled", next_recovery_at=None) & ~Q(provider_id="")
    )
    for row in open_rows:
        yield f"{row.pk} ({row.status}) has no next step"
    for payment in Payment.objects.filter(status=PaymentStatus.INITIATED, next_check_at=None):
        yield f"{payment.reference} is initiated, and nobody asks about it"
