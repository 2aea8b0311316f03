"""What the provider says about a number, pushed or pulled: messages, its end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from django.db import transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac

from config.lib import faults
from verifications import errors, providers, signals
from verifications.models import Message, Status, Verification
from verifications.providers import base
from verifications.services import end
from verifications.services.moves import lock, relock

log = logging.getLogger(__name__)


def receive_webhook(*, provider: str, headers: Mapping[str, str], body: bytes) -> None:
    """A message that the provider pushes. Verified over the raw body; the same message twice is one.

    One for a number that we don't know is accepted and left: its sale may be under way, and polling brings it then.
    Raises BadSignature, BadWebhook.
    """
    try:
        incoming = providers.by_name(provider).parse_webhook(headers=headers, body=body)
    except base.BadSignature as error:
        raise errors.BadSignature from error
    except base.BadPayload as error:
        raise errors.BadWebhook from error
    if incoming is None:
        return
    known = Verification.objects.filter(provider=provider, provider_id=incoming.provider_id).first()
    if known is None:
        log.info("A message came for number %s, which no verification has", incoming.provider_id)
        return
    faults.point("message.verified")
    _receive(known, incoming.message, now=timezone.now())


@transaction.atomic
def _receive(known: Verification, text: base.Text, *, now: datetime) -> None:
    current = lock(known.pk)
    fresh = _record(current, [text])
    if not fresh:
        return
    if current.status == Status.WAITING and text.code:
        end.complete(current, now=now)
        return
    if current.status == Status.WAITING:
        # A text without a code that the provider could read: whether it ends the wait is the provider's word.
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
    """Bring our row to what the provider says. `last`: it is over anyway, so a completion without a text is none.

    `report` is called with a row that ended and whose cost the provider gives back when told so. Answers the row as it
    stands afterwards.
    """
    if number.state in ("waiting", "unknown") and not number.messages:
        return verification
    current = _apply(verification, number, now, last=last)
    ended_now = verification.status == Status.WAITING and current.status in end.REASONS
    if ended_now and current.cancelled_at_provider is None and number.can_report:
        report(current)
    return current


@transaction.atomic
def _apply(verification: Verification, number: base.Number, now: datetime, *, last: bool) -> Verification:
    current = relock(verification)
    fresh = _record(current, number.messages)
    if current.status != Status.WAITING:
        if fresh:
            signals.verification_updated.send(sender=Verification, verification=current)
        return current
    # An older text had no code, or it would have ended the wait: they count where the provider calls it completed.
    if any(message.code for message in fresh) or (number.state == "completed" and current.messages.exists()):
        end.complete(current, now=now)
    elif number.state == "completed" and last:
        end.end_without_text(current, now=now)
    elif number.state not in ("waiting", "completed", "unknown"):
        end.end_as_there(current, number, now=now)
    elif fresh:
        signals.verification_updated.send(sender=Verification, verification=current)
    return current


def _record(current: Verification, texts: Sequence[base.Text]) -> list[Message]:
    """The texts that are new, written down. Older than the sale, after a refund or the purge: not its owner's."""
    if current.status not in (Status.WAITING, Status.COMPLETED) or current.purged_at:
        return []
    # To the second: a time that the provider cut to it is no older than a sale in the same second.
    since = (current.sold_at or current.created_at).replace(microsecond=0)
    wanted = {digest(text): text for text in texts if text.received_at >= since}
    if not wanted:
        return []
    seen = set(current.messages.filter(digest__in=wanted).values_list("digest", flat=True))
    return Message.objects.bulk_create(
        Message(
            verification=current,
            digest=key,
            sender=text.sender[:40],
            text=text.text,
            code=text.code,
            received_at=text.received_at,
        )
        for key, text in wanted.items()
        if key not in seen
    )


def digest(text: base.Text) -> str:
    """Who, when and what, under a key: the push and the pull of one message are the same."""
    content = "\0".join((text.sender, text.received_at.astimezone(UTC).isoformat(), text.text))
    return salted_hmac("verifications.message", content, algorithm="sha256").hexdigest()
