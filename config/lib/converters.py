"""Path converters."""

from django.urls import register_converter
from django.urls.converters import StringConverter


class PlainConverter(StringConverter):
    """Text without slashes and control characters, which PostgreSQL would refuse."""

    regex = r"[^/\x00-\x1f\x7f]+"


register_converter(PlainConverter, "plain")
