"""Refusals of this app. A refusal after the hold carries `verification_id`."""

from django.utils.translation import gettext_lazy as _

from config.lib.errors.base import DomainError, NotFound


class UnknownService(NotFound):
    code = "unknown_service"
    title = _("We don't sell numbers for this service. Choose one from the list of services.")


class ServiceBlocked(DomainError):
    code = "service_blocked"
    status = 403
    title = _("Numbers for this service can't be bought here, by our acceptable-use policy. Choose another service.")


class OverLimit(DomainError):
    code = "over_limit"
    status = 429
    title = _("You have reached a limit. Wait a little and try again.")


class PriceMoved(DomainError):
    code = "price_moved"
    status = 409
    title = _("The price has changed. Check the new price, and buy again to accept it.")


class BelowCost(DomainError):
    """For staff, who may confirm it."""

    code = "validation_error"
    title = _("The fixed price is below what the number costs us.")


class OutOfStock(DomainError):
    code = "out_of_stock"
    status = 409
    title = _("No number is available for this service right now. Nothing was charged. Try again in a few minutes.")


class ProviderUnavailable(DomainError):
    code = "provider_unavailable"
    status = 503
    title = _("Our number provider can't be reached right now. Nothing was charged. Try again in a minute.")


class KeyReused(DomainError):
    code = "key_reused"
    status = 422
    title = _("This idempotency key was used for another request. Send a new key with a new request.")


class InProgress(DomainError):
    code = "in_progress"
    status = 409
    title = _("The first request with this key is still being answered. Ask again with the same key in a moment.")


class TooEarly(DomainError):
    code = "too_early"
    status = 409
    title = _("This number can't be cancelled yet. Try again in a moment.")


class AlreadyEnded(DomainError):
    code = "already_ended"
    status = 409
    title = _("This verification has already ended.")


class BadWebhook(DomainError):
    code = "bad_webhook"
    status = 400
    title = _("This webhook could not be read. Send it as documented, with a JSON body.")


class BadSignature(DomainError):
    code = "bad_signature"
    status = 401
    title = _("This webhook is not signed by the provider. Check the shared secret.")
