"""The life of a verification, and the catalogue that it is bought from. All writes of this app."""

from verifications.services.buy import Purchase, buy
from verifications.services.cancel import Cancellation, cancel
from verifications.services.expire import expire_due
from verifications.services.poll import poll_due
from verifications.services.pricing import Deal, quote
from verifications.services.progress import tell_progress
from verifications.services.purge import purge
from verifications.services.receive import receive_webhook
from verifications.services.recover import recover_due

__all__ = [
    "Cancellation",
    "Deal",
    "Purchase",
    "buy",
    "cancel",
    "expire_due",
    "poll_due",
    "purge",
    "quote",
    "receive_webhook",
    "recover_due",
    "tell_progress",
]
