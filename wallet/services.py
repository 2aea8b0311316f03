"""The money core: every movement of every cent. Amounts are whole cents, above 0; the verb says which way they go.

Each function needs an open atomic(), in which the caller changes the state that the money belongs to, and locks the
wallet first. The same reference again with the same content returns the row that is there and sends no signal; with
other content it raises ReferenceReused. The content is wallet, amount, type, counterparty, what is reversed, service
and resource; the description only words it (perhaps in another language).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
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
News = dict[str, Any]  # primitives that go with transaction_posted


def wallet_of(*, user: User) -> Wallet:
    """The user's wallet, made where there is none yet. Needs no open transaction."""
    return Wallet.objects.get_or_create(user=user)[0]


def lock_wallet(*, user: User) -> None:
    """Lock the user's wallet until the transaction ends, made where there is none yet.

    Hold it while you count the user's rows against a limit, so that several requests at once don't all fit below it.
    """
    _require_transaction()
    with connection.cursor() as cursor:
        while not cursor.execute("SELECT FROM wallet_wallet WHERE user_id = %s FOR NO KEY UPDATE", [user.pk]).rowcount:
            wallet_of(user=user)


def credit(
    *,
    user: User,
    amount: int,
    type: str,  # noqa: A002  the field's name
    counterparty: str,
    reference: str,
    description: str,
    service: str = "",
    resource: Resource = ("", ""),
    news: News | None = None,
    now: datetime | None = None,
) -> Transaction:
    """Put money into the user's wallet."""
    return _post(
        user=user,
        amount=_cents(amount),
        type=type,
        counterparty=counterparty,
        reference=reference,
        description=description,
        service=service,
        resource=resource,
        news=news,
        now=now,
    )


def debit(
    *,
    user: User,
    amount: int,
    type: str,  # noqa: A002
    counterparty: str,
    reference: str,
    description: str,
    service: str = "",
    resource: Resource = ("", ""),
    news: News | None = None,
    now: datetime | None = None,
) -> Transaction:
    """Take money that is available out of the user's wallet. Raises InsufficientFunds, having moved nothing."""
    return _post(
        user=user,
        amount=-_cents(amount),
        type=type,
        counterparty=counterparty,
        reference=reference,
        description=description,
        service=service,
        resource=resource,
        news=news,
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
    """Set money aside for something under way. Raises InsufficientFunds.

    A replay returns the hold that is there, resolved or not: look at its status.
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
    if not held.is_new:
        _same_content(held, wallet, wanted)
        return held
    signals.balance_changed.send(sender=Wallet, wallet=wallet, transaction=None)
    return held


def capture(
    *,
    hold: Hold | str,
    type: str,  # noqa: A002
    user: User | None = None,
    counterparty: str = Counterparty.SALES,
    description: str | None = None,
    news: News | None = None,
    now: datetime | None = None,
) -> Transaction:
    """Turn a hold into a charge of its whole amount, `{reference}:capture`.

    `hold`: the row, or its reference and with it the owner: nothing is read first then. Raises AlreadyResolved when it
    was released, Hold.DoesNotExist where there is none.
    """
    reference = hold if isinstance(hold, str) else hold.reference

    def refusal() -> Exception:
        return AlreadyResolved() if Hold.objects.filter(reference=reference).exists() else Hold.DoesNotExist()

    posted = _run(
        statements.CAPTURE,
        {
            "type": TransactionType(type).value,
            "counterparty": Counterparty(counterparty).value,
            "reference": f"{reference}:capture",
            "description": description if description is None else str(description),
            "hold": reference,
            "now": now,
        },
        same=("type", "counterparty"),
        user=user if isinstance(hold, str) else _loaded_user(hold),
        news=news,
        refusal=refusal,
    )
    if isinstance(hold, Hold):
        hold.status, hold.resolved_at, hold.wallet = HoldStatus.CAPTURED, posted.created_at, posted.wallet
    return posted


def release(*, hold: Hold, now: datetime | None = None) -> None:
    """Give a hold's money back to what is available. Raises AlreadyResolved when it was captured or released."""
    _require_transaction()
    moment = now or timezone.now()
    user = _loaded_user(hold)
    row = one(Wallet, statements.RELEASE, {"wallet": hold.wallet_id, "hold": hold.pk, "now": moment})
    if row is None:
        raise AlreadyResolved
    wallet, _ = row
    if user is not None:
        wallet.user = user
    hold.status, hold.resolved_at, hold.wallet = HoldStatus.RELEASED, moment, wallet
    signals.balance_changed.send(sender=Wallet, wallet=wallet, transaction=None)


def reverse(
    *,
    transaction: Transaction | str,
    type: str,  # noqa: A002
    reference: str,
    description: str,
    user: User | None = None,
    news: News | None = None,
    now: datetime | None = None,
) -> Transaction:
    """Undo a journal row whole, once, towards its own counterparty.

    `transaction`: the row, or its reference and with it the owner: nothing is read first then. Raises AlreadyReversed
    when another reference did it before, InsufficientFunds when a credit is gone already, Transaction.DoesNotExist.
    """
    undone = transaction if isinstance(transaction, str) else transaction.reference

    def refusal() -> Exception:
        row = Transaction.objects.select_related("wallet").get(reference=undone)
        return InsufficientFunds(available=row.wallet.available, required=row.amount)

    return _run(
        statements.REVERSE,
        {
            "type": TransactionType(type).value,
            "reference": reference,
            "description": str(description),
            "undone": undone,
            "now": now,
        },
        same=("type",),
        user=user if isinstance(transaction, str) else _loaded_user(transaction),
        news=news,
        refusal=refusal,
    )


def _post(
    *,
    user: User,
    amount: int,
    type: str,  # noqa: A002
    counterparty: str,
    reference: str,
    description: str,
    service: str,
    resource: Resource,
    news: News | None,
    now: datetime | None,
) -> Transaction:
    """One journal row that nothing else decides."""

    def refusal() -> Exception:
        return InsufficientFunds(available=Wallet.objects.get(user=user).available, required=-amount)

    return _run(
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
        news=news,
        refusal=refusal,
    )


def _run(
    statement: str,
    parameters: dict[str, Any],
    *,
    same: tuple[str, ...],
    user: User | None,
    news: News | None,
    refusal: Callable[[], Exception],
) -> Transaction:
    """Post in one round trip, and tell. `refusal` says why there was no row, with the wallet still locked.

    `same`: the parameters that a row which is there already must have, besides what the statement says it must.
    """
    _require_transaction()
    row = one(Transaction, statement, parameters)
    if row is None:
        raise refusal()
    posted, (is_new, *rest) = row
    posted.is_new = is_new
    wallet, (amount, reverses_id) = _take_wallet(posted, rest, user=user)
    if not posted.is_new:
        if posted.reference != parameters["reference"]:
            raise AlreadyReversed
        _same_content(
            posted, wallet, {**{name: parameters[name] for name in same}, "amount": amount, "reverses_id": reverses_id}
        )
        return posted
    log.posted(posted)
    signals.transaction_posted.send(sender=Transaction, transaction=posted, news=news or {})
    signals.balance_changed.send(sender=Wallet, wallet=wallet, transaction=posted)
    return posted


def _take_wallet(row: Transaction | Hold, rest: Sequence[Any], *, user: User | None) -> tuple[Wallet, tuple[Any, ...]]:
    """The wallet as it stands, out of what the statement says besides the row, and what follows it.

    A new row's `wallet` is that wallet. A replayed row may be another wallet's, which the service then refuses.
    """
    wallet, others = instance(Wallet, rest)
    if user is not None:
        wallet.user = user
    if row.wallet_id == wallet.pk:
        row.wallet = wallet
    return wallet, others


def _same_content(row: Transaction | Hold, wallet: Wallet, wanted: dict[str, Any]) -> None:
    wanted = {**wanted, "wallet_id": wallet.pk}
    if {name: getattr(row, name) for name in wanted} != wanted:
        raise ReferenceReused(row.reference)


def _loaded_user(row: Transaction | Hold) -> User | None:
    """The owner, where the row already has it in memory: nobody asks the database for the signal's sake."""
    wallet = row._state.fields_cache.get("wallet")
    return wallet._state.fields_cache.get("user") if wallet is not None else None


def _cents(amount: int) -> int:
    if isinstance(amount, bool) or not isinstance(amount, int) or amount <= 0:
        raise ValueError(f"An amount is a whole number of cents above 0, not {amount!r}")
    return amount


def _require_transaction() -> None:
    if not db.get_connection().in_atomic_block:
        raise NotInTransaction("Open atomic() around the change of state and its money, then call wallet.services.")
