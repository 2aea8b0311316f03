"""Refusals of this app."""

from django.utils.translation import gettext_lazy as _

from config.lib.errors.base import DomainError, Forbidden, OverLimit


class NotConfirmed(DomainError):
    code = "reauthentication_required"
    status = 403
    title = _("Confirm who you are")
    detail = _("Confirm your password first: create the key in Settings, API keys, or call with a key that may manage.")
    remedy = _("Confirm your password at `/account/reauthenticate/`, or call with a key.")
    table_order = 1


class PolicyNotAccepted(DomainError):
    code = "policy_not_accepted"
    status = 403
    title = _("The acceptable-use policy is not accepted yet")
    detail = _(
        "Accept the acceptable-use policy before your first purchase: by one click on the buy page, "
        "or by POST /api/policy."
    )
    remedy = _("Send `POST /api/policy` with the version you have read.")
    table_order = 2


class PurchasesFrozen(DomainError):
    code = "purchases_frozen"
    status = 403
    title = _("Purchases are paused")
    detail = _("Purchases are paused on your account. Contact support to have them resumed.")
    remedy = _("Write to support.")
    table_order = 4


class SuperuserNotPaused(Forbidden):
    detail = _("Purchases of a superuser can't be paused. Take the superuser status away first.")


class TooManyKeys(OverLimit):
    detail = _("You have as many API keys as there can be. Revoke one that you no longer need.")
