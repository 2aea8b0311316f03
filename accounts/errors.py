"""Refusals of this app."""

from django.utils.translation import gettext_lazy as _

from config.lib.errors.base import DomainError


class PolicyNotAccepted(DomainError):
    code = "policy_not_accepted"
    status = 403
    title = _(
        "Accept the acceptable-use policy before your first purchase: by one click on the buy page, "
        "or by POST /api/policy."
    )


class PurchasesFrozen(DomainError):
    code = "purchases_frozen"
    status = 403
    title = _("Purchases are paused on your account. Contact support to have them resumed.")


class SuperuserNotPaused(DomainError):
    code = "forbidden"
    status = 403
    title = _("Purchases of a superuser can't be paused. Take the superuser status away first.")


class TooManyKeys(DomainError):
    code = "over_limit"
    status = 429
    title = _("You have as many API keys as there can be. Revoke one that you no longer need.")


class NotConfirmed(DomainError):
    code = "reauthentication_required"
    status = 403
    title = _("Confirm your password first: create the key in Settings, API keys, or call with a key that may manage.")
