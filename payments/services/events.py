"""Webhooks of the gateways: verified, kept once, answered, then applied; what can't be applied stays and is retried."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.lib import faults
from config.lib.errors.base import BadWebhook, DomainError, NotFound
from config.lib.metrics import gateway_events_total
from config.lib.postgres import limits
from config.lib.remote.errors import BadPayload, BadSignature, OutcomeUnknown, RemoteError, Throttled, Unavailable
from payments import gateways, signals
from payments.gateways.base import GatewayEventData
from payments.models import GatewayEvent, Payment, PaymentStatus
from payments.services.outcome import apply
from payments.services.sweeping import sweep

log = logging.getLogger(__name__)

ATTEMPTS = 12  # about a day, all pauses together; after that staff decide
PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=6)
LATER = timedelta(days=1)
# Longer than one attempt takes: while it runs, nobody else claims the event.
LEASE = timedelta(seconds=90)


class PayloadPurged(DomainError):
    code = "already_ended"
    status = 409
    detail = gettext_lazy("The event's content is deleted already")


class Unapplied(Exception):
    """The event can't be applied now. The sentence is for staff."""


class NotHandledYet(Unapplied):
    """The event belongs to something that this version does not do; it is kept for the one that does."""


def receive_webhook(*, gateway: str, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
    """Keep the event and apply it. Only a body that the gateway didn't sign, or that can't be read, is refused.

    A duplicate changes nothing; an event that fails is kept with its error, and tried again.
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
    """Try every kept event whose turn it is again; several at once share the work. How many were tried."""
    return sweep(claim=lambda: _claim(now=now), work=lambda event: _retry(event=event, now=now), owner=_owner)


def replay_event(*, event_id: int, now: datetime) -> GatewayEvent:
    """Apply one event (again), now, whatever its state. Safe: what it says counts once.

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


@transaction.atomic
def _claim(*, now: datetime) -> GatewayEvent | None:
    due = GatewayEvent.objects.filter(processed_at=None, next_attempt_at__lte=now).order_by("next_attempt_at")
    event = due.select_for_update(skip_locked=True).first()
    if event is not None:
        event.attempts, event.next_attempt_at = event.attempts + 1, now + LEASE
        event.save(update_fields=["attempts", "next_attempt_at"])
    return event


def _owner(event: GatewayEvent) -> object:
    """Return whose payment the event is about, or the event itself where nobody knows."""
    try:
        data = gateways.by_name(event.gateway).read_event(event.payload or {})
    except BadPayload:
        return event.event_id
    payments = Payment.objects.filter(gateway=event.gateway, gateway_id=data.gateway_id).exclude(gateway_id="")
    return payments.values_list("user_id", flat=True).first() or event.event_id


def _retry(*, event: GatewayEvent, now: datetime) -> None:
    """As `_attempt`, but a silent gateway and a locked row are passed on, so that the sweep can stop asking."""
    error = _attempt(event=event, now=now)
    silent = isinstance(error, Unavailable | Throttled | OutcomeUnknown)
    if error is not None and (silent or limits.is_lock_timeout(error)):
        raise error


def _attempt(*, event: GatewayEvent, now: datetime) -> Exception | None:
    """Apply a claimed event and note how it went. Never raises: the gateway's redelivery wouldn't help."""
    try:
        outcome = _apply(event=event, now=now)
        faults.point("event.applied")
    except NotHandledYet as error:
        _note_error(event, str(error), again_at=now + LATER, now=now)
        _count(event, "kept")
        return None
    except (Unapplied, RemoteError) as error:
        log.warning("Event %s is not applied: %s: %s", event.event_id, type(error).__name__, error)
        _note_error(event, f"{type(error).__name__}: {error}", again_at=_again_at(event, now), now=now)
        _count(event, "error")
        return error
    except Exception as error:
        if limits.is_lock_timeout(error):
            log.warning("Event %s waits: a row that it changes is locked", event.event_id)
        else:
            log.exception("Event %s could not be applied", event.event_id)
        _note_error(event, f"{type(error).__name__}: {error}", again_at=_again_at(event, now), now=now)
        _count(event, "error")
        return error
    GatewayEvent.objects.filter(pk=event.pk).update(processed_at=now, outcome=outcome, error="", next_attempt_at=None)
    _count(event, outcome)
    return None


def _apply(*, event: GatewayEvent, now: datetime) -> GatewayEvent.Outcome:
    """What an event says is asked back by the API: events come late and out of order, the gateway knows how it is."""
    gateway = gateways.by_name(event.gateway)
    data = gateway.read_event(event.payload or {})
    if data.kind == "ignored":
        return GatewayEvent.Outcome.IGNORED
    if data.kind == "later":
        raise NotHandledYet(f"Refunds and disputes are not handled yet; this {data.type} is kept until they are.")
    payment = _payment(event.gateway, data)
    if payment.status == PaymentStatus.COMPLETED:
        return GatewayEvent.Outcome.APPLIED
    state = gateway.fetch(payment.gateway_id)
    if state.status == "open":
        raise Unapplied(f"The gateway still says that nobody has paid {payment.reference}.")
    apply(payment=payment, state=state, now=now)
    return GatewayEvent.Outcome.APPLIED


def _payment(gateway: str, data: GatewayEventData) -> Payment:
    """The payment of this checkout. Its event may be quicker than our note of the checkout's id."""
    found = Payment.objects.filter(gateway=gateway, gateway_id=data.gateway_id).first()
    if found is None and data.reference:
        Payment.objects.filter(gateway=gateway, reference=data.reference, gateway_id="").update(
            gateway_id=data.gateway_id
        )
        found = Payment.objects.filter(gateway=gateway, gateway_id=data.gateway_id).first()
    if found is None:
        raise Unapplied(f"No payment of ours has the checkout {data.gateway_id}.")
    return found


@transaction.atomic
def _note_error(event: GatewayEvent, sentence: str, *, again_at: datetime | None, now: datetime) -> None:
    """Keep why it failed and when its next turn is. None gives it up, which staff are alerted to."""
    event.error, event.next_attempt_at = sentence[:500], again_at
    event.save(update_fields=["error", "next_attempt_at"])
    if again_at is None:
        signals.gateway_event_given_up.send(sender=GatewayEvent, event=event, now=now)


def _again_at(event: GatewayEvent, now: datetime) -> datetime | None:
    if event.attempts >= ATTEMPTS:
        return None
    return now + min(PAUSE * 2 ** (event.attempts - 1), LONGEST_PAUSE)


def _count(event: GatewayEvent, outcome: str) -> None:
    gateway_events_total.labels(event.gateway, event.type, outcome).inc()


def _refuse(gateway: str, error: Exception) -> None:
    log.warning("A webhook of %s is refused: %s", gateway, error)
    gateway_events_total.labels(gateway, "unknown", "refused").inc()
