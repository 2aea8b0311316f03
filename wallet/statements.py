"""SQL statements of the money core: each moves money in one round trip, by the database functions in wallet/sql/.

A hold that is captured, or a row that is reversed, is read in the same statement before the wallet is locked, because
the columns that are copied from it never change. The functions read everything that changes under the lock.

POST, CAPTURE and REVERSE return the journal row, whether it is new, the current wallet, and the amount and the reversed
row's id that the row should have.
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
"""  # noqa: S608  only column names are put in
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
    ) p WHERE t.reference = %(reversed)s
"""  # noqa: S608
RESERVE = f"""
    SELECT {_RESERVED} FROM wallet_reserve(
        %(user)s, %(amount)s, %(reference)s, %(description)s,
        %(service)s, %(resource_type)s, %(resource_id)s, %(now)s
    ) p
"""  # noqa: S608
# Joining `locked` makes the statement lock the wallet before it updates the hold, which is the order everywhere.
RELEASE = f"""
    WITH locked AS (SELECT id FROM wallet_wallet WHERE id = %(wallet)s FOR NO KEY UPDATE),
    released AS (
        UPDATE wallet_hold h SET status = 'released', resolved_at = %(now)s FROM locked
        WHERE h.id = %(hold)s AND h.wallet_id = locked.id AND h.status = 'active' RETURNING h.wallet_id, h.amount
    )
    UPDATE wallet_wallet w SET held = w.held - released.amount FROM released WHERE w.id = released.wallet_id
    RETURNING {columns(Wallet, "w")}
"""  # noqa: S608
