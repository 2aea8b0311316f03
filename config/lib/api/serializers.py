"""Serializers of what is sent to the API: queries and JSON bodies, whose unknown fields are refused."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.fields import empty
from rest_framework.settings import api_settings

from config.lib.api.fields import EndField, StartField
from config.lib.errors import field_messages

_DIGITS = re.compile(r"-?[0-9]{1,30}")
_FIELDS_NAMED = 20


class InputSerializer(serializers.Serializer):
    """Input, refused with our messages: see config.lib.errors.field_messages."""

    default_error_messages = {"invalid": field_messages.NO_OBJECT}

    def get_fields(self) -> dict[str, serializers.Field]:
        fields: dict[str, serializers.Field] = super().get_fields()
        for field in fields.values():
            field_messages.replace_messages(field)
        return fields

    def run_validation(self, data: Any = empty) -> Any:
        """Refuse null, and every name that is no field: a misspelt name must not be taken for a missing one."""
        if data is None:
            raise serializers.ValidationError({api_settings.NON_FIELD_ERRORS_KEY: [field_messages.NO_OBJECT]})
        if isinstance(data, Mapping):
            refuse_unknown_fields(data, known=self.fields)
        return super().run_validation(data)


def refuse_unknown_fields(given: Mapping[Any, Any], *, known: Iterable[str] = ()) -> None:
    """Raise ValidationError that names each of the given fields (the first twenty) that is not known."""
    names = list(known)
    unknown = [str(name) for name in given if name not in names][:_FIELDS_NAMED]
    if unknown:
        sentence = (
            _("There is no such field here. There are: {names}.").format(names=", ".join(names))
            if names
            else _("There is no such field here: this call takes none.")
        )
        raise serializers.ValidationError({name[:100]: [sentence] for name in unknown})


class QuerySerializer(InputSerializer):
    """A query string. REST framework alone would take `?status=` for a form's empty field, and so for none."""

    def __init__(self, instance: Any = None, data: Any = empty, **kwargs: Any) -> None:
        if isinstance(data, QueryDict):
            data = data.dict()
        super().__init__(instance, data, **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        """Take digits alone for a whole number: REST framework would take "0.0" too."""
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


class PageSerializer(QuerySerializer):
    """The query of every list: `skip` (0 or more) and `limit` (1 to 100)."""

    skip = serializers.IntegerField(
        min_value=0, max_value=1_000_000, default=0, help_text="How many rows to leave out first."
    )
    limit = serializers.IntegerField(min_value=1, max_value=100, default=20, help_text="How many rows at most.")


class RangeSerializer(QuerySerializer):
    """`start_date` and `end_date`, times or days, both included. `end_date` in Python: the moment after the range."""

    start_date = StartField(required=False, help_text="From this time (ISO 8601) or day on.")
    end_date = EndField(required=False, help_text="Up to and with this time (ISO 8601) or day.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "start_date" in attrs and "end_date" in attrs and attrs["start_date"] >= attrs["end_date"]:
            raise serializers.ValidationError({"end_date": [_("The range must not end before it starts.")]})
        return attrs


class BodySerializer(InputSerializer):
    """A JSON body with strict types. REST framework alone would read 5 as "5", and "yes" as true."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            wrong = {name: _type_message(field, data.get(name)) for name, field in self.fields.items()}
            if errors := {name: [sentence] for name, sentence in wrong.items() if sentence}:
                raise serializers.ValidationError(errors)
        return super().to_internal_value(data)


def _type_message(field: serializers.Field, value: Any) -> str:
    """Return the message about a JSON value of the wrong type, '' where its type is right."""
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
        return next((sentence for one in value if (sentence := _type_message(field.child, one))), "")
    if isinstance(field, serializers.MultipleChoiceField):
        return "" if isinstance(value, list) else str(field_messages.NO_LIST)
    if isinstance(field, serializers.CharField | serializers.ChoiceField | serializers.DateTimeField):
        if not isinstance(value, str):
            return _("Send a text.")
        most = getattr(field, "max_length", None)  # before it is trimmed
        return _("Send at most {most} characters.").format(most=most) if most and len(value) > most else ""
    return ""
