"""What the provider says of a number, pushed or pulled: messages, and its end."""

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
    """Keep a message that the provider pushes, verified over the raw body. Idempotent: a message is kept once.

    A message for a number that we don't know is accepted and dropped: its sale may be under way, and polling brings
    the message then. Raises BadSignature, BadWebhook.
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
    new = _record(current, [text])
    if not new:
        return
    if current.status == Status.WAITING and text.code:
        end.complete(current, now=now)
    elif current.status == Status.COMPLETED:
        _announce_further(current, new)
    else:
        # A text without a code that the provider could read: whether it ends the wait is for the provider to say.
        Verification.objects.filter(pk=current.pk).update(next_poll_at=now)
        signals.verification_updated.send(sender=Verification, verification=current)


def apply(
    *,
    verification: Verification,
    number: base.Number,
    now: datetime,
    last: bool = False,
    report: Callable[[Verification], object] = end.report,
) -> Verification:
    """Bring our row in line with the provider's number, and return it as it stands. Call outside a transaction.

    `last`: the number is past its end, so that one which completed without a text has none. `report` is called with a
    row that has ended and whose cost the provider returns once that is reported.
    """
    if number.state in ("waiting", "unknown") and not number.messages:
        return verification
    with unit_of_work():
        current = lock_and_reload(verification)
        new = _record(current, number.messages)
        if current.status != Status.WAITING:
            if new:
                _announce_further(current, new)
        # An older text had no code, or it would have ended the wait: it counts where the provider calls it completed.
        elif any(message.code for message in new) or (number.state == "completed" and current.messages.exists()):
            end.complete(current, now=now)
        elif number.state == "completed" and last:
            end.end_without_text(current, now=now)
        elif number.state not in ("waiting", "completed", "unknown"):
            end.end_as_reported(current, number, now=now)
        elif new:
            signals.verification_updated.send(sender=Verification, verification=current)
    ended_now = verification.status == Status.WAITING and current.status in end.REASONS
    if ended_now and current.settlement == Settlement.UNSETTLED and number.can_report:
        report(current)
    return current


def _announce_further(current: Verification, new: Sequence[Message]) -> None:
    """Announce each message that came after the one that completed the verification."""
    for message in new:
        signals.message_arrived.send(sender=Verification, verification=current, message=message)
    signals.verification_updated.send(sender=Verification, verification=current)


def _record(current: Verification, texts: Sequence[base.Text]) -> list[Message]:
    """Write the texts that are new, and return them. The row is locked, which orders a push and a pull.

    Texts that are older than the sale, or come after a refund or the purge, are not the owner's, and are dropped.
    """
    if current.status not in (Status.WAITING, Status.COMPLETED) or current.purged_at:
        return []
    sold_at = current.sold_at or current.created_at
    wanted = [text for text in texts if text.received_at >= sold_at.replace(**_FINER[_precision(text.received_at)])]
    if not wanted:
        return []
    known = list(current.messages.only("vendor_id", "digest", "received_at", "verification"))
    new = []
    for text in sorted(wanted, key=lambda text: text.received_at):
        same = next((message for message in known if _is_same(message, text)), None)
        if same is None:
            message = Message(
                verification=current,
                vendor_id=text.vendor_id,
                digest=digest(text),
                sender=text.sender[:40],
                text=text.text,
                code=text.code,
                received_at=text.received_at,
            )
            known.append(message)
            new.append(message)
        elif text.vendor_id and not same.vendor_id:
            same.vendor_id = text.vendor_id
            if same.pk:
                Message.objects.filter(pk=same.pk).update(vendor_id=text.vendor_id)
    return Message.objects.bulk_create(new)


def _is_same(message: Message, text: base.Text) -> bool:
    """Compare the provider's ids where both have one, else content, and time as far as the coarser of the two goes."""
    if message.vendor_id and text.vendor_id:
        return message.vendor_id == text.vendor_id
    # Until 2026-12 the digest had the time in it: messages that came before then have such a one.
    if message.digest == _hash(text.sender, text.received_at.astimezone(UTC).isoformat(), text.text):
        return True
    apart = abs((message.received_at - text.received_at).total_seconds())
    coarser = max(_precision(message.received_at), _precision(text.received_at))
    return message.digest == digest(text) and apart < coarser


# What is finer than a second, and than a minute.
_FINER: dict[int, Any] = {1: {"microsecond": 0}, 60: {"second": 0, "microsecond": 0}}


def _precision(moment: datetime) -> int:
    """Return by how many seconds a time may have been cut or rounded: the push and the pull may differ in that."""
    return 60 if moment.second == 0 and moment.microsecond == 0 else 1


def digest(text: base.Text) -> str:
    """Return the keyed hash of a text's sender and content."""
    return _hash(text.sender, text.text)


def _hash(*parts: str) -> str:
    return salted_hmac("verifications.message", "\0".join(parts), algorithm="sha256").hexdigest()
