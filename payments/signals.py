"""Signals of this app, sent inside the transaction that changed the payment.

A completed payment's event comes from the journal (wallet.signals.transaction_posted, type credit).
"""

from django.dispatch import Signal

payment_initiated = Signal()  # payment
payment_completed = Signal()  # payment, transaction
payment_failed = Signal()  # payment
payment_expired = Signal()  # payment
gateway_event_given_up = Signal()  # event, now: it failed too often and is not retried any more
payment_mismatched = Signal()  # payment, details (dict): another amount was paid than requested; nothing was credited
