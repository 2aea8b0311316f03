"""News of this app, sent inside the transaction that moved the money."""

from django.dispatch import Signal

# transaction (the new journal row, with its current .wallet loaded), metadata (dict of primitives from the caller)
transaction_posted = Signal()
# wallet (current balance, held, version), transaction (None if only a hold changed)
balance_changed = Signal()
