"""All writes of this app."""

from payments.services.check import check_due
from payments.services.checkout import GatewayUnavailable
from payments.services.events import PayloadPurged, receive_webhook, replay_event, retry_events
from payments.services.initiate import TopUp, check_amount, initiate
from payments.services.purge import purge_events
from payments.services.reconcile import reconcile
from payments.services.resume import open_payment_of, resume_or_initiate
from payments.services.settle import settle

__all__ = [
    "GatewayUnavailable",
    "PayloadPurged",
    "TopUp",
    "check_amount",
    "check_due",
    "initiate",
    "open_payment_of",
    "purge_events",
    "receive_webhook",
    "reconcile",
    "replay_event",
    "resume_or_initiate",
    "retry_events",
    "settle",
]
