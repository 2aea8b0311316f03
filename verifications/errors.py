"""Refusals of this app. A refusal after the hold carries `verification_id`."""

from django.utils.translation import gettext_lazy as _

from config.lib.errors.base import DomainError, InvalidRequest, NotFound

_EXAMPLE_ID = "0b6c7f7e-3c5e-4a53-9a55-0d8f3a0f2d11"


class BadSignature(DomainError):
    code = "bad_signature"
    status = 401
    title = _("The webhook's signature is wrong")
    detail = _("This webhook is not signed by the provider. Check the shared secret.")
    remedy = _("For number providers: sign the raw body with the shared secret.")
    table_order = 1


class ServiceBlocked(DomainError):
    code = "service_blocked"
    status = 403
    title = _("This service is not sold")
    detail = _("Numbers for this service can't be bought here, by our acceptable-use policy. Choose another service.")
    remedy = _("Choose another service.")
    table_order = 3


class UnknownService(NotFound):
    code = "unknown_service"
    title = _("Unknown service")
    detail = _("We don't sell numbers for this service. Choose one from the list of services.")
    remedy = _("Choose one from `GET /api/v1/services`.")
    example = {}


class PriceMoved(DomainError):
    code = "price_moved"
    status = 409
    title = _("The price has changed")
    detail = _("The price has changed. Check the new price, and buy again to accept it.")
    remedy = _("Check the new price; raise `max_price` to accept it.")
    example = {
        "detail": "The price is $2.70 now, above your limit of $2.50. Raise max_price if it suits you.",
        "price": "2.70",
    }


class OutOfStock(DomainError):
    code = "out_of_stock"
    status = 409
    title = _("No number is available")
    detail = _("No number is available for this service right now. Nothing was charged. Try again in a few minutes.")
    remedy = _("Try again in a few minutes with a new `Idempotency-Key`, or without `area_code`.")
    example = {"verification_id": _EXAMPLE_ID}
    table_order = 1


class TooEarly(DomainError):
    code = "too_early"
    status = 409
    title = _("Too early to cancel this number")
    detail = _("This number can't be cancelled yet. Try again in a moment.")
    remedy = _("Wait `retry_after` seconds, then try again.")
    example = {"detail": "This number can be given back in 12 seconds. Try again then.", "retry_after": 12}
    table_order = 2


class AlreadyEnded(DomainError):
    code = "already_ended"
    status = 409
    title = _("This verification has already ended")
    detail = _("This verification has already ended.")
    remedy = _("Read the verification: it has its code or its refund.")
    example = {"detail": "An SMS has arrived already, so this number can't be cancelled."}
    table_order = 3


class InProgress(DomainError):
    code = "in_progress"
    status = 409
    title = _("The first request is still being answered")
    detail = _("The first request with this key is still being answered. Ask again with the same key in a moment.")
    remedy = _("Wait `retry_after` seconds, then ask again with the same key.")
    example = {"retry_after": 8}
    table_order = 4


class ProviderUnavailable(DomainError):
    code = "provider_unavailable"
    status = 503
    title = _("Numbers can't be ordered right now")
    detail = _("Our number provider can't be reached right now. Nothing was charged. Try again in a minute.")
    remedy = _("Wait `retry_after` seconds, then try again with a new `Idempotency-Key`. Nothing was charged.")
    example = {"retry_after": 30, "verification_id": _EXAMPLE_ID}


class BelowCost(InvalidRequest):
    """For staff, who may confirm it."""

    detail = _("The fixed price is below what the number costs us.")
