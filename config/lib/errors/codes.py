"""The error codes of problem documents: what each is called, and what its reader does.

The one source of the titles that are sent, of the examples in the API's description, and of the lists on its front
page and on /help; docs/api.md has the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

DATABASE_IS_BACK_IN = 5  # seconds: a restart, or a switch to the standby
_ID = "0b6c7f7e-3c5e-4a53-9a55-0d8f3a0f2d11"


@dataclass(frozen=True)
class Refusal:
    """One error code: its status, its title (the same each time), an example of its sentence and of further members,
    and what its reader does, code in backticks."""

    status: int
    title: str | Promise
    detail: str | Promise
    remedy: str | Promise
    more: tuple[tuple[str, Any], ...] = ()


REFUSALS: dict[str, Refusal] = {
    "validation_error": Refusal(
        400,
        _("Invalid request"),
        "limit: Ensure this value is less than or equal to 100.",
        _("Fix the fields listed in `errors`."),
        (("errors", {"limit": ["Ensure this value is less than or equal to 100."]}),),
    ),
    "bad_webhook": Refusal(
        400,
        _("The webhook was refused"),
        "This webhook could not be read. Send it as documented, with a JSON body.",
        _("For payment gateways and number providers: sign the raw body with the shared secret, and send it as JSON."),
    ),
    "not_authenticated": Refusal(
        401,
        _("Not signed in"),
        _("Send an API key as Authorization: Bearer KEY, or sign in."),
        _("Send `Authorization: Bearer KEY` with a key that isn't revoked or expired."),
    ),
    "bad_signature": Refusal(
        401,
        _("The webhook's signature is wrong"),
        "This webhook is not signed by the provider. Check the shared secret.",
        _("For number providers: sign the raw body with the shared secret."),
    ),
    "insufficient_funds": Refusal(
        402,
        _("Not enough money"),
        "You have $1.00 available, and this costs $12.50. Top up $11.50 or more.",
        _("Top up. Nothing was set aside or charged."),
        (("available", "1.00"), ("required", "12.50")),
    ),
    "forbidden": Refusal(
        403,
        _("Not allowed"),
        "This API key lacks the scope 'buy'.",
        _("Use a key with the scope named in `detail`."),
    ),
    "reauthentication_required": Refusal(
        403,
        _("Confirm who you are"),
        "Confirm your password first: create the key in Settings, API keys, or call with a key that may manage.",
        _("Confirm your password at `/account/reauthenticate/`, or call with a key."),
    ),
    "policy_not_accepted": Refusal(
        403,
        _("The acceptable-use policy is not accepted yet"),
        "Accept the acceptable-use policy before your first purchase: by one click on the buy page, "
        "or by POST /api/policy.",
        _("Send `POST /api/policy` with the version you have read."),
    ),
    "service_blocked": Refusal(
        403,
        _("This service is not sold"),
        "Numbers for this service can't be bought here, by our acceptable-use policy. Choose another service.",
        _("Choose another service."),
    ),
    "purchases_frozen": Refusal(
        403,
        _("Purchases are paused"),
        "Purchases are paused on your account. Contact support to have them resumed.",
        _("Write to support."),
    ),
    "not_found": Refusal(
        404,
        _("Not found"),
        "You have no such verification.",
        _("Check the ID. Items of other accounts also answer 404."),
    ),
    "unknown_service": Refusal(
        404,
        _("Unknown service"),
        "We don't sell numbers for this service. Choose one from the list of services.",
        _("Choose one from `GET /api/v1/services`."),
    ),
    "method_not_allowed": Refusal(
        405,
        _("Method not allowed"),
        'Method "PUT" not allowed.',
        _("Use one of the methods in the `Allow` header."),
    ),
    "not_acceptable": Refusal(
        406,
        _("Not acceptable"),
        "The answer comes as application/json. Accept that.",
        _("Accept `application/json`."),
    ),
    "price_moved": Refusal(
        409,
        _("The price has changed"),
        "The price is $2.70 now, above your limit of $2.50. Raise max_price if it suits you.",
        _("Check the new price; raise `max_price` to accept it."),
        (("price", "2.70"),),
    ),
    "out_of_stock": Refusal(
        409,
        _("No number is available"),
        "No number is available for this service right now. Nothing was charged. Try again in a few minutes.",
        _("Try again in a few minutes with a new `Idempotency-Key`, or without `area_code`."),
        (("verification_id", _ID),),
    ),
    "too_early": Refusal(
        409,
        _("Too early to cancel this number"),
        "This number can be given back in 12 seconds. Try again then.",
        _("Wait `retry_after` seconds, then try again."),
        (("retry_after", 12),),
    ),
    "already_ended": Refusal(
        409,
        _("This verification has already ended"),
        "An SMS has arrived already, so this number can't be cancelled.",
        _("Read the verification: it has its code or its refund."),
    ),
    "in_progress": Refusal(
        409,
        _("The first request is still being answered"),
        "The first request with this key is still being answered. Ask again with the same key in a moment.",
        _("Wait `retry_after` seconds, then ask again with the same key."),
        (("retry_after", 8),),
    ),
    "too_large": Refusal(
        413, _("The request is too large"), "Send at most 2621440 bytes.", _("Send a smaller request.")
    ),
    "unsupported_media_type": Refusal(
        415,
        _("Unsupported media type"),
        'Unsupported media type "text/plain" in request. Send application/json.',
        _("Send `application/json`."),
    ),
    "key_reused": Refusal(
        422,
        _("The idempotency key was used for something else"),
        "This idempotency key was used for another request. Send a new key with a new request.",
        _("Send a new key with a new request."),
    ),
    "over_limit": Refusal(
        429,
        _("You have reached a limit"),
        "You can buy 100 numbers an hour, and have. Wait until the first of them is an hour old.",
        _("Wait `retry_after` seconds if it is given; otherwise wait until something of yours has ended."),
        (("retry_after", 240),),
    ),
    "throttled": Refusal(
        429,
        _("Too many calls"),
        "You call more often than you may. Try again in 12 seconds.",
        _("Wait `retry_after` seconds, then try again."),
        (("retry_after", 12),),
    ),
    "server_error": Refusal(
        500,
        _("Something went wrong on our side"),
        _("Your money is safe: anything in progress is finished or undone. Try again in a moment."),
        _("Try again in a moment with the same `Idempotency-Key`. If it goes on, contact support with `X-Request-ID`."),
    ),
    "provider_unavailable": Refusal(
        503,
        _("Numbers can't be ordered right now"),
        "Our number provider can't be reached right now. Nothing was charged. Try again in a minute.",
        _("Wait `retry_after` seconds, then try again with a new `Idempotency-Key`. Nothing was charged."),
        (("retry_after", 30), ("verification_id", _ID)),
    ),
    "gateway_unavailable": Refusal(
        503,
        _("The payment gateway can't be reached right now"),
        "The payment gateway isn't responding right now. Nothing was charged. Please try again in a minute.",
        _("Try again with the same `Idempotency-Key`: it continues the same payment."),
        (("retry_after", 30), ("reference", "pay_5f0c1d2e3a4b5c6d7e8f")),
    ),
    "workers_unavailable": Refusal(
        503,
        _("The announcement can't be sent right now"),
        "The announcement was not sent: the workers can't be reached. Try again in a minute.",
        _("For staff: send the announcement again in a minute."),
    ),
    "unavailable": Refusal(
        503,
        _("We're having trouble right now"),
        _("Our database did not respond. Anything in progress is finished; send the request again with the same key."),
        _("Wait `retry_after` seconds, then ask again with the same `Idempotency-Key`."),
        (("retry_after", DATABASE_IS_BACK_IN),),
    ),
}


def title_of(code: str, *, status: int) -> str:
    """The title of every document with the code (RFC 9457: it doesn't change from one occurrence to the next)."""
    return str(REFUSALS[code].title) if code in REFUSALS else HTTPStatus(status).phrase
