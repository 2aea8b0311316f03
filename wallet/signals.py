"""News of this app, sent inside the transaction that moved the money."""

from django.dispatch import Signal

transaction_posted = (
    Signal()
)  # transaction (the new journal row, .wallet loaded and current), news (dict of primitives from the caller)
balance_changed = Signal()  # wallet (current balance, held, version), transaction (or None when only a hold changed)
