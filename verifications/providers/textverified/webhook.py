"""TextVerified's webhooks: signed over the raw body, without a time, so the receiver deduplicates by key."""

from __future__ import annotations

import json
from collections.abc import Mapping

from config.lib.remote.errors import BadPayload, BadSignature
from config.lib.secrets.signing import matches_base64
from verifications.providers.base import IncomingText
from verifications.providers.textverified import mapping

SMS_RECEIVED = "v2.sms.received"
_HEADER = "x-webhook-signature"
_PREFIX = "HMAC-SHA512="


def parse(*, headers: Mapping[str, str], body: bytes, secret: str) -> IncomingText | None:
    """Return the message of a webhook, None for events that concern no message. Raises BadSignature, BadPayload."""
    given = next((value for name, value in headers.items() if name.lower() == _HEADER), "")
    if not given.startswith(_PREFIX) or not matches_base64(secret, body, given.removeprefix(_PREFIX)):
        raise BadSignature("textverified")
    try:
        with mapping.parsing("webhook"):
            event = mapping.normalise_names(json.loads(body))
            if event["event"].casefold() != SMS_RECEIVED:
                return None
            # The vendor's text calls it an object in one place and a JSON text in another.
            inner = event["data"]
            data = mapping.normalise_names(json.loads(inner) if isinstance(inner, str) else inner)
            if not data.get("reservationId"):
                return None
            key = event.get("idempotencyKey") or event["id"]
            if not isinstance(key, str):
                raise mapping.Unreadable
            return IncomingText(
                provider_id=mapping.parse_id(data["reservationId"]), key=key[:255], message=mapping.parse_text(data)
            )
    except (mapping.Unreadable, RecursionError):
        raise BadPayload("textverified") from None
