"""One row of a statement of our own as its model's instance, without the cost of `QuerySet.raw`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from django.db import connection
from django.db.models import Model

M = TypeVar("M", bound=Model)


def columns(model: type[Model], source: str) -> str:
    """Return the model's columns in its own order: `columns(Wallet, "w")` is "w.id, w.user_id, …"."""
    return ", ".join(f"{source}.{field.column}" for field in model._meta.concrete_fields)


def one(
    model: type[M], statement: str, parameters: Mapping[str, Any] | Sequence[Any]
) -> tuple[M, tuple[Any, ...]] | None:
    """Return the first row: its first columns (those of `columns`) as an instance, and the columns after them.

    None without a row. For models whose fields need no conversion on their way from the database.
    """
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        row = cursor.fetchone()
    return None if row is None else instance(model, row)


def instance(model: type[M], row: Sequence[Any]) -> tuple[M, tuple[Any, ...]]:
    """Return an instance of a row's first columns, and the rest of the row."""
    names = [field.attname for field in model._meta.concrete_fields]
    return model.from_db(connection.alias, names, row[: len(names)]), tuple(row[len(names) :])
