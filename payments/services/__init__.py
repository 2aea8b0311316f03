"""All writes of this app."""

from payments.services.check import check_due, reconcile
from payments.services.checkout import GatewayUnavailable
from payments.services.events import WebhookRefused, receive_webhook, replay_event, retry_events
from payments.services.initiate import InvalidTopUp, KeyReused, OverLimit, initiate
from payments.services.settle import settle

__all__ = [
    "GatewayUnavailable",
    "InvalidTopUp",
    "KeyReused",
    "OverLimit",
    "WebhookRefused",
    "check_due",
    "initiate",
    "receive_webhook",
    "reconcile",
    "replay_event",
    "retry_events",
    "settle",
]
