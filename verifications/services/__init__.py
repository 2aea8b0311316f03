"""All writes of this app: of verifications from purchase to end, and of the catalogue."""

from verifications.services.buy import Purchase, buy
from verifications.services.cancel import Cancellation, cancel
from verifications.services.catalogue import (
    Summary,
    ensure_categories,
    refuse_below_cost,
    save_service,
    sync_catalogue,
    update_success_rates,
)
from verifications.services.end import report_unsettled
from verifications.services.expire import expire_due
from verifications.services.favourites import add_favourite, remove_favourite
from verifications.services.poll import poll_due
from verifications.services.pricing import PricedOffer, price_service
from verifications.services.progress import notify_progress
from verifications.services.purge import purge
from verifications.services.quotes import refresh_quote
from verifications.services.receive import receive_webhook
from verifications.services.reconcile import reconcile_nightly, reconcile_provider
from verifications.services.recover import recover_due

__all__ = [
    "Cancellation",
    "PricedOffer",
    "Purchase",
    "Summary",
    "add_favourite",
    "buy",
    "cancel",
    "ensure_categories",
    "expire_due",
    "notify_progress",
    "poll_due",
    "price_service",
    "purge",
    "receive_webhook",
    "reconcile_nightly",
    "reconcile_provider",
    "recover_due",
    "refresh_quote",
    "refuse_below_cost",
    "remove_favourite",
    "report_unsettled",
    "save_service",
    "sync_catalogue",
    "update_success_rates",
]
