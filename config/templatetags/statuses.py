"""What a status shows on pages: label, colour and icon, from one table.

`{% status_pill row %}`, `{% status_note row %}`, `{{ row|state }}`, `{{ verification|progress_steps }}`, and the tiles
of the activity's and the wallet's rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import template
from django.utils.functional import Promise
from django.utils.translation import gettext as gettext_now
from django.utils.translation import gettext_lazy as _

from config.lib import money

register = template.Library()


@dataclass(frozen=True)
class Shown:
    """`colour` is one of good, info, warn and bad; `note` is the sentence on the object's own page.

    `in_list` and `on_start_page` are the labels there, and `note_colour` that of the note, where they differ.
    `is_live`: the pill pulsates.
    """

    label: str | Promise
    colour: str = ""
    icon: str = ""
    note: str | Promise = ""
    in_list: str | Promise = ""
    on_start_page: str | Promise = ""
    note_colour: str = ""
    is_live: bool = False


# By model and state. A state is the status, but for those that `state` adds.
SHOWN: Mapping[str, Mapping[str, Shown]] = {
    "verification": {
        "requested": Shown(_("Getting a number"), "info", in_list=_("Requested"), is_live=True),
        "waiting": Shown(_("Waiting for the code"), "info", in_list=_("Waiting"), is_live=True),
        "cancelling": Shown(_("Cancelling"), "info", is_live=True),
        "completed": Shown(_("Completed"), "good", on_start_page=_("Code received")),
        "timed_out": Shown(_("No code arrived"), "warn"),
        "cancelled": Shown(_("Cancelled")),
        "failed": Shown(_("Failed"), "bad"),
    },
    "payment": {
        "initiated": Shown(
            _("Not paid yet"),
            "info",
            "info",
            _("Not paid yet. Once you pay, the money is added to your wallet and this page updates."),
        ),
        "unreachable": Shown(
            _("Not paid yet"),
            "info",
            "info",
            _(
                "We can't reach our payment partner right now. If you have paid, your money is safe: we keep checking"
                " and add it to your wallet."
            ),
        ),
        "under_review": Shown(
            _("Under review"),
            "warn",
            "warn",
            _(
                "We received a different amount than expected, so nothing has been credited yet. Our support team is"
                " looking into it. Please don't pay again."
            ),
        ),
        "completed": Shown(_("Completed"), "good", "check", _("{amount} is in your wallet.")),
        "expired": Shown(_("Expired"), "warn", "warn", _("This payment expired. Nothing was charged.")),
        "failed": Shown(_("Failed"), "bad", "warn", _("{why} Nothing was charged.")),
    },
    "refund": {
        "initiated": Shown(_("Initiated"), "info", "info", _("This refund is being processed.")),
        "processing": Shown(_("Processing"), "", "info", _("This refund is being processed.")),
        "completed": Shown(_("Completed"), "good", "check", _("{amount} is back in your wallet.")),
        "failed": Shown(_("Failed"), "bad", "warn", _("This refund failed. Contact support and name its reference.")),
        "cancelled": Shown(_("Cancelled"), "", "warn", _("This refund was cancelled."), note_colour="warn"),
    },
}


@register.filter
def state(row: Any) -> str:
    """Return the name of a row's state in the table: its status, "cancelling" or "under_review"."""
    if getattr(row, "is_cancelling", False):
        return "cancelling"
    if getattr(row, "mismatch", None) and row.status != "completed":
        return "under_review"
    return str(row.status)


@register.inclusion_tag("partials/status_pill.html")
def status_pill(row: Any, place: str = "") -> dict[str, Any]:
    """Show the status as a pill. `place`: "list" or "start page", which have some labels of their own."""
    shown = SHOWN[row._meta.model_name][state(row)]
    label = {"list": shown.in_list, "start page": shown.on_start_page or shown.in_list}.get(place) or shown.label
    return {"shown": shown, "label": label, "status": row.status}


@register.inclusion_tag("partials/status_note.html")
def status_note(row: Any, *, is_unreachable: bool = False) -> dict[str, Any]:
    """Show what the status of a payment or a refund means. `is_unreachable`: its gateway did not answer just now."""
    name = state(row)
    shown = SHOWN[row._meta.model_name]["unreachable" if name == "initiated" and is_unreachable else name]
    why = getattr(row, "failure_reason", "") or gettext_now("The payment failed.")
    text = str(shown.note).format(amount=money.display(row.amount), why=why)
    return {"colour": shown.note_colour or shown.colour, "icon": shown.icon, "text": text}


@dataclass(frozen=True)
class Step:
    """`css` is is-done, is-now, is-off or "" (still to come)."""

    label: str | Promise
    css: str = ""


# Of the steps of a verification. The last one's label is None where it depends on whether it was charged.
_NUMBER, _WAITING, _CODE = Step(_("Number ready"), "is-done"), _("Waiting for the code"), _("Your code")
_NO_MESSAGE = _("No message")
STEPS: Mapping[str, tuple[Step, Step, Step | None]] = {
    "requested": (Step(_("Getting a number"), "is-now"), Step(_WAITING), Step(_CODE)),
    "cancelling without a number": (Step(_("Cancelling"), "is-now"), Step(_NO_MESSAGE), None),
    "waiting": (_NUMBER, Step(_WAITING, "is-now"), Step(_CODE)),
    "cancelling": (_NUMBER, Step(_("Returning the number"), "is-now"), None),
    "completed": (_NUMBER, Step(_("Message received"), "is-done"), Step(_CODE, "is-done")),
    "ended": (_NUMBER, Step(_NO_MESSAGE, "is-off"), None),
    "ended without a number": (Step(_("No number"), "is-off"), Step(_NO_MESSAGE, "is-off"), None),
}


@register.filter
def progress_steps(verification: Any) -> list[Step]:
    """Return the three steps on a verification's page."""
    name = state(verification)
    if name in ("timed_out", "cancelled", "failed"):
        name = "ended"
    if name in ("cancelling", "ended") and not verification.phone_number:
        name += " without a number"
    number, message, end = STEPS[name]
    if end is None and verification.is_open:
        end = Step(_("Refund") if verification.charged else _("Not charged"))
    elif end is None:
        end = Step(_("Refunded") if verification.charged else _("Not charged"), "is-done")
    return [number, message, end]


# What the money of a verification did, by the transaction's type and, for refunds, how the verification ended.
TRAIL: Mapping[str, Mapping[str, str | Promise]] = {
    "sms_purchase": {"": _("Charged when you got the number")},
    "verification_refund": {
        "cancelled": _("Refunded because you cancelled"),
        "failed": _("Refunded because the provider ended it"),
        "": _("Refunded because no code arrived"),
    },
}


@register.filter
def trail_label(row: Any, verification: Any) -> str | Promise:
    """Return what a transaction of a verification is called on its page."""
    labels = TRAIL.get(row.type)
    return (labels.get(verification.status) or labels[""]) if labels else row.description


# The icons of an event by its type, and of a transaction by its.
ACTIVITY_ICONS = {
    "verification": "phone",
    "payment": "card",
    "wallet": "wallet",
    "refund": "refund",
    "login": "user",
    "api_key": "key",
    "security": "shield",
}
TRANSACTION_ICONS = {
    "sms_purchase": "phone",
    "verification_refund": "refund",
    "payment_refund": "refund",
    "credit": "card",
}


@register.inclusion_tag("partials/icon_tile.html")
def activity_tile(row: Any) -> dict[str, str]:
    """Show an event as a tile with an icon."""
    is_good = row.activity_type == "refund" or row.event in ("verification_complete", "payment_completed")
    icon = "message" if row.event == "verification_complete" else ACTIVITY_ICONS.get(row.activity_type, "settings")
    return {"icon": icon, "colour": "4" if row.status == "failed" else "1" if is_good else ""}


@register.inclusion_tag("partials/icon_tile.html")
def transaction_tile(row: Any) -> dict[str, str]:
    """Show a transaction of the wallet as a tile with an icon."""
    icon = TRANSACTION_ICONS.get(row.type) or ("plus" if row.amount > 0 else "wallet")
    return {"icon": icon, "colour": "1" if row.amount > 0 else ""}


@register.inclusion_tag("partials/icon_tile.html")
def status_tile(row: Any, icon: str) -> dict[str, str]:
    """Show an icon on a tile, green when the row is completed."""
    return {"icon": icon, "colour": "1" if row.status == "completed" else ""}
