"""Webhooks of the gateways: each event is verified, stored once, and applied; what can't be applied is retried."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.lib import faults
from config.lib.backoff import Backoff
from config.lib.errors.base import BadWebhook, DomainError, NotFound
from config.lib.metrics import gateway_events_total
from config.lib.postgres import limits
from config.lib.remote.errors import BadPayload, BadSignature, OutcomeUnknown, RemoteError, Throttled, Unavailable
from config.lib.sweep import Rows, claim, sweep
from config.lib.unit_of_work import unit_of_work
from payments import gateways, signals
from payments.models import GatewayEvent, Payment, PaymentStatus
from payments.services.outcome import apply

log = logging.getLogger(__name__)

ATTEMPTS = 12  # about a day, all pauses together; after that staff decide
RETRIES = Backoff(base=60, longest=6 * 3600)
LATER = timedelta(days=1)
# Longer than one attempt takes: while it runs, no other worker claims the event.
LEASE = timedelta(seconds=90)
# A run of retries ends before the next one begins.
SWEEP_SECONDS, MOST = 45.0, 1000
_PASSED_ON = (Unavailable, Throttled, OutcomeUnknown)  # to the sweep, which stops asking a silent gateway


class PayloadPurged(DomainError):
    code = "already_ended"
    status = 409
    detail = gettext_lazy("The event's content is deleted already")


class Unapplied(Exception):
    """The event can't be applied now. The sentence is for staff."""


class NotHandledYet(Unapplied):
    """The event belongs to a feature that this version lacks; it is kept for the one that has it."""


def receive_webhook(*, gateway: str, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
    """Store the event and apply it. Refuse only a body that the gateway didn't sign, or that can't be read.

    A duplicate changes nothing; an event that fails is kept with its error, and retried.
    """
    try:
        data = gateways.by_name(gateway).parse_webhook(headers=headers, body=body, now=now)
    except BadSignature as error:
        _refuse(gateway, error)
        raise BadWebhook(_("The webhook's signature does not fit its body, or its time.")) from error
    except BadPayload as error:
        _refuse(gateway, error)
        raise BadWebhook(_("The webhook's body could not be read: %(why)s") % {"why": error}) from error
    event, created = GatewayEvent.objects.get_or_create(
        gateway=gateway,
        event_id=data.id,
        defaults={"type": data.type, "payload": data.payload, "received_at": now, "next_attempt_at": now},
    )
    faults.point("event.stored")
    if not created:
        _count(event, "duplicate")
    claimed = GatewayEvent.objects.filter(pk=event.pk, processed_at=None, next_attempt_at__lte=now).update(
        next_attempt_at=now + LEASE, attempts=F("attempts") + 1
    )
    if claimed:
        event.refresh_from_db()
        _attempt(event=event, now=now)


def retry_events(*, now: datetime) -> int:
    """Retry every stored event that is due; several workers share them. Return how many were tried."""

    def retry(event: GatewayEvent) -> None:
        error = _attempt(event=event, now=now)
        if error is not None and (isinstance(error, _PASSED_ON) or limits.is_lock_timeout(error)):
            raise error

    def owner(event: GatewayEvent) -> object:
        """Return whose payment the event is about, or the event itself where that isn't known."""
        try:
            data = gateways.by_name(event.gateway).read_event(event.payload or {})
        except BadPayload:
            return event.event_id
        payments = Payment.objects.filter(gateway=event.gateway, gateway_id=data.gateway_id).exclude(gateway_id="")
        return payments.values_list("user_id", flat=True).first() or event.event_id

    due = GatewayEvent.objects.filter(processed_at=None, next_attempt_at__lte=now).order_by("next_attempt_at")
    rows = Rows(retry, label="gatewayevent", owner=owner)
    return sweep(
        claim=lambda: claim(due, lambda event: {"attempts": event.attempts + 1, "next_attempt_at": now + LEASE}),
        work=rows.one_by_one,
        stop=rows.vendor_is_silent,
        seconds=SWEEP_SECONDS,
        most=MOST,
    )


def replay_event(*, event_id: int, now: datetime) -> GatewayEvent:
    """Apply one event now, whatever its state. Safe to repeat: what it says counts once.

    Raises NotFound, PayloadPurged.
    """
    claimed = GatewayEvent.objects.filter(pk=event_id, payload__isnull=False).update(
        processed_at=None, outcome="", next_attempt_at=now + LEASE, attempts=1
    )
    if not claimed and GatewayEvent.objects.filter(pk=event_id).exists():
        raise PayloadPurged(
            _("The content of this event was deleted after %(days)s days. Ask the gateway about the payment instead.")
            % {"days": settings.PURGE_EVENTS_DAYS}
        )
    if not claimed:
        raise NotFound(_("There is no such event."))
    event = GatewayEvent.objects.get(pk=event_id)
    _attempt(event=event, now=now)
    event.refresh_from_db()
    return event


def _attempt(*, event: GatewayEvent, now: datetime) -> Exception | None:
    """Apply a claimed event and record how it went. Return the error instead of raising it: redelivery can't help."""
    try:
        outcome = _apply(event=event, now=now)
        faults.point("event.applied")
    except NotHandledYet as error:
        _record_error(event, str(error), again_at=now + LATER, now=now)
        _count(event, "kept")
        return None
    except (Unapplied, RemoteError) as error:
        log.warning("Event %s is not applied: %s: %s", event.event_id, type(error).__name__, error)
        _record_error(event, f"{type(error).__name__}: {error}", again_at=_again_at(event, now), now=now)
        _count(event, "error")
        return error
    except Exception as error:
        if limits.is_lock_timeout(error):
            log.warning("Event %s waits: a row that it changes is locked", event.event_id)
        else:
            log.exception("Event %s could not be applied", event.event_id)
        _record_error(event, f"{type(error).__name__}: {error}", again_at=_again_at(event, now), now=now)
        _count(event, "error")
        return error
    GatewayEvent.objects.filter(pk=event.pk).update(processed_at=now, outcome=outcome, error="", next_attempt_at=None)
    _count(event, outcome)
    return None


def _apply(*, event: GatewayEvent, now: datetime) -> GatewayEvent.Outcome:
    """Ask the API for the state of the event's checkout, since events come late and out of order, and apply that."""
    gateway = gateways.by_name(event.gateway)
    data = gateway.read_event(event.payload or {})
    if data.kind == "ignored":
        return GatewayEvent.Outcome.IGNORED
    if data.kind == "later":
        raise NotHandledYet(f"Refunds and disputes are not handled yet; this {data.type} is kept until they are.")
    payments = Payment.objects.filter(gateway=event.gateway)
    payment = payments.filter(gateway_id=data.gateway_id).first()
    if payment is None and data.reference:  # the event was quicker than `open_checkout`, which saves the checkout's id
        payments.filter(reference=data.reference, gateway_id="").update(gateway_id=data.gateway_id)
        payment = payments.filter(gateway_id=data.gateway_id).first()
    if payment is None:
        raise Unapplied(f"No payment of ours has the checkout {data.gateway_id}.")
    if payment.status == PaymentStatus.COMPLETED:
        return GatewayEvent.Outcome.APPLIED
    state = gateway.fetch(payment.gateway_id)
    if state.status == "open":
        raise Unapplied(f"The gateway still says that nobody has paid {payment.reference}.")
    apply(payment=payment, state=state, now=now)
    return GatewayEvent.Outcome.APPLIED


@unit_of_work()
def _record_error(event: GatewayEvent, sentence: str, *, again_at: datetime | None, now: datetime) -> None:
    """Record why it failed and when it is retried. None gives it up, and staff are alerted."""
    event.error, event.next_attempt_at = sentence[:500], again_at
    event.save(update_fields=["error", "next_attempt_at"])
    if again_at is None:
        signals.gateway_event_given_up.send(sender=GatewayEvent, event=event, now=now)


def _again_at(event: GatewayEvent, now: datetime) -> datetime | None:
    if event.attempts >= ATTEMPTS:
        return None
    return now + timedelta(seconds=RETRIES.after(event.attempts))


def _count(event: GatewayEvent, outcome: str) -> None:
    gateway_events_total.labels(event.gateway, event.type, outcome).inc()


def _refuse(gateway: str, error: Exception) -> None:
    log.warning("A webhook of %s is refused: %s", gateway, error)
    gateway_events_total.labels(gateway, "unknown", "refused").inc()
