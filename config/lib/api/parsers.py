"""Parsing of the bodies that are sent to the API."""

from __future__ import annotations

import io
import json
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.parsers import JSONParser

from config.lib.errors.framework import TooLarge


class BoundedJSONParser(JSONParser):
    """JSON that is no larger than a form may be, and nested no deeper than Python can go."""

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
