"""The statements of the money core: each moves money in one round trip, by the functions of migration 0002.

What a row is made from (a hold, the row that it undoes) is read in the statement itself, before the wallet is locked:
the columns that it takes from there never change. What does change, the functions look at under the lock.

A posting's row: the journal row, whether it is new, the wallet as it stands, and what amount and reversed row it was to
have.
"""

from config.lib.postgres.rows import columns
from wallet.models import Hold, Transaction, Wallet

_POSTED = f"{columns(Transaction, '(p.posted)')}, p.is_new, {columns(Wallet, '(p.wallet)')}"
_RESERVED = f"{columns(Hold, '(p.reserved)')}, p.is_new, {columns(Wallet, '(p.wallet)')}"

POST = f"""
    SELECT {_POSTED}, %(amount)s, NULL FROM wallet_post(
        %(user)s, NULL, %(amount)s, %(type)s, %(counterparty)s, %(reference)s, %(description)s,
        %(service)s, %(resource_type)s, %(resource_id)s, NULL, NULL, %(now)s
    ) p
"""  # noqa: S608  its names are the ones above
CAPTURE = f"""
    SELECT {_POSTED}, -h.amount, NULL
    FROM wallet_hold h CROSS JOIN LATERAL wallet_post(
        NULL, h.wallet_id, -h.amount, %(type)s, %(counterparty)s, %(reference)s,
        coalesce(%(description)s, h.description), h.service, h.resource_type, h.resource_id, NULL, h.id, %(now)s
    ) p WHERE h.reference = %(hold)s
"""  # noqa: S608
REVERSE = f"""
    SELECT {_POSTED}, -t.amount, t.id
    FROM wallet_transaction t CROSS JOIN LATERAL wallet_post(
        NULL, t.wallet_id, -t.amount, %(type)s, t.counterparty, %(reference)s, %(description)s,
        t.service, t.resource_type, t.resource_id, t.id, NULL, %(now)s
    ) p WHERE t.reference = %(undone)s
"""  # noqa: S608
RESERVE = f"""
    SELECT {_RESERVED} FROM wallet_reserve(
        %(user)s, %(amount)s, %(reference)s, %(description)s,
        %(service)s, %(resource_type)s, %(resource_id)s, %(now)s
    ) p
"""  # noqa: S608
# The wallet is locked before the hold is touched, as everywhere: the joined row exists only once it is.
RELEASE = f"""
    WITH locked AS (SELECT id FROM wallet_wallet WHERE id = %(wallet)s FOR NO KEY UPDATE),
    released AS (
        UPDATE wallet_hold h SET status = 'released', resolved_at = %(now)s FROM locked
        WHERE h.id = %(hold)s AND h.wallet_id = locked.id AND h.status = 'active' RETURNING h.wallet_id, h.amount
    )
    UPDATE wallet_wallet w SET held = w.held - released.amount FROM released WHERE w.id = released.wallet_id
    RETURNING {columns(Wallet, "w")}
"""  # noqa: S608
