"""The vocabulary: everything that can happen to a customer, one row an event.

A row says which fields an event's `data` has and of which kind; a missing or an undeclared one is an error. Codes and
texts of messages are in no event: whoever shows them reads them from the verification.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from activity.models import Actor
from wallet.models import TransactionType


class Kind(enum.StrEnum):
    """What a field holds, as JSON. All are strings, so that nothing is lost on the way."""

    TEXT = "text"
    MONEY = "money"  # an amount with two places: "2.50"
    TIME = "time"  # ISO 8601 with its offset
    COUNTRY = "country"  # a two-letter code
    PHONE = "phone"  # a number as the provider writes it: "7155550100"
    REASON = "reason"  # a word of wording.REASONS, else a sentence of whoever gave it


@dataclass(frozen=True)
class Event:
    """One row. `fields` are those of `data`; `resource_type` and `actor` hold where the recorder names no other."""

    name: str
    activity_type: str
    resource_type: str
    action: str
    status: str
    actor: str
    title: str | Promise
    description: str | Promise
    fields: Mapping[str, Kind]


VERIFICATION, PAYMENT, WALLET, REFUND = "verification", "payment", "wallet", "refund"
LOGIN, SETTINGS, API_KEY, SECURITY = "login", "settings", "api_key", "security"
ACTIVITY_TYPES = (VERIFICATION, PAYMENT, WALLET, REFUND, LOGIN, SETTINGS, API_KEY, SECURITY)
# What concerns money is kept for good.
FINANCIAL_TYPES = (VERIFICATION, PAYMENT, WALLET, REFUND)

CREATED, COMPLETED, FAILED, UPDATED, DELETED, CANCELLED = (
    "created", "completed", "failed", "updated", "deleted", "cancelled",
)  # fmt: skip
ACTIONS = (CREATED, COMPLETED, FAILED, UPDATED, DELETED, CANCELLED)
PENDING = "pending"
STATUSES = (COMPLETED, PENDING, FAILED)

CUSTOMER, STAFF, SYSTEM = Actor.CUSTOMER.value, Actor.STAFF.value, Actor.SYSTEM.value

VOCABULARY: dict[str, Event] = {}


def _event(
    name: str, place: str, title: str | Promise, description: str | Promise, fields: str, *, by: str = SYSTEM
) -> None:
    """`place` is "activity_type resource_type action status"; `fields` are names, with ":kind" where it isn't text."""
    declared = (part.partition(":") for part in fields.split())
    kinds = {field: Kind(kind or "text") for field, _separator, kind in declared}
    activity_type, resource_type, action, status = place.split()
    VOCABULARY[name] = Event(name, activity_type, resource_type, action, status, by, title, description, kinds)


# fmt: off
_event("verification_initiated", "verification verification created pending",
       _("Verification Started"), _("{service} number in {country} for {cost}"),
       "service country:country cost:money", by=CUSTOMER)
_event("number_purchased", "verification verification updated pending",
       _("Number Purchased"), _("{phone} for {service}"),
       "service phone:phone")
_event("verification_progress", "verification verification updated pending",
       _("Still Waiting"), _("Still waiting for the {service} code"),
       "service")
_event("verification_unclear", "verification verification updated pending",
       _("Still Getting Your Number"), _("No clear answer from the provider for {service}; we are asking again"),
       "service")
_event("verification_complete", "verification verification completed completed",
       _("SMS Code Received"), _("The {service} code arrived"),
       "service verification message_id")
_event("message_received", "verification verification completed completed",
       _("SMS Received"), _("An SMS for {service} arrived, without a code that we could read"),
       "service message_id")
_event("verification_failed", "verification verification failed failed",
       _("Verification Failed"), _("{service}: {why}. Nothing was charged"),
       "service why")
_event("verification_ended", "verification verification failed failed",
       _("Verification Ended"), _("{service}: {why}. {amount} refunded"),
       "service why amount:money")
_event("verification_cancelled", "verification verification cancelled completed",
       _("Verification Cancelled"), _("{service} cancelled. {amount} refunded. New balance: {balance}"),
       "service amount:money balance:money", by=CUSTOMER)
_event("verification_timeout", "verification verification failed failed",
       _("No Code Arrived"), _("No {service} code came in time"),
       "service")

_event("credit_deducted", "wallet transaction completed completed",
       _("Credits Deducted"), _("{amount} for {reason}. New balance: {balance}"),
       "amount:money reason:reason balance:money transaction", by=CUSTOMER)
_event("credit_added", "wallet transaction completed completed",
       _("Credits Added"), _("{amount} added. Reason: {reason}. New balance: {balance}"),
       "amount:money reason:reason balance:money transaction")
_event("low_balance", "wallet wallet updated completed",
       _("Low Balance"), _("{balance} left"),
       "balance:money")

_event("instant_refund", "refund verification completed completed",
       _("Instant Refund"), _("{amount} refunded for {service} ({reason}). New balance: {balance}"),
       "amount:money service reason:reason balance:money reference transaction")
_event("refund_initiated", "refund refund created pending",
       _("Refund Initiated"), _("{amount} for {reason}. Reference: {reference}"),
       "amount:money reason:reason reference", by=CUSTOMER)
_event("refund_processing", "refund refund updated pending",
       _("Refund Processing"), _("{amount} is being refunded. Reference: {reference}"),
       "amount:money reference")
_event("refund_completed", "refund refund completed completed",
       _("Refund Completed"), _("{amount} refunded. Reference: {reference}. New balance: {balance}"),
       "amount:money balance:money reference transaction")
_event("refund_failed", "refund refund failed failed",
       _("Refund Failed"), _("{amount} could not be refunded and is back in the wallet. Reference: {reference}"),
       "amount:money reference")
_event("refund_cancelled", "refund refund cancelled completed",
       _("Refund Cancelled"), _("{amount}. Reference: {reference}"),
       "amount:money reference", by=CUSTOMER)

_event("payment_initiated", "payment payment created pending",
       _("Payment Started"), _("{amount} to be paid. Reference: {reference}"),
       "amount:money reference", by=CUSTOMER)
_event("payment_completed", "payment payment completed completed",
       _("Payment Successful"), _("{amount} added. Reference: {reference}. New balance: {balance}"),
       "amount:money balance:money reference transaction", by=CUSTOMER)
_event("payment_failed", "payment payment failed failed",
       _("Payment Failed"), _("{amount}: {reason}. Reference: {reference}"),
       "amount:money reason:reason reference")
_event("payment_under_review", "payment payment updated pending",
       _("Payment Under Review"), _("{paid} came instead of {amount}. Reference: {reference}"),
       "amount:money paid reference")
_event("payment_expired", "payment payment cancelled failed",
       _("Payment Expired"), _("{amount} was not paid in time. Reference: {reference}"),
       "amount:money reference")
_event("payment_disputed", "payment payment updated pending",
       _("Payment Disputed"), _("{amount} is disputed by the bank. Reference: {reference}. New balance: {balance}"),
       "amount:money balance:money reference transaction")
_event("payment_dispute_closed", "payment payment completed completed",
       _("Dispute Closed"), _("{outcome}. Reference: {reference}. Balance: {balance}"),
       "outcome balance:money reference")

_event("security_signin", "login user completed completed",
       _("Signed In"), _("{device} from {place}"),
       "device place time:time", by=CUSTOMER)
_event("signin_failed", "login user failed failed",
       _("Sign-in Failed"), _("{device} from {place}"),
       "device place time:time", by=CUSTOMER)
_event("security_settings", "security user updated completed",
       _("Security Changed"), _("{what} was changed"),
       "what", by=CUSTOMER)
_event("settings_updated", "settings user updated completed",
       _("Settings Changed"), _("{what} was changed"),
       "what", by=CUSTOMER)
_event("policy_accepted", "settings policy completed completed",
       _("Policy Accepted"), _("Acceptable-use policy of {version}"),
       "version", by=CUSTOMER)
_event("api_key_created", "api_key api_key created completed",
       _("API Key Created"), _("{name}"),
       "name", by=CUSTOMER)
_event("api_key_revoked", "api_key api_key deleted completed",
       _("API Key Revoked"), _("{name}"),
       "name", by=CUSTOMER)
_event("webhook_disabled", "settings webhook updated failed",
       _("Webhook Disabled"), _("{url} failed for five days"),
       "url")
_event("announcement", "settings announcement created completed",
       _("Announcement"), _("{title}: {text}"),
       "title text link", by=STAFF)

_event("purchases_frozen", "security user updated completed",
       _("Purchases Paused"), _("Purchases were paused. Reason: {reason}"),
       "reason:reason", by=STAFF)
_event("purchases_unfrozen", "security user updated completed",
       _("Purchases Resumed"), _("Purchases were resumed. Reason: {reason}"),
       "reason:reason", by=STAFF)
_event("code_viewed", "security verification updated completed",
       _("Code Viewed By Support"), _("Support looked at the {service} code. Reason: {reason}"),
       "service reason:reason", by=STAFF)
_event("notification_resent", "settings notification updated completed",
       _("Notification Sent Again"), _("{title}. Reason: {reason}"),
       "title reason:reason", by=STAFF)
# fmt: on

# Each type of journal row is told by exactly one event: (where money came, where money went).
OF_TRANSACTION: dict[str, tuple[str, str]] = {
    TransactionType.CREDIT: ("payment_completed", "payment_completed"),
    TransactionType.BONUS: ("credit_added", "credit_added"),
    TransactionType.DEBIT: ("credit_deducted", "credit_deducted"),
    TransactionType.SMS_PURCHASE: ("credit_deducted", "credit_deducted"),
    TransactionType.VERIFICATION_REFUND: ("instant_refund", "instant_refund"),
    TransactionType.PAYMENT_REFUND: ("refund_completed", "refund_completed"),
    TransactionType.CHARGEBACK: ("payment_disputed", "payment_disputed"),
    TransactionType.ADJUSTMENT: ("credit_added", "credit_deducted"),
}
