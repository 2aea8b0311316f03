"""What the provider says about a number, pushed or pulled: messages, its end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone
from django.utils.crypto import salted_hmac

from config.lib import faults
from config.lib.errors.base import BadWebhook
from config.lib.remote import errors as remote
from config.lib.unit_of_work import unit_of_work
from verifications import errors, providers, signals
from verifications.models import Message, Settlement, Status, Verification
from verifications.providers import base
from verifications.services import end
from verifications.services.transitions import lock, lock_and_reload

log = logging.getLogger(__name__)


def receive_webhook(*, provider: str, headers: Mapping[str, str], body: bytes) -> None:
    """A message that the provider pushes. Verified over the raw body; the same message twice is one.

    One for a number that we don't know is accepted and left: its sale may be under way, and polling brings it then.
    Raises BadSignature, BadWebhook.
    """
    try:
        incoming = providers.by_name(provider).parse_webhook(headers=headers, body=body)
    except remote.BadSignature as error:
        raise errors.BadSignature from error
    except remote.BadPayload as error:
        raise BadWebhook from error
    if incoming is None:
        return
    known = Verification.objects.filter(provider=provider, provider_id=incoming.provider_id).first()
    if known is None:
        log.info("A message came for number %s, which no verification has", incoming.provider_id)
        return
    faults.point("message.verified")
    _receive(known, incoming.message, now=timezone.now())


@unit_of_work()
def _receive(known: Verification, text: base.Text, *, now: datetime) -> None:
    current = lock(known.pk)
    fresh = _record(current, [text])
    if not fresh:
        return
    if current.status == Status.WAITING and text.code:
        end.complete(current, now=now)
        return
    if current.status == Status.COMPLETED:
        _report_further(current, fresh)
    else:
        # A text without a code that the provider could read: whether it ends the wait is the provider's word.
        Verification.objects.filter(pk=current.pk).update(next_poll_at=now)
        signals.verification_updated.send(sender=Verification, verification=current)


def _report_further(current: Verification, fresh: Sequence[Message]) -> None:
    """Each SMS after the one that completed it is news of its own."""
    for message in fresh:
        signals.message_arrived.send(sender=Verification, verification=current, message=message)
    signals.verification_updated.send(sender=Verification, verification=current)


def apply(
    *,
    verification: Verification,
    number: base.Number,
    now: datetime,
    last: bool = False,
    report: Callable[[Verification], object] = end.report,
) -> Verification:
    """Bring our row to what the provider says. `last`: it is over anyway, so a completion without a text is none.

    `report` is called with a row that ended and whose cost the provider gives back when told so. Answers the row as it
    stands afterwards.
    """
    if number.state in ("waiting", "unknown") and not number.messages:
        return verification
    current = _apply(verification, number, now, last=last)
    ended_now = verification.status == Status.WAITING and current.status in end.REASONS
    if ended_now and current.settlement == Settlement.UNSETTLED and number.can_report:
        report(current)
    return current


@unit_of_work()
def _apply(verification: Verification, number: base.Number, now: datetime, *, last: bool) -> Verification:
    current = lock_and_reload(verification)
    fresh = _record(current, number.messages)
    if current.status != Status.WAITING:
        if fresh:
            _report_further(current, fresh)
        return current
    # An older text had no code, or it would have ended the wait: they count where the provider calls it completed.
    if any(message.code for message in fresh) or (number.state == "completed" and current.messages.exists()):
        end.complete(current, now=now)
    elif number.state == "completed" and last:
        end.end_without_text(current, now=now)
    elif number.state not in ("waiting", "completed", "unknown"):
        end.end_as_reported(current, number, now=now)
    elif fresh:
        signals.verification_updated.send(sender=Verification, verification=current)
    return current


def _record(current: Verification, texts: Sequence[base.Text]) -> list[Message]:
    """The texts that are new, written down. Older than the sale, after a refund or the purge: not its owner's.

    The row is locked, so a push and a pull at the same time stand in line.
    """
    if current.status not in (Status.WAITING, Status.COMPLETED) or current.purged_at:
        return []
    sold_at = current.sold_at or current.created_at
    wanted = [text for text in texts if text.received_at >= sold_at.replace(**_FINER[_precision(text.received_at)])]
    if not wanted:
        return []
    known = list(current.messages.only("vendor_id", "digest", "received_at", "verification"))
    fresh = []
    for text in sorted(wanted, key=lambda text: text.received_at):
        same = next((message for message in known if _is_same(message, text)), None)
        if same is None:
            message = _message(current, text)
            known.append(message)
            fresh.append(message)
        elif text.vendor_id and not same.vendor_id:
            same.vendor_id = text.vendor_id
            if same.pk:
                Message.objects.filter(pk=same.pk).update(vendor_id=text.vendor_id)
    return Message.objects.bulk_create(fresh)


def _message(current: Verification, text: base.Text) -> Message:
    return Message(
        verification=current,
        vendor_id=text.vendor_id,
        digest=digest(text),
        sender=text.sender[:40],
        text=text.text,
        code=text.code,
        received_at=text.received_at,
    )


def _is_same(message: Message, text: base.Text) -> bool:
    """By the provider's id where both have one, else by content, and time as far as the coarser of the two tells it."""
    if message.vendor_id and text.vendor_id:
        return message.vendor_id == text.vendor_id
    if message.digest == _digest_with_time(text):
        return True
    apart = abs((message.received_at - text.received_at).total_seconds())
    coarser = max(_precision(message.received_at), _precision(text.received_at))
    return message.digest == digest(text) and apart < coarser


# What is finer than a second, and than a minute.
_FINER: dict[int, Any] = {1: {"microsecond": 0}, 60: {"second": 0, "microsecond": 0}}


def _precision(moment: datetime) -> int:
    """How many seconds a time may have been cut or rounded by: the push and the pull may differ in that."""
    return 60 if moment.second == 0 and moment.microsecond == 0 else 1


def digest(text: base.Text) -> str:
    """Who and what, under a key."""
    return _hash(text.sender, text.text)


def _digest_with_time(text: base.Text) -> str:
    """What `digest` was until 2026-12: messages that came before then have it."""
    return _hash(text.sender, text.received_at.astimezone(UTC).isoformat(), text.text)


def _hash(*parts: str) -> str:
    return salted_hmac("verifications.message", "\0".join(parts), algorithm="sha256").hexdigest()
