"""The API's messages about wrong fields, in place of those of REST framework's that leave out what would be right."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from rest_framework import serializers

NO_OBJECT = _lazy("Send a JSON object: names and values in braces.")
A_TIME = _lazy('Send a time, such as "2026-11-21T10:00:00Z".')
A_TIME_OR_A_DAY = _lazy('Send a time, such as "2026-11-21T10:00:00Z", or a day, such as "2026-11-21".')
NO_BOOLEAN = _lazy("Send true or false.")
NO_WHOLE_NUMBER = _lazy("Send a whole number.")
NO_LIST = _lazy("Send a list.")

# For each kind of field: the error, and our message. A field's own `error_messages` win.
_MESSAGES: tuple[tuple[type[serializers.Field], str, Promise], ...] = (
    (serializers.BooleanField, "invalid", NO_BOOLEAN),
    (serializers.IntegerField, "invalid", NO_WHOLE_NUMBER),
    (serializers.DateTimeField, "invalid", A_TIME),
    (serializers.ListField, "not_a_list", NO_LIST),
    (serializers.MultipleChoiceField, "not_a_list", NO_LIST),
)


def replace_messages(field: serializers.Field) -> None:
    """Put our messages in place of REST framework's defaults, in the field and in the fields of its list."""
    for kind, error, message in _MESSAGES:
        if isinstance(field, kind):
            _replace(field, error, message)
    if isinstance(field, serializers.ChoiceField):
        choices = ", ".join(str(choice) for choice in field.choices).replace("{", "{{").replace("}", "}}")
        _replace(field, "invalid_choice", _("Send one of: {choices}.").format(choices=choices))
    if isinstance(field, serializers.MultipleChoiceField):
        _replace(field, "empty", _("Send at least one of: {choices}.").format(choices=choices))
    if isinstance(field, serializers.ListField):
        replace_messages(field.child)


def _replace(field: serializers.Field, error: str, message: str | Promise) -> None:
    framework_classes = (kind for kind in type(field).__mro__ if kind.__module__.startswith("rest_framework."))
    current = field.error_messages[error]
    if any(current is vars(kind).get("default_error_messages", {}).get(error) for kind in framework_classes):
        field.error_messages[error] = message  # type: ignore[assignment]  # lazy ones are meant as well
