"""The refusals that the provider's errors mean to a customer: why, that nothing was charged, and what to try."""

from __future__ import annotations

import logging
import math

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.lib.errors.base import DomainError
from config.lib.remote import errors as remote
from verifications import errors
from verifications.providers import base

log = logging.getLogger(__name__)

# The first row that fits counts: the provider's error, our refusal, why, what to try, and the seconds to wait.
_TABLE: tuple[tuple[type[remote.RemoteError], type[DomainError], Promise, Promise, int | None], ...] = (
    (
        base.OutOfStock,
        errors.OutOfStock,
        gettext_lazy("No number is available for this service just now."),
        gettext_lazy("Try again in a few minutes."),
        None,
    ),
    (
        base.PriceMoved,
        errors.PriceMoved,
        gettext_lazy("The provider's price rose just now."),
        gettext_lazy("Look at the new price and buy again."),
        None,
    ),
    (
        remote.Throttled,
        errors.ProviderUnavailable,
        gettext_lazy("Our number provider is very busy just now."),
        gettext_lazy("Try again in a moment."),
        None,
    ),
    (
        remote.Rejected,
        errors.OutOfStock,
        gettext_lazy("The provider has no number of this kind."),
        gettext_lazy("Try another area code or service."),
        None,
    ),
    (
        base.ProviderFunds,
        errors.ProviderUnavailable,
        gettext_lazy("We can't order numbers just now; our staff knows."),
        gettext_lazy("Try again later."),
        300,
    ),
    (
        remote.RemoteError,
        errors.ProviderUnavailable,
        gettext_lazy("Our number provider can't be reached just now."),
        gettext_lazy("Try again in a minute."),
        30,
    ),
)


def why(error: remote.RemoteError) -> str:
    """Return the reason as one sentence, for the verification's own record. It does not speak of the money."""
    return str(_row(error)[2])


def refusal_of(error: remote.RemoteError) -> DomainError:
    """Return the refusal that answers the customer's request."""
    _kind, refusal, reason, advice, wait = _row(error)
    if isinstance(error, base.ProviderFunds):
        log.critical("Our balance at the provider is too low to sell: %s", error)
    if isinstance(error, remote.Throttled):
        wait = math.ceil(error.retry_after)
    extra = {} if wait is None else {"retry_after": wait}
    sentence = _("{why} Nothing was charged. {advice}").format(why=reason, advice=advice)
    return refusal(sentence, **extra)


def _row(
    error: remote.RemoteError,
) -> tuple[type[remote.RemoteError], type[DomainError], Promise, Promise, int | None]:
    return next(row for row in _TABLE if isinstance(error, row[0]))
