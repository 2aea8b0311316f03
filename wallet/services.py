"""The money core: every movement of every cent. Amounts are whole cents, above 0; the verb gives the direction.

Each function except `wallet_of` needs an open atomic(), in which the caller changes the state that the money belongs
to, and locks the wallet first. Calls are idempotent by reference: the same reference with the same content returns the
existing row and sends no signal; with other content it raises ReferenceReused. The content is wallet, amount, type,
counterparty, reversed row, service and resource; the description may differ (it may be in another language).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from django.db import connection
from django.db import transaction as db
from django.utils import timezone

from accounts.models import User
from config.lib.postgres.rows import instance, one
from wallet import log, signals, statements
from wallet.errors import AlreadyResolved, AlreadyReversed, InsufficientFunds, NotInTransaction, ReferenceReused
from wallet.models import Counterparty, Hold, HoldStatus, Transaction, TransactionType, Wallet

Resource = tuple[str, str]  # (resource_type, resource_id), e.g. ("verification", "0b6c…")
Metadata = dict[str, Any]  # primitives that go with transaction_posted, for the event that is recorded


def wallet_of(*, user: User) -> Wallet:
    """Return the user's wallet; create it if there is none yet. Needs no open transaction."""
    return Wallet.objects.get_or_create(user=user)[0]


def lock_wallet(*, user: User) -> None:
    """Lock the user's wallet until the transaction ends; create it if there is none yet.

    Lock it before counting the user's rows against a limit, so that concurrent requests can't all pass the limit.
    """
    _require_transaction()
    with connection.cursor() as cursor:
        while not cursor.execute("SELECT FROM wallet_wallet WHERE user_id = %s FOR NO KEY UPDATE", [user.pk]).rowcount:
            wallet_of(user=user)


def credit(
    *,
    user: User,
    amount: int,
    type: str,
    counterparty: str,
    reference: str,
    description: str,
    service: str = "",
    resource: Resource = ("", ""),
    metadata: Metadata | None = None,
    now: datetime | None = None,
) -> Transaction:
    """Add money to the user's wallet."""
    return _post(
        user=user,
        amount=_cents(amount),
        type=type,
        counterparty=counterparty,
        reference=reference,
        description=description,
        service=service,
        resource=resource,
        metadata=metadata,
        now=now,
    )


def debit(
    *,
    user: User,
    amount: int,
    type: str,
    counterparty: str,
    reference: str,
    description: str,
    service: str = "",
    resource: Resource = ("", ""),
    metadata: Metadata | None = None,
    now: datetime | None = None,
) -> Transaction:
    """Take available money from the user's wallet. Raises InsufficientFunds, having moved nothing."""
    return _post(
        user=user,
        amount=-_cents(amount),
        type=type,
        counterparty=counterparty,
        reference=reference,
        description=description,
        service=service,
        resource=resource,
        metadata=metadata,
        now=now,
    )


def hold(
    *,
    user: User,
    amount: int,
    reference: str,
    description: str,
    service: str = "",
    resource: Resource = ("", ""),
    now: datetime | None = None,
) -> Hold:
    """Reserve money for an operation in progress. Raises InsufficientFunds.

    A replay returns the existing hold, resolved or not: check its status.
    """
    _require_transaction()
    wanted = {
        "amount": _cents(amount),
        "service": service,
        "resource_type": resource[0],
        "resource_id": resource[1],
    }
    row = one(
        Hold,
        statements.RESERVE,
        {**wanted, "user": user.pk, "reference": reference, "description": str(description), "now": now},
    )
    if row is None:
        raise InsufficientFunds(available=wallet_of(user=user).available, required=amount)
    held, (is_new, *rest) = row
    held.is_new = is_new
    wallet, _ = _take_wallet(held, rest, user=user)
    if held.is_new:
        signals.balance_changed.send(sender=Wallet, wallet=wallet, transaction=None)
    else:
        _require_same_content(held, wallet, wanted)
    return held


def capture(
    *,
    hold: str,
    user: User,
    type: str,
    counterparty: str = Counterparty.SALES,
    description: str | None = None,
    metadata: Metadata | None = None,
    now: datetime | None = None,
) -> Transaction:
    """Charge a hold's whole amount, as the journal row `{hold}:capture`.

    `hold` is the hold's reference, `user` its owner. Raises AlreadyResolved if the hold was released, Hold.DoesNotExist
    if there is none.
    """
    posted = _run(
        statements.CAPTURE,
        {
            "type": TransactionType(type).value,
            "counterparty": Counterparty(counterparty).value,
            "reference": f"{hold}:capture",
            "description": description if description is None else str(description),
            "hold": hold,
            "now": now,
        },
        same=("type", "counterparty"),
        user=user,
        metadata=metadata,
    )
    if posted is None:
        raise AlreadyResolved if Hold.objects.filter(reference=hold).exists() else Hold.DoesNotExist
    return posted


def release(*, hold: Hold, now: datetime | None = None) -> None:
    """Make a hold's money available again. Raises AlreadyResolved if it was captured or released before."""
    _require_transaction()
    moment = now or timezone.now()
    row = one(Wallet, statements.RELEASE, {"wallet": hold.wallet_id, "hold": hold.pk, "now": moment})
    if row is None:
        raise AlreadyResolved
    wallet, _ = row
    hold.status, hold.resolved_at, hold.wallet = HoldStatus.RELEASED, moment, wallet
    signals.balance_changed.send(sender=Wallet, wallet=wallet, transaction=None)


def reverse(
    *,
    transaction: str,
    user: User,
    type: str,
    reference: str,
    description: str,
    metadata: Metadata | None = None,
    now: datetime | None = None,
) -> Transaction:
    """Reverse a whole journal row, once, with the same counterparty. `transaction` is its reference, `user` its owner.

    Raises AlreadyReversed if it was reversed under another reference, InsufficientFunds if it was a credit that is
    spent, Transaction.DoesNotExist.
    """
    posted = _run(
        statements.REVERSE,
        {
            "type": TransactionType(type).value,
            "reference": reference,
            "description": str(description),
            "reversed": transaction,
            "now": now,
        },
        same=("type",),
        user=user,
        metadata=metadata,
    )
    if posted is None:
        row = Transaction.objects.select_related("wallet").get(reference=transaction)
        raise InsufficientFunds(available=row.wallet.available, required=row.amount)
    return posted


def _post(
    *,
    user: User,
    amount: int,
    type: str,
    counterparty: str,
    reference: str,
    description: str,
    service: str,
    resource: Resource,
    metadata: Metadata | None,
    now: datetime | None,
) -> Transaction:
    """Post one journal row. Raises InsufficientFunds."""
    posted = _run(
        statements.POST,
        {
            "user": user.pk,
            "amount": amount,
            "type": TransactionType(type).value,
            "counterparty": Counterparty(counterparty).value,
            "reference": reference,
            "description": str(description),
            "service": service,
            "resource_type": resource[0],
            "resource_id": resource[1],
            "now": now,
        },
        same=("type", "counterparty", "service", "resource_type", "resource_id"),
        user=user,
        metadata=metadata,
    )
    if posted is None:
        raise InsufficientFunds(available=Wallet.objects.get(user=user).available, required=-amount)
    return posted


def _run(
    statement: str, parameters: dict[str, Any], *, same: tuple[str, ...], user: User, metadata: Metadata | None
) -> Transaction | None:
    """Post a journal row in one round trip and announce it. Returns None, with the wallet locked, if it was refused.

    `same`: the parameters that an existing row must match, besides the amount and the reversed row.
    """
    _require_transaction()
    row = one(Transaction, statement, parameters)
    if row is None:
        return None
    posted, (is_new, *rest) = row
    posted.is_new = is_new
    wallet, (amount, reverses_id) = _take_wallet(posted, rest, user=user)
    if not posted.is_new:
        if posted.reference != parameters["reference"]:
            raise AlreadyReversed
        wanted = {name: parameters[name] for name in same}
        _require_same_content(posted, wallet, {**wanted, "amount": amount, "reverses_id": reverses_id})
        return posted
    db.on_commit(partial(log.transaction_posted, posted), robust=True)
    signals.transaction_posted.send(sender=Transaction, transaction=posted, metadata=metadata or {})
    signals.balance_changed.send(sender=Wallet, wallet=wallet, transaction=posted)
    return posted


def _take_wallet(row: Transaction | Hold, rest: Sequence[Any], *, user: User) -> tuple[Wallet, tuple[Any, ...]]:
    """Return the current wallet, read from the columns behind the row's own, and the columns after it.

    Sets it as the row's `wallet`, unless a replayed row belongs to another wallet (then the content differs).
    """
    wallet, others = instance(Wallet, rest)
    wallet.user = user
    if row.wallet_id == wallet.pk:
        row.wallet = wallet
    return wallet, others


def _require_same_content(row: Transaction | Hold, wallet: Wallet, wanted: dict[str, Any]) -> None:
    wanted = {**wanted, "wallet_id": wallet.pk}
    if {name: getattr(row, name) for name in wanted} != wanted:
        raise ReferenceReused(row.reference)


def _cents(amount: int) -> int:
    if isinstance(amount, bool) or not isinstance(amount, int) or amount <= 0:
        raise ValueError(f"An amount is a whole number of cents above 0, not {amount!r}")
    return amount


def _require_transaction() -> None:
    if not db.get_connection().in_atomic_block:
        raise NotInTransaction("Open atomic() around the change of state and its money, then call wallet.services.")
