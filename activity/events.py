"""The vocabulary: everything that can happen to a customer, one constant an event.

It says which fields the event's `data` has and of which kind; a missing or an undeclared one is an error. Codes and
texts of messages are in no event: they are read from the verification when they are shown.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass

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
    REASON = "reason"  # a word of wording.REASONS, else a sentence


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


@dataclass(frozen=True, eq=False)
class Event:
    """One event. `fields` are those of `data`; `resource_type` and `actor` hold where the recorder names no other."""

    name: str
    _: KW_ONLY
    activity_type: str
    resource_type: str
    action: str
    status: str
    title: str | Promise
    description: str | Promise
    fields: Mapping[str, Kind]
    actor: str = SYSTEM


# fmt: off
VERIFICATION_INITIATED = Event(
    "verification_initiated", activity_type=VERIFICATION, resource_type="verification",
    action=CREATED, status=PENDING, actor=CUSTOMER,
    title=_("Verification Started"), description=_("{service} number in {country} for {cost}"),
    fields={"service": Kind.TEXT, "country": Kind.COUNTRY, "cost": Kind.MONEY},
)
NUMBER_PURCHASED = Event(
    "number_purchased", activity_type=VERIFICATION, resource_type="verification", action=UPDATED, status=PENDING,
    title=_("Number Purchased"), description=_("{phone} for {service}"),
    fields={"service": Kind.TEXT, "phone": Kind.PHONE},
)
VERIFICATION_PROGRESS = Event(
    "verification_progress", activity_type=VERIFICATION, resource_type="verification", action=UPDATED, status=PENDING,
    title=_("Still Waiting"), description=_("Still waiting for the {service} code"), fields={"service": Kind.TEXT},
)
VERIFICATION_UNCLEAR = Event(
    "verification_unclear", activity_type=VERIFICATION, resource_type="verification", action=UPDATED, status=PENDING,
    title=_("Still Getting Your Number"),
    description=_("No clear answer from the provider for {service}; we are asking again"),
    fields={"service": Kind.TEXT},
)
VERIFICATION_COMPLETE = Event(
    "verification_complete", activity_type=VERIFICATION, resource_type="verification",
    action=COMPLETED, status=COMPLETED,
    title=_("SMS Code Received"), description=_("The {service} code arrived"),
    fields={"service": Kind.TEXT, "verification": Kind.TEXT, "message_id": Kind.TEXT},
)
MESSAGE_RECEIVED = Event(
    "message_received", activity_type=VERIFICATION, resource_type="verification", action=COMPLETED, status=COMPLETED,
    title=_("SMS Received"), description=_("An SMS for {service} arrived, without a code that we could read"),
    fields={"service": Kind.TEXT, "message_id": Kind.TEXT},
)
VERIFICATION_FAILED = Event(
    "verification_failed", activity_type=VERIFICATION, resource_type="verification", action=FAILED, status=FAILED,
    title=_("Verification Failed"), description=_("{service}: {why}. Nothing was charged"),
    fields={"service": Kind.TEXT, "why": Kind.TEXT},
)
VERIFICATION_ENDED = Event(
    "verification_ended", activity_type=VERIFICATION, resource_type="verification", action=FAILED, status=FAILED,
    title=_("Verification Ended"), description=_("{service}: {why}. {amount} refunded"),
    fields={"service": Kind.TEXT, "why": Kind.TEXT, "amount": Kind.MONEY},
)
VERIFICATION_CANCELLED = Event(
    "verification_cancelled", activity_type=VERIFICATION, resource_type="verification",
    action=CANCELLED, status=COMPLETED, actor=CUSTOMER,
    title=_("Verification Cancelled"), description=_("{service} cancelled. {amount} refunded. New balance: {balance}"),
    fields={"service": Kind.TEXT, "amount": Kind.MONEY, "balance": Kind.MONEY},
)
VERIFICATION_TIMEOUT = Event(
    "verification_timeout", activity_type=VERIFICATION, resource_type="verification", action=FAILED, status=FAILED,
    title=_("No Code Arrived"), description=_("No {service} code came in time"), fields={"service": Kind.TEXT},
)

CREDIT_DEDUCTED = Event(
    "credit_deducted", activity_type=WALLET, resource_type="transaction",
    action=COMPLETED, status=COMPLETED, actor=CUSTOMER,
    title=_("Credits Deducted"), description=_("{amount} for {reason}. New balance: {balance}"),
    fields={"amount": Kind.MONEY, "reason": Kind.REASON, "balance": Kind.MONEY, "transaction": Kind.TEXT},
)
CREDIT_ADDED = Event(
    "credit_added", activity_type=WALLET, resource_type="transaction", action=COMPLETED, status=COMPLETED,
    title=_("Credits Added"), description=_("{amount} added. Reason: {reason}. New balance: {balance}"),
    fields={"amount": Kind.MONEY, "reason": Kind.REASON, "balance": Kind.MONEY, "transaction": Kind.TEXT},
)
LOW_BALANCE = Event(
    "low_balance", activity_type=WALLET, resource_type="wallet", action=UPDATED, status=COMPLETED,
    title=_("Low Balance"), description=_("{balance} left"), fields={"balance": Kind.MONEY},
)

INSTANT_REFUND = Event(
    "instant_refund", activity_type=REFUND, resource_type="verification", action=COMPLETED, status=COMPLETED,
    title=_("Instant Refund"), description=_("{amount} refunded for {service} ({reason}). New balance: {balance}"),
    fields={
        "amount": Kind.MONEY, "service": Kind.TEXT, "reason": Kind.REASON, "balance": Kind.MONEY,
        "reference": Kind.TEXT, "transaction": Kind.TEXT,
    },
)
REFUND_INITIATED = Event(
    "refund_initiated", activity_type=REFUND, resource_type="refund", action=CREATED, status=PENDING, actor=CUSTOMER,
    title=_("Refund Initiated"), description=_("{amount} for {reason}. Reference: {reference}"),
    fields={"amount": Kind.MONEY, "reason": Kind.REASON, "reference": Kind.TEXT},
)
REFUND_PROCESSING = Event(
    "refund_processing", activity_type=REFUND, resource_type="refund", action=UPDATED, status=PENDING,
    title=_("Refund Processing"), description=_("{amount} is being refunded. Reference: {reference}"),
    fields={"amount": Kind.MONEY, "reference": Kind.TEXT},
)
REFUND_COMPLETED = Event(
    "refund_completed", activity_type=REFUND, resource_type="refund", action=COMPLETED, status=COMPLETED,
    title=_("Refund Completed"), description=_("{amount} refunded. Reference: {reference}. New balance: {balance}"),
    fields={"amount": Kind.MONEY, "balance": Kind.MONEY, "reference": Kind.TEXT, "transaction": Kind.TEXT},
)
REFUND_FAILED = Event(
    "refund_failed", activity_type=REFUND, resource_type="refund", action=FAILED, status=FAILED,
    title=_("Refund Failed"),
    description=_("{amount} could not be refunded and is back in the wallet. Reference: {reference}"),
    fields={"amount": Kind.MONEY, "reference": Kind.TEXT},
)
REFUND_CANCELLED = Event(
    "refund_cancelled", activity_type=REFUND, resource_type="refund",
    action=CANCELLED, status=COMPLETED, actor=CUSTOMER,
    title=_("Refund Cancelled"), description=_("{amount}. Reference: {reference}"),
    fields={"amount": Kind.MONEY, "reference": Kind.TEXT},
)

PAYMENT_INITIATED = Event(
    "payment_initiated", activity_type=PAYMENT, resource_type="payment", action=CREATED, status=PENDING, actor=CUSTOMER,
    title=_("Payment Started"), description=_("{amount} to be paid. Reference: {reference}"),
    fields={"amount": Kind.MONEY, "reference": Kind.TEXT},
)
PAYMENT_COMPLETED = Event(
    "payment_completed", activity_type=PAYMENT, resource_type="payment",
    action=COMPLETED, status=COMPLETED, actor=CUSTOMER,
    title=_("Payment Successful"), description=_("{amount} added. Reference: {reference}. New balance: {balance}"),
    fields={"amount": Kind.MONEY, "balance": Kind.MONEY, "reference": Kind.TEXT, "transaction": Kind.TEXT},
)
PAYMENT_FAILED = Event(
    "payment_failed", activity_type=PAYMENT, resource_type="payment", action=FAILED, status=FAILED,
    title=_("Payment Failed"), description=_("{amount}: {reason}. Reference: {reference}"),
    fields={"amount": Kind.MONEY, "reason": Kind.REASON, "reference": Kind.TEXT},
)
PAYMENT_UNDER_REVIEW = Event(
    "payment_under_review", activity_type=PAYMENT, resource_type="payment", action=UPDATED, status=PENDING,
    title=_("Payment Under Review"), description=_("{paid} came instead of {amount}. Reference: {reference}"),
    fields={"amount": Kind.MONEY, "paid": Kind.TEXT, "reference": Kind.TEXT},
)
PAYMENT_EXPIRED = Event(
    "payment_expired", activity_type=PAYMENT, resource_type="payment", action=CANCELLED, status=FAILED,
    title=_("Payment Expired"), description=_("{amount} was not paid in time. Reference: {reference}"),
    fields={"amount": Kind.MONEY, "reference": Kind.TEXT},
)
PAYMENT_DISPUTED = Event(
    "payment_disputed", activity_type=PAYMENT, resource_type="payment", action=UPDATED, status=PENDING,
    title=_("Payment Disputed"),
    description=_("{amount} is disputed by the bank. Reference: {reference}. New balance: {balance}"),
    fields={"amount": Kind.MONEY, "balance": Kind.MONEY, "reference": Kind.TEXT, "transaction": Kind.TEXT},
)
PAYMENT_DISPUTE_CLOSED = Event(
    "payment_dispute_closed", activity_type=PAYMENT, resource_type="payment", action=COMPLETED, status=COMPLETED,
    title=_("Dispute Closed"), description=_("{outcome}. Reference: {reference}. Balance: {balance}"),
    fields={"outcome": Kind.TEXT, "balance": Kind.MONEY, "reference": Kind.TEXT},
)

SECURITY_SIGNIN = Event(
    "security_signin", activity_type=LOGIN, resource_type="user", action=COMPLETED, status=COMPLETED, actor=CUSTOMER,
    title=_("Signed In"), description=_("{device} from {place}"),
    fields={"device": Kind.TEXT, "place": Kind.TEXT, "time": Kind.TIME},
)
SIGNIN_FAILED = Event(
    "signin_failed", activity_type=LOGIN, resource_type="user", action=FAILED, status=FAILED, actor=CUSTOMER,
    title=_("Sign-in Failed"), description=_("{device} from {place}"),
    fields={"device": Kind.TEXT, "place": Kind.TEXT, "time": Kind.TIME},
)
SECURITY_SETTINGS = Event(
    "security_settings", activity_type=SECURITY, resource_type="user", action=UPDATED, status=COMPLETED, actor=CUSTOMER,
    title=_("Security Changed"), description=_("{what} was changed"), fields={"what": Kind.TEXT},
)
SETTINGS_UPDATED = Event(
    "settings_updated", activity_type=SETTINGS, resource_type="user", action=UPDATED, status=COMPLETED, actor=CUSTOMER,
    title=_("Settings Changed"), description=_("{what} was changed"), fields={"what": Kind.TEXT},
)
POLICY_ACCEPTED = Event(
    "policy_accepted", activity_type=SETTINGS, resource_type="policy",
    action=COMPLETED, status=COMPLETED, actor=CUSTOMER,
    title=_("Policy Accepted"), description=_("Acceptable-use policy of {version}"), fields={"version": Kind.TEXT},
)
API_KEY_CREATED = Event(
    "api_key_created", activity_type=API_KEY, resource_type="api_key", action=CREATED, status=COMPLETED, actor=CUSTOMER,
    title=_("API Key Created"), description=_("{name}"), fields={"name": Kind.TEXT},
)
API_KEY_REVOKED = Event(
    "api_key_revoked", activity_type=API_KEY, resource_type="api_key", action=DELETED, status=COMPLETED, actor=CUSTOMER,
    title=_("API Key Revoked"), description=_("{name}"), fields={"name": Kind.TEXT},
)
WEBHOOK_DISABLED = Event(
    "webhook_disabled", activity_type=SETTINGS, resource_type="webhook", action=UPDATED, status=FAILED,
    title=_("Webhook Disabled"), description=_("{url} failed for five days"), fields={"url": Kind.TEXT},
)
ANNOUNCEMENT = Event(
    "announcement", activity_type=SETTINGS, resource_type="announcement", action=CREATED, status=COMPLETED, actor=STAFF,
    title=_("Announcement"), description=_("{title}: {text}"),
    fields={"title": Kind.TEXT, "text": Kind.TEXT, "link": Kind.TEXT},
)

PURCHASES_FROZEN = Event(
    "purchases_frozen", activity_type=SECURITY, resource_type="user", action=UPDATED, status=COMPLETED, actor=STAFF,
    title=_("Purchases Paused"), description=_("Purchases were paused. Reason: {reason}"),
    fields={"reason": Kind.REASON},
)
PURCHASES_UNFROZEN = Event(
    "purchases_unfrozen", activity_type=SECURITY, resource_type="user", action=UPDATED, status=COMPLETED, actor=STAFF,
    title=_("Purchases Resumed"), description=_("Purchases were resumed. Reason: {reason}"),
    fields={"reason": Kind.REASON},
)
CODE_VIEWED = Event(
    "code_viewed", activity_type=SECURITY, resource_type="verification", action=UPDATED, status=COMPLETED, actor=STAFF,
    title=_("Code Viewed By Support"), description=_("Support looked at the {service} code. Reason: {reason}"),
    fields={"service": Kind.TEXT, "reason": Kind.REASON},
)
NOTIFICATION_RESENT = Event(
    "notification_resent", activity_type=SETTINGS, resource_type="notification",
    action=UPDATED, status=COMPLETED, actor=STAFF,
    title=_("Notification Sent Again"), description=_("{title}. Reason: {reason}"),
    fields={"title": Kind.TEXT, "reason": Kind.REASON},
)
# fmt: on

VOCABULARY: dict[str, Event] = {event.name: event for event in list(globals().values()) if isinstance(event, Event)}

# Each type of journal row has exactly one event: (where money came, where money went).
OF_TRANSACTION: dict[str, tuple[Event, Event]] = {
    TransactionType.CREDIT: (PAYMENT_COMPLETED, PAYMENT_COMPLETED),
    TransactionType.BONUS: (CREDIT_ADDED, CREDIT_ADDED),
    TransactionType.DEBIT: (CREDIT_DEDUCTED, CREDIT_DEDUCTED),
    TransactionType.SMS_PURCHASE: (CREDIT_DEDUCTED, CREDIT_DEDUCTED),
    TransactionType.VERIFICATION_REFUND: (INSTANT_REFUND, INSTANT_REFUND),
    TransactionType.PAYMENT_REFUND: (REFUND_COMPLETED, REFUND_COMPLETED),
    TransactionType.CHARGEBACK: (PAYMENT_DISPUTED, PAYMENT_DISPUTED),
    TransactionType.ADJUSTMENT: (CREDIT_ADDED, CREDIT_DEDUCTED),
}
