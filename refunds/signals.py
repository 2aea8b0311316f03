"""News of this app, sent inside the transaction that changed the refund.

A completed refund's event comes from the journal (wallet.signals.transaction_posted, type verification_refund).
"""

from django.dispatch import Signal

refund_completed = Signal()  # refund, transaction
