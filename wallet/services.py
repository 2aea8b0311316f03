"""The money core: every movement of every cent. Amounts are whole cents, above 0; the verb says which way they go.

Each function needs an open atomic(), in which the caller changes the state that the money belongs to, and locks the
wallet first. The same reference again with the same content returns the row that is there and sends no signal; with
other content it raises ReferenceReused. The content is wallet, amount, type, counterparty, what is reversed, service
and resource; the description only words it (perhaps in another language).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction as db
from django.utils import timezone

from accounts.models import User
from wallet import log, signals
from wallet.errors import AlreadyResolved, AlreadyReversed, InsufficientFunds, NotInTransaction, ReferenceReused
from wallet.models import Counterparty, Hold, HoldStatus, Transaction, TransactionType, Wallet

Resource = tuple[str, str]  # (resource_type, resource_id), e.g. ("verification", "0b6c…")
News = dict[str, Any]  # primitives that go with transaction_posted

_WALLET = ("id", "user_id", "balance", "held", "version", "created_at")
_WALLET_COLUMNS = ", ".join(f"(p.wallet).{name} AS wallet_now_{name}" for name in _WALLET)
_POST = f"""
    SELECT (p.posted).*, p.is_new, {_WALLET_COLUMNS} FROM wallet_post(
        %(user)s, %(wallet)s, %(amount)s, %(type)s, %(counterparty)s, %(reference)s, %(description)s,
        %(service)s, %(resource_type)s, %(resource_id)s, %(reverses)s, %(unhold)s, %(now)s
    ) p
"""  # noqa: S608  its names are the ones above
_RESERVE = f"""
    SELECT (p.reserved).*, p.is_new, {_WALLET_COLUMNS} FROM wallet_reserve(
        %(user)s, %(amount)s, %(reference)s, %(description)s,
        %(service)s, %(resource_type)s, %(resource_id)s, %(now)s
    ) p
"""  # noqa: S608
# The wallet is locked before the hold is touched, as everywhere: the joined row exists only once it is.
_RELEASE = """
    WITH locked AS (SELECT id FROM wallet_wallet WHERE id = %(wallet)s FOR NO KEY UPDATE),
    released AS (
        UPDATE wallet_hold h SET status = 'released', resolved_at = %(now)s FROM locked
        WHERE h.id = %(hold)s AND h.wallet_id = locked.id AND h.status = 'active' RETURNING h.wallet_id, h.amount
    )
    UPDATE wallet_wallet w SET held = w.held - released.amount FROM released WHERE w.id = released.wallet_id
    RETURNING w.*
"""


def wallet_of(*, user: User) -> Wallet:
    """The user's wallet, made where there is none yet. Needs no open transaction."""
    return Wallet.objects.get_or_create(user=user)[0]


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
        wallet_id=None,
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
        wallet_id=None,
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
    rows = Hold.objects.raw(
        _RESERVE, {**wanted, "user": user.pk, "reference": reference, "description": str(description), "now": now}
    )
    held = next(iter(rows), None)
    if held is None:
        raise InsufficientFunds(available=wallet_of(user=user).available, required=amount)
    is_new, wallet = _take_wallet(held, user=user)
    if not is_new:
        _same_content(held, wallet, wanted)
        return held
    signals.balance_changed.send(sender=Wallet, wallet=wallet, transaction=None)
    return held


def capture(
    *,
    hold: Hold,
    type: str,  # noqa: A002
    counterparty: str = Counterparty.SALES,
    description: str | None = None,
    news: News | None = None,
    now: datetime | None = None,
) -> Transaction:
    """Turn a hold into a charge of its whole amount, `{reference}:capture`. Raises AlreadyResolved when released."""
    posted = _post(
        user=_loaded_user(hold),
        wallet_id=hold.wallet_id,
        amount=-hold.amount,
        type=type,
        counterparty=counterparty,
        reference=f"{hold.reference}:capture",
        description=hold.description if description is None else description,
        service=hold.service,
        resource=(hold.resource_type, hold.resource_id),
        unhold=hold.pk,
        news=news,
        now=now,
    )
    hold.status, hold.resolved_at, hold.wallet = HoldStatus.CAPTURED, posted.created_at, posted.wallet
    return posted


def release(*, hold: Hold, now: datetime | None = None) -> None:
    """Give a hold's money back to what is available. Raises AlreadyResolved when it was captured or released."""
    _require_transaction()
    moment = now or timezone.now()
    user = _loaded_user(hold)
    wallet = next(iter(Wallet.objects.raw(_RELEASE, {"wallet": hold.wallet_id, "hold": hold.pk, "now": moment})), None)
    if wallet is None:
        raise AlreadyResolved
    if user is not None:
        wallet.user = user
    hold.status, hold.resolved_at, hold.wallet = HoldStatus.RELEASED, moment, wallet
    signals.balance_changed.send(sender=Wallet, wallet=wallet, transaction=None)


def reverse(
    *,
    transaction: Transaction,
    type: str,  # noqa: A002
    reference: str,
    description: str,
    news: News | None = None,
    now: datetime | None = None,
) -> Transaction:
    """Undo a journal row whole, once, towards its own counterparty.

    Raises AlreadyReversed when another reference did it before, InsufficientFunds when a credit is gone already.
    """
    return _post(
        user=_loaded_user(transaction),
        wallet_id=transaction.wallet_id,
        amount=-transaction.amount,
        type=type,
        counterparty=transaction.counterparty,
        reference=reference,
        description=description,
        service=transaction.service,
        resource=(transaction.resource_type, transaction.resource_id),
        reverses=transaction.pk,
        news=news,
        now=now,
    )


def _post(
    *,
    user: User | None,
    wallet_id: int | None,
    amount: int,
    type: str,  # noqa: A002
    counterparty: str,
    reference: str,
    description: str,
    service: str,
    resource: Resource,
    reverses: int | None = None,
    unhold: int | None = None,
    news: News | None,
    now: datetime | None,
) -> Transaction:
    """One journal row, in one round trip. `unhold` is the id of the hold that pays for it."""
    _require_transaction()
    wanted = {
        "amount": amount,
        "type": TransactionType(type).value,
        "counterparty": Counterparty(counterparty).value,
        "service": service,
        "resource_type": resource[0],
        "resource_id": resource[1],
    }
    parameters = {
        **wanted,
        "user": user.pk if user is not None else None,
        "wallet": wallet_id,
        "reference": reference,
        "description": str(description),
        "reverses": reverses,
        "unhold": unhold,
        "now": now,
    }
    posted = next(iter(Transaction.objects.raw(_POST, parameters)), None)
    if posted is None:
        raise _refusal(user=user, wallet_id=wallet_id, amount=amount, unhold=unhold)
    is_new, wallet = _take_wallet(posted, user=user)
    if not is_new:
        if posted.reference != reference:
            raise AlreadyReversed
        _same_content(posted, wallet, {**wanted, "reverses_id": reverses})
        return posted
    log.posted(posted)
    signals.transaction_posted.send(sender=Transaction, transaction=posted, news=news or {})
    signals.balance_changed.send(sender=Wallet, wallet=wallet, transaction=posted)
    return posted


def _refusal(
    *, user: User | None, wallet_id: int | None, amount: int, unhold: int | None
) -> AlreadyResolved | InsufficientFunds:
    """Why wallet_post returned no row. The wallet is still locked, so that the sentence is true."""
    if unhold is not None:
        return AlreadyResolved()
    wallet = Wallet.objects.get(pk=wallet_id) if wallet_id is not None else Wallet.objects.get(user=user)
    return InsufficientFunds(available=wallet.available, required=-amount)


def _take_wallet(row: Any, *, user: User | None) -> tuple[bool, Wallet]:
    """Move what the function said besides the row off it: whether the row is new, and the wallet as it stands.

    A new row's `wallet` is that wallet. A replayed row may be another wallet's, which the service then refuses.
    """
    wallet = Wallet.from_db(row._state.db, _WALLET, [row.__dict__.pop(f"wallet_now_{name}") for name in _WALLET])
    if user is not None:
        wallet.user = user
    if row.wallet_id == wallet.pk:
        row.wallet = wallet
    return row.is_new, wallet


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
