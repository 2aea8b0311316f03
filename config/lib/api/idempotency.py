"""The idempotency key of a call: the header Idempotency-Key, or the body's field of that name."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from config.lib.api.serializers import BodySerializer
from config.lib.idempotency import IdempotentResult


class IdempotencyKeyField(serializers.RegexField):
    """An idempotency key: 1 to 255 plain characters, without blanks around them."""

    PATTERN = r"^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?\Z"

    def __init__(self, **kwargs: Any) -> None:
        messages: dict[str, Any] = dict.fromkeys(
            ("invalid", "blank", "max_length"), _lazy("A key has 1 to 255 plain characters. A UUID does well.")
        )
        super().__init__(self.PATTERN, max_length=255, error_messages=messages, **kwargs)


def idempotency_key_of(request: Request) -> str | None:
    """Return the header Idempotency-Key, None where there is none. Raises ValidationError under the header's name."""
    given = request.headers.get("Idempotency-Key")
    if given is None:
        return None
    try:
        return str(IdempotencyKeyField().run_validation(given))
    except serializers.ValidationError as error:
        raise serializers.ValidationError({"Idempotency-Key": error.detail}) from error


class IdempotentSerializer(BodySerializer):
    """A body that may hold the idempotency key; `context["key"]` is the header's."""

    idempotency_key = IdempotencyKeyField(
        required=False, allow_null=True, default=None, help_text="As the header Idempotency-Key: send one of them."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse two different keys."""
        header, body = self.context.get("key"), attrs.get("idempotency_key")
        if header is None:
            return attrs
        if body not in (None, header):
            raise serializers.ValidationError(
                {"idempotency_key": [_("The header Idempotency-Key has another one. Send it in one place.")]}
            )
        return {**attrs, "idempotency_key": header}


def created_response(result: IdempotentResult, data: Any) -> Response:
    """Return 201 with what was created, or 200 and `Idempotent-Replayed` with what the same key created before."""
    if result.replayed:
        return Response(data, status=200, headers={"Idempotent-Replayed": "true"})
    return Response(data, status=201)
