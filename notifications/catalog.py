"""How each event reads in its customer's inbox. Events that stand in the feed alone are not here.

Titles and messages are filled from the event's data when they are shown, in the reader's language and time zone.
`code` is no field of any event: it is read from the verification at that moment, so a purged one shows as dots.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from urllib.parse import quote

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from activity import events
from activity.events import Event
from activity.models import Activity

CRITICAL, HIGH, MEDIUM, LOW = "critical", "high", "medium", "low"
PRIORITIES = (CRITICAL, HIGH, MEDIUM, LOW)

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
    """How one event is shown. `link` is a key of LINKS."""

    event: Event
    _: KW_ONLY
    category: str
    priority: str
    icon: str
    title: str | Promise
    message: str | Promise
    link: str


# fmt: off
_NOTICES = (
    Notice(
        events.VERIFICATION_INITIATED, category="verification", priority=HIGH, icon="🚀", link="verification",
        title=_("Verification Started"), message=_("Getting a {service} number in {country} for {cost}"),
    ),
    Notice(
        events.NUMBER_PURCHASED, category="verification", priority=MEDIUM, icon="📱", link="verification",
        title=_("Number Purchased"), message=_("{phone}: waiting for the code"),
    ),
    Notice(
        events.CREDIT_DEDUCTED, category="wallet", priority=CRITICAL, icon="💳", link="verification or wallet",
        title=_("Credits Deducted"), message=_("{amount} for {reason}. New balance: {balance}"),
    ),
    Notice(
        events.VERIFICATION_PROGRESS, category="verification", priority=MEDIUM, icon="⏳", link="verification",
        title=_("Still Waiting"), message=_("Still waiting for your {service} code"),
    ),
    Notice(
        events.VERIFICATION_UNCLEAR, category="verification", priority=MEDIUM, icon="🔁", link="verification",
        title=_("Still Getting Your Number"),
        message=_(
            "Our provider gave no clear answer for {service}, so we are asking again. You pay only once "
            "the number is yours"
        ),
    ),
    Notice(
        events.VERIFICATION_COMPLETE, category="verification", priority=HIGH, icon="✅", link="verification",
        title=_("SMS Code Received!"), message=_("Code: {code} for {service}"),
    ),
    Notice(
        events.MESSAGE_RECEIVED, category="verification", priority=HIGH, icon="✉️", link="verification",
        title=_("SMS Received"),
        message=_(
            "Your {service} number received an SMS without a code that we could read. Read it on the "
            "number's page"
        ),
    ),
    Notice(
        events.VERIFICATION_FAILED, category="verification", priority=HIGH, icon="⚠️", link="buy",
        title=_("Verification Failed"),
        message=_("{why}. Your credits were not charged. Try again, or pick another service"),
    ),
    Notice(
        events.VERIFICATION_ENDED, category="verification", priority=HIGH, icon="⚠️", link="verification",
        title=_("Verification Ended"), message=_("{service}: {why}. {amount} refunded"),
    ),
    Notice(
        events.VERIFICATION_CANCELLED, category="verification", priority=CRITICAL, icon="❌", link="verification",
        title=_("Verification Cancelled"), message=_("{service} cancelled. {amount} refunded. New balance: {balance}"),
    ),
    Notice(
        events.VERIFICATION_TIMEOUT, category="verification", priority=HIGH, icon="⌛", link="verification",
        title=_("No Code Arrived"), message=_("No {service} code came in time"),
    ),
    Notice(
        events.INSTANT_REFUND, category="refund", priority=CRITICAL, icon="💰", link="wallet",
        title=_("Instant Refund"), message=_("{amount} refunded for {service} ({reason}). New balance: {balance}"),
    ),
    Notice(
        events.REFUND_INITIATED, category="refund", priority=CRITICAL, icon="🔄", link="refund",
        title=_("Refund Initiated"), message=_("{amount} for {reason}. Reference: {reference}"),
    ),
    Notice(
        events.REFUND_PROCESSING, category="refund", priority=HIGH, icon="⏳", link="refund",
        title=_("Refund Processing"), message=_("Your refund of {amount} is being processed"),
    ),
    Notice(
        events.REFUND_COMPLETED, category="refund", priority=CRITICAL, icon="✅", link="refund",
        title=_("Refund Completed"), message=_("{amount} refunded successfully! New balance: {balance}"),
    ),
    Notice(
        events.REFUND_FAILED, category="refund", priority=CRITICAL, icon="❌", link="refund",
        title=_("Refund Failed"),
        message=_("{amount} could not be refunded and is back in your wallet. Contact support. Reference: {reference}"),
    ),
    Notice(
        events.REFUND_CANCELLED, category="refund", priority=HIGH, icon="🚫", link="refund",
        title=_("Refund Cancelled"), message=_("Reference: {reference}"),
    ),
    Notice(
        events.PAYMENT_INITIATED, category="payment", priority=HIGH, icon="🚀", link="payment",
        title=_("Payment Started"), message=_("Complete the payment to add {amount}. Reference: {reference}"),
    ),
    Notice(
        events.PAYMENT_COMPLETED, category="payment", priority=CRITICAL, icon="✅", link="wallet",
        title=_("Payment Successful"), message=_("{amount} added. New balance: {balance}"),
    ),
    Notice(
        events.PAYMENT_FAILED, category="payment", priority=CRITICAL, icon="❌", link="payment",
        title=_("Payment Failed"), message=_("{reason}. Try again or contact support"),
    ),
    Notice(
        events.PAYMENT_UNDER_REVIEW, category="payment", priority=CRITICAL, icon="🔍", link="payment",
        title=_("Payment Under Review"),
        message=_(
            "We received {paid} instead of {amount} and are looking into it. Please don't pay again. "
            "Reference: {reference}"
        ),
    ),
    Notice(
        events.PAYMENT_EXPIRED, category="payment", priority=MEDIUM, icon="⌛", link="payment",
        title=_("Payment Expired"),
        message=_("{amount} was not paid in time; nothing was charged. Reference: {reference}"),
    ),
    Notice(
        events.PAYMENT_DISPUTED, category="payment", priority=CRITICAL, icon="⚖️", link="payment",
        title=_("Payment Disputed"), message=_("{amount} is disputed by your bank. Purchases are paused"),
    ),
    Notice(
        events.PAYMENT_DISPUTE_CLOSED, category="payment", priority=HIGH, icon="⚖️", link="payment",
        title=_("Dispute Closed"), message=_("{outcome}. Balance: {balance}"),
    ),
    Notice(
        events.CREDIT_ADDED, category="wallet", priority=HIGH, icon="💰", link="wallet",
        title=_("Credits Added"), message=_("{amount} added. Reason: {reason}. New balance: {balance}"),
    ),
    Notice(
        events.LOW_BALANCE, category="wallet", priority=MEDIUM, icon="⚠️", link="top up",
        title=_("Low Balance"), message=_("{balance} left. Add credits to continue"),
    ),
    Notice(
        events.SECURITY_SIGNIN, category="security", priority=MEDIUM, icon="🔐", link="security",
        title=_("New Sign-in"), message=_("{device} from {place} at {time}. Not you? Change your password"),
    ),
    Notice(
        events.SECURITY_SETTINGS, category="security", priority=HIGH, icon="🔐", link="security",
        title=_("Security Changed"), message=_("{what} was changed"),
    ),
    Notice(
        events.API_KEY_CREATED, category="security", priority=HIGH, icon="🔑", link="keys",
        title=_("API Key Created"), message=_("{name}"),
    ),
    Notice(
        events.API_KEY_REVOKED, category="security", priority=HIGH, icon="🔑", link="keys",
        title=_("API Key Revoked"), message=_("{name}"),
    ),
    Notice(
        events.PURCHASES_FROZEN, category="account", priority=HIGH, icon="⏸️", link="buy",
        title=_("Purchases Paused"), message=_("Reason: {reason}. Contact support to have them resumed"),
    ),
    Notice(
        events.PURCHASES_UNFROZEN, category="account", priority=HIGH, icon="▶️", link="buy",
        title=_("Purchases Resumed"), message=_("You can buy numbers again. Reason: {reason}"),
    ),
    Notice(
        events.WEBHOOK_DISABLED, category="account", priority=HIGH, icon="🪝", link="webhooks",
        title=_("Webhook Disabled"), message=_("{url} failed for five days"),
    ),
    Notice(
        events.ANNOUNCEMENT, category="announcement", priority=MEDIUM, icon="📣", link="{link}",
        title=_("{title}"), message=_("{text}"),
    ),
)
# fmt: on
CATALOG: dict[str, Notice] = {notice.event.name: notice for notice in _NOTICES}

# What a template may have in braces beside the event's own fields: read when shown.
READ_WHEN_SHOWN = {"verification_complete": frozenset({"code"})}

REFUND_EVENTS = frozenset(name for name, notice in CATALOG.items() if notice.category == "refund")


def _page_of(resource_type: str, folder: str, otherwise: str) -> Callable[[Activity], str]:
    """Return what makes the address of the event's resource, or `otherwise` where it is about something else."""

    def link(activity: Activity) -> str:
        known = activity.resource_type == resource_type and activity.resource_id
        return f"{folder}/{quote(activity.resource_id)}" if known else otherwise

    return link


# A page of ours or an https address; never a script.
_SAFE_LINK = re.compile(r"^(/(?![/\\])|https://)[^\s\\]*$")


def _announced(activity: Activity) -> str:
    link: str = activity.data.get("link", "")
    return link if _SAFE_LINK.match(link) else "/notifications"


# Pages of the product's contract.
LINKS: Mapping[str, Callable[[Activity], str]] = {
    "verification": _page_of("verification", "/verify", "/wallet"),
    "verification or wallet": _page_of("verification", "/verify", "/wallet"),
    "payment": _page_of("payment", "/payments", "/wallet"),
    "wallet": lambda _activity: "/wallet",
    "buy": lambda _activity: "/buy",
    "top up": lambda _activity: "/wallet/top-up",
    "refund": _page_of("refund", "/refunds", "/refunds"),
    "security": lambda _activity: "/settings/security",
    "keys": lambda _activity: "/settings/keys",
    "webhooks": lambda _activity: "/settings/webhooks",
    "{link}": _announced,
}


def link_of(activity: Activity) -> str:
    """Return where a click on the notification of this event leads."""
    notice = CATALOG.get(activity.event)
    return LINKS[notice.link](activity) if notice else "/activity"
