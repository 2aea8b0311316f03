"""What endpoints share: money fields and lists."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Model, Q, QuerySet
from django.http import Http404, QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from drf_spectacular.utils import extend_schema_field
from rest_framework import exceptions, serializers
from rest_framework.fields import empty
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import JSONParser
from rest_framework.request import Request
from rest_framework.settings import api_settings

from config.lib import money
from config.lib.errors import field_messages
from config.lib.errors.framework import TooLarge

_DIGITS = re.compile(r"-?[0-9]{1,30}")


def _money(pattern: str, example: str) -> dict[str, str]:
    return {"type": "string", "pattern": f"^{pattern}$", "example": example}


@extend_schema_field(_money(r"-?\d{1,17}\.\d{2}", "-2.50"))
class MoneyField(serializers.Field):
    """Cents inside, a string with two places outside ("-2.50")."""

    pattern = r"-?[0-9]{1,17}\.[0-9]{2}"

    def to_representation(self, value: int) -> str:
        return money.to_text(value)

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, str) or not re.fullmatch(self.pattern, data):
            raise serializers.ValidationError(_('Send the amount as a string with two places, such as "20.00".'))
        return money.to_cents(data)


@extend_schema_field(_money(r"([1-9][0-9]{0,16}\.[0-9]{2}|0\.[0-9][1-9]|0\.[1-9]0)", "2.50"))
class PositiveMoneyField(MoneyField):
    """More than nothing."""

    def to_internal_value(self, data: Any) -> int:
        cents = super().to_internal_value(data)
        if cents <= 0 or not data[0].isdigit() or data[:2] == "00":
            raise serializers.ValidationError(_('Send an amount above "0.00".'))
        return cents


class _InputSerializer(serializers.Serializer):
    """What is sent to us; what is refused of it is refused in our field_messages."""

    default_error_messages = {"invalid": field_messages.NO_OBJECT}

    def get_fields(self) -> dict[str, serializers.Field]:
        fields: dict[str, serializers.Field] = super().get_fields()
        for field in fields.values():
            field_messages.replace_messages(field)
        return fields

    def run_validation(self, data: Any = empty) -> Any:
        """Refuse null, which is no object either, and each name that is no field: a misspelt one must not mean none."""
        if data is None:
            raise serializers.ValidationError({api_settings.NON_FIELD_ERRORS_KEY: [field_messages.NO_OBJECT]})
        if isinstance(data, Mapping):
            refuse_unknown(data, known=self.fields)
        return super().run_validation(data)


_MOST_NAMED = 20


def refuse_unknown(given: Mapping[Any, Any], *, known: Iterable[str] = ()) -> None:
    """Raise ValidationError that names each of the given fields (the first twenty) that is not known."""
    names = list(known)
    unknown = [str(name) for name in given if name not in names][:_MOST_NAMED]
    if unknown:
        sentence = (
            _("There is no such field here. There are: {names}.").format(names=", ".join(names))
            if names
            else _("There is no such field here: this call takes none.")
        )
        raise serializers.ValidationError({name[:100]: [sentence] for name in unknown})


class QuerySerializer(_InputSerializer):
    """An address's query. DRF alone would take `?status=` for a form's empty field, and so for none."""

    def __init__(self, instance: Any = None, data: Any = empty, **kwargs: Any) -> None:
        if isinstance(data, QueryDict):
            data = data.dict()
        super().__init__(instance, data, **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        """Take a whole number as digits alone: DRF would read "0.0" as one too."""
        if isinstance(data, Mapping):
            wrong = {
                name: [field_messages.NO_WHOLE_NUMBER]
                for name, field in self.fields.items()
                if isinstance(field, serializers.IntegerField)
                and isinstance(data.get(name), str)
                and not _DIGITS.fullmatch(data[name])
            }
            if wrong:
                raise serializers.ValidationError(wrong)
        return super().to_internal_value(data)


class KeyField(serializers.RegexField):
    """An idempotency key: 1 to 255 plain characters, without blanks around them."""

    PATTERN = r"^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?\Z"

    def __init__(self, **kwargs: Any) -> None:
        messages: dict[str, Any] = dict.fromkeys(
            ("invalid", "blank", "max_length"), _lazy("A key has 1 to 255 plain characters. A UUID does well.")
        )
        super().__init__(self.PATTERN, max_length=255, error_messages=messages, **kwargs)


def key_of(request: Request) -> str | None:
    """The header Idempotency-Key, None where there is none. Raises ValidationError by its name."""
    given = request.headers.get("Idempotency-Key")
    if given is None:
        return None
    try:
        return str(KeyField().run_validation(given))
    except serializers.ValidationError as error:
        raise serializers.ValidationError({"Idempotency-Key": error.detail}) from error


class PageSerializer(QuerySerializer):
    """The query of every list: `skip` (0 or more) and `limit` (1 to 100)."""

    skip = serializers.IntegerField(
        min_value=0, max_value=1_000_000, default=0, help_text="How many rows to leave out first."
    )
    limit = serializers.IntegerField(min_value=1, max_value=100, default=20, help_text="How many rows at most.")


class BodySerializer(_InputSerializer):
    """A JSON body, taken at its word: DRF alone would read 5 as "5", and "yes" as true."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            wrong = {name: _wrong_type(field, data.get(name)) for name, field in self.fields.items()}
            if errors := {name: [sentence] for name, sentence in wrong.items() if sentence}:
                raise serializers.ValidationError(errors)
        return super().to_internal_value(data)


class KeyedSerializer(BodySerializer):
    """A body that may bring the idempotency key along; its `context` has the header's as "key"."""

    idempotency_key = KeyField(
        required=False, allow_null=True, default=None, help_text="As the header Idempotency-Key: send one of them."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """In both places only when it is the same."""
        header, body = self.context.get("key"), attrs.get("idempotency_key")
        if header is None:
            return attrs
        if body not in (None, header):
            raise serializers.ValidationError(
                {"idempotency_key": [_("The header Idempotency-Key has another one. Send it in one place.")]}
            )
        return {**attrs, "idempotency_key": header}


def _wrong_type(field: serializers.Field, value: Any) -> str:
    """What is wrong about the type of a value that came as JSON, '' for nothing."""
    if value is None:
        return ""
    if isinstance(field, serializers.BooleanField):
        return "" if isinstance(value, bool) else str(field_messages.NO_BOOLEAN)
    if isinstance(field, serializers.IntegerField):
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        return "" if whole and not isinstance(value, bool) else str(field_messages.NO_WHOLE_NUMBER)
    if isinstance(field, serializers.ListField):
        if not isinstance(value, list):
            return str(field_messages.NO_LIST)
        return next((sentence for one in value if (sentence := _wrong_type(field.child, one))), "")
    if isinstance(field, serializers.MultipleChoiceField):
        return "" if isinstance(value, list) else str(field_messages.NO_LIST)
    if isinstance(field, serializers.CharField | serializers.ChoiceField | serializers.DateTimeField):
        if not isinstance(value, str):
            return _("Send a text.")
        most = getattr(field, "max_length", None)  # before it is trimmed
        return _("Send at most {most} characters.").format(most=most) if most and len(value) > most else ""
    return ""


_A_TIME = {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}]}


@extend_schema_field(_A_TIME)
class StartField(serializers.DateTimeField):
    """A time, or a day: its beginning."""

    default_error_messages = {"invalid": field_messages.A_TIME_OR_A_DAY}


_LEAST = timedelta(microseconds=1)  # as exact as our times are


@extend_schema_field(_A_TIME)
class EndField(serializers.DateTimeField):
    """The last moment of a range, or its last day. In Python: the first moment that is no longer in it."""

    default_error_messages = {"invalid": field_messages.A_TIME_OR_A_DAY}

    def to_internal_value(self, value: Any) -> datetime:
        moment: datetime = super().to_internal_value(value)
        is_day = isinstance(value, str) and len(value.strip()) == len("2026-01-31")
        try:
            return moment + (timedelta(days=1) if is_day else _LEAST)
        except OverflowError:
            return moment


class RangeSerializer(QuerySerializer):
    """`start_date` and `end_date`, times or days, both included. `end_date` in Python: the moment after the range."""

    start_date = StartField(required=False, help_text="From this time (ISO 8601) or day on.")
    end_date = EndField(required=False, help_text="Up to and with this time (ISO 8601) or day.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "start_date" in attrs and "end_date" in attrs and attrs["start_date"] >= attrs["end_date"]:
            raise serializers.ValidationError({"end_date": [_("The range must not end before it starts.")]})
        return attrs


class Negotiation(DefaultContentNegotiation):
    """What we can't render is 406 however it is asked for; DRF alone calls an unknown `?format=` 404."""

    def get_accept_list(self, request: Any) -> list[str]:
        """An empty header is none."""
        accepted: list[str] = super().get_accept_list(request)
        return accepted if any(token.strip() for token in accepted) else ["*/*"]

    def filter_renderers(self, renderers: Any, format: str) -> Any:
        try:
            return super().filter_renderers(renderers, format)
        except Http404 as error:
            raise exceptions.NotAcceptable(available_renderers=renderers) from error


class BoundedJSONParser(JSONParser):
    """JSON that nobody can hurt us with: not larger than a form may be, nor nested deeper than Python can go."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 2_621_440
        body = stream.read(most + 1)
        if len(body) > most:
            raise TooLarge(_("Send at most {most} bytes.").format(most=most))
        try:
            parsed = super().parse(io.BytesIO(body), media_type, parser_context)
            if b"\\u" in body:
                json.dumps(parsed, ensure_ascii=False).encode()
        except RecursionError as error:
            raise exceptions.ParseError(_("JSON parse error - nested too deeply")) from error
        except UnicodeEncodeError as error:  # neither the database nor our answer could carry it
            raise exceptions.ParseError(_("JSON parse error - half of a character (a lone surrogate)")) from error
        return parsed


class FormatIsAField(DefaultContentNegotiation):
    """For exports: `?format=csv` is theirs, and asks for none of DRF's renderers."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


def page(
    request: Request, queryset: QuerySet[Any] | list[Any], *, between: QuerySet[Any] | None = None, upward: bool = False
) -> tuple[int, list[Any]]:
    """(total, the rows of the page asked for). Raises ValidationError for a bad `skip` or `limit`.

    `between` is what the cursors leave of the queryset, which alone is counted; `upward` takes its last rows, those
    just above the cursor, and shows them in the list's order all the same.
    """
    query = PageSerializer(data={k: request.query_params[k] for k in ("skip", "limit") if k in request.query_params})
    query.is_valid(raise_exception=True)
    skip, limit = query.validated_data["skip"], query.validated_data["limit"]
    if isinstance(queryset, list):
        return len(queryset), queryset[skip : skip + limit]
    rows = queryset if between is None else between
    shown = list((rows.reverse() if upward else rows)[skip : skip + limit])
    return queryset.count(), shown[::-1] if upward else shown


def between(rows: QuerySet[Any], *, before: Model | None = None, after: Model | None = None) -> QuerySet[Any]:
    """What of a list by `-created_at, -pk` is older than one of its rows, and newer than another."""
    for place, comparison in ((before, "lt"), (after, "gt")):
        if place is not None:
            moment = place.created_at  # type: ignore[attr-defined]
            rows = rows.filter(**{f"created_at__{comparison}e": moment}).filter(
                Q(**{f"created_at__{comparison}": moment}) | Q(**{f"pk__{comparison}": place.pk})
            )
    return rows
