"""The error codes of the product, made from the classes that document them.

The one source of the titles that are sent, of the examples in the API's description, and of the tables on its front
page and on /help; docs/api.md has the same table.
"""

from __future__ import annotations

from functools import lru_cache
from http import HTTPStatus

from django.urls import get_resolver

from config.lib.errors.base import DomainError, documented


@lru_cache
def documented_errors() -> dict[str, type[DomainError]]:
    """Return the class of each code, in the order of the tables."""
    get_resolver().url_patterns  # noqa: B018  imports every service, and with it its errors
    ordered = sorted(documented.values(), key=lambda error: (error.status, error.table_order, error.code))
    return {error.code: error for error in ordered}


def title_of(error: DomainError) -> str:
    """Return what the error's code is called, or its status where no class documents the code."""
    documenting = documented.get(error.code)
    return HTTPStatus(error.status).phrase if documenting is None else str(documenting.title)
