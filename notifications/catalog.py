"""How each event is told to its customer, one row an event. Events that stand in the feed alone have no row here.

Titles and messages are filled from the event's data when they are shown, in the reader's language and time zone.
`code` is no field of any event: it is read from the verification at that moment, so a purged one shows as dots.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from activity.models import Activity

CRITICAL, HIGH, MEDIUM, LOW = "critical", "high", "medium", "low"
PRIORITIES = (CRITICAL, HIGH, MEDIUM, LOW)
TOASTED = (CRITICAL, HIGH)

CATEGORIES: dict[str, str | Promise] = {
    "verification": _("Verifications"),
    "payment": _("Payments"),
    "refund": _("Refunds"),
    "wallet": _("Wallet"),
    "security": _("Security"),
    "account": _("Account"),
    "announcement": _("Announcements"),
}


@dataclass(frozen=True)
class Notice:
    """One row: `link` is a word of LINKS."""

    event: str
    category: str
    priority: str
    icon: str
    title: str | Promise
    message: str | Promise
    link: str


CATALOG: dict[str, Notice] = {}


def _notice(
    event: str, category: str, priority: str, icon: str, title: str | Promise, message: str | Promise, link: str
) -> None:
    CATALOG[event] = Notice(event, category, priority, icon, title, message, link)


# fmt: off
_notice("verification_initiated", "verification", HIGH, "🚀", _("Verification Started"),
        _("Getting a {service} number in {country} for {cost}"), "verification")
_notice("number_purchased", "verification", MEDIUM, "📱", _("Number Purchased"),
        _("{phone}: waiting for the code"), "verification")
_notice("credit_deducted", "wallet", CRITICAL, "💳", _("Credits Deducted"),
        _("{amount} for {reason}. New balance: {balance}"), "verification or wallet")
_notice("verification_progress", "verification", MEDIUM, "⏳", _("Still Waiting"),
        _("Still waiting for your {service} code"), "verification")
_notice("verification_unclear", "verification", MEDIUM, "🔁", _("Still Getting Your Number"),
        _("Our provider gave no clear answer for {service}, so we are asking again. "
          "You pay only once the number is yours"), "verification")
_notice("verification_complete", "verification", HIGH, "✅", _("SMS Code Received!"),
        _("Code: {code} for {service}"), "verification")
_notice("message_received", "verification", HIGH, "✉️", _("SMS Received"),
        _("Your {service} number received an SMS without a code that we could read. Read it on the number's page"),
        "verification")
_notice("verification_failed", "verification", HIGH, "⚠️", _("Verification Failed"),
        _("{why}. Your credits were not charged. Try again, or pick another service"), "buy")
_notice("verification_ended", "verification", HIGH, "⚠️", _("Verification Ended"),
        _("{service}: {why}. {amount} refunded"), "verification")
_notice("verification_cancelled", "verification", CRITICAL, "❌", _("Verification Cancelled"),
        _("{service} cancelled. {amount} refunded. New balance: {balance}"), "verification")
_notice("verification_timeout", "verification", HIGH, "⌛", _("No Code Arrived"),
        _("No {service} code came in time"), "verification")
_notice("instant_refund", "refund", CRITICAL, "💰", _("Instant Refund"),
        _("{amount} refunded for {service} ({reason}). New balance: {balance}"), "wallet")
_notice("refund_initiated", "refund", CRITICAL, "🔄", _("Refund Initiated"),
        _("{amount} for {reason}. Reference: {reference}"), "refund")
_notice("refund_processing", "refund", HIGH, "⏳", _("Refund Processing"),
        _("Your refund of {amount} is being processed"), "refund")
_notice("refund_completed", "refund", CRITICAL, "✅", _("Refund Completed"),
        _("{amount} refunded successfully! New balance: {balance}"), "refund")
_notice("refund_failed", "refund", CRITICAL, "❌", _("Refund Failed"),
        _("{amount} could not be refunded and is back in your wallet. Contact support. Reference: {reference}"),
        "refund")
_notice("refund_cancelled", "refund", HIGH, "🚫", _("Refund Cancelled"), _("Reference: {reference}"), "refund")
_notice("payment_initiated", "payment", HIGH, "🚀", _("Payment Started"),
        _("Complete the payment to add {amount}. Reference: {reference}"), "payment")
_notice("payment_completed", "payment", CRITICAL, "✅", _("Payment Successful"),
        _("{amount} added. New balance: {balance}"), "wallet")
_notice("payment_failed", "payment", CRITICAL, "❌", _("Payment Failed"),
        _("{reason}. Try again or contact support"), "payment")
_notice("payment_under_review", "payment", CRITICAL, "🔍", _("Payment Under Review"),
        _("We received {paid} instead of {amount} and are looking into it. Please don't pay again. "
          "Reference: {reference}"), "payment")
_notice("payment_expired", "payment", MEDIUM, "⌛", _("Payment Expired"),
        _("{amount} was not paid in time; nothing was charged. Reference: {reference}"), "payment")
_notice("payment_disputed", "payment", CRITICAL, "⚖️", _("Payment Disputed"),
        _("{amount} is disputed by your bank. Purchases are paused"), "payment")
_notice("payment_dispute_closed", "payment", HIGH, "⚖️", _("Dispute Closed"),
        _("{outcome}. Balance: {balance}"), "payment")
_notice("credit_added", "wallet", HIGH, "💰", _("Credits Added"),
        _("{amount} added. Reason: {reason}. New balance: {balance}"), "wallet")
_notice("low_balance", "wallet", MEDIUM, "⚠️", _("Low Balance"),
        _("{balance} left. Add credits to continue"), "top up")
_notice("security_signin", "security", MEDIUM, "🔐", _("New Sign-in"),
        _("{device} from {place} at {time}. Not you? Change your password"), "security")
_notice("security_settings", "security", HIGH, "🔐", _("Security Changed"), _("{what} was changed"), "security")
_notice("api_key_created", "security", HIGH, "🔑", _("API Key Created"), _("{name}"), "keys")
_notice("api_key_revoked", "security", HIGH, "🔑", _("API Key Revoked"), _("{name}"), "keys")
_notice("purchases_frozen", "account", HIGH, "⏸️", _("Purchases Paused"),
        _("Reason: {reason}. Contact support to have them resumed"), "buy")
_notice("purchases_unfrozen", "account", HIGH, "▶️", _("Purchases Resumed"),
        _("You can buy numbers again. Reason: {reason}"), "buy")
_notice("webhook_disabled", "account", HIGH, "🪝", _("Webhook Disabled"), _("{url} failed for five days"), "webhooks")
_notice("announcement", "announcement", MEDIUM, "📣", _("{title}"), _("{text}"), "{link}")
# fmt: on

# What a template may have in braces beside the event's own fields: read when shown.
READ_WHEN_SHOWN = {"verification_complete": frozenset({"code"})}

REFUND_EVENTS = frozenset(name for name, notice in CATALOG.items() if notice.category == "refund")


def _verification(activity: Activity) -> str:
    known = activity.resource_type == "verification" and activity.resource_id
    return f"/verify/{quote(activity.resource_id)}" if known else "/wallet"


def _payment(activity: Activity) -> str:
    known = activity.resource_type == "payment" and activity.resource_id
    return f"/payments/{quote(activity.resource_id)}" if known else "/wallet"


def _refund(activity: Activity) -> str:
    known = activity.resource_type == "refund" and activity.resource_id
    return f"/refunds/{quote(activity.resource_id)}" if known else "/refunds"


# Pages of the product's contract.
LINKS: Mapping[str, Callable[[Activity], str]] = {
    "verification": _verification,
    "verification or wallet": _verification,
    "payment": _payment,
    "wallet": lambda _activity: "/wallet",
    "buy": lambda _activity: "/buy",
    "top up": lambda _activity: "/wallet/top-up",
    "refund": _refund,
    "security": lambda _activity: "/settings/security",
    "keys": lambda _activity: "/settings/keys",
    "webhooks": lambda _activity: "/settings/webhooks",
    "{link}": lambda activity: _safe(activity.data.get("link", "")),
}

_SAFE_LINK = re.compile(r"^(/(?![/\\])|https://)[^\s\\]*$")


def _safe(link: str) -> str:
    """A page of ours or an https address; never a script."""
    return link if _SAFE_LINK.match(link) else "/notifications"


def link_of(activity: Activity) -> str:
    """Where a click on the notification of this event leads."""
    notice = CATALOG.get(activity.event)
    return LINKS[notice.link](activity) if notice else "/activity"
