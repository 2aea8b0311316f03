"""Encrypt again, under the newest key, all that is encrypted at rest, in batches that take little memory.

What the newest key has encrypted is passed over, so an interrupted run goes on where it stopped. A row that changes
meanwhile is left as it is: it was written with the newest key.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import connection, models, transaction

from config.lib.commands import Step
from config.lib.secrets.encryption import EncryptedTextField, NoKeyFits, rotate

_BATCH = 500
_READ = "SELECT {pk}, {it} FROM {table} WHERE {it} IS NOT NULL AND {pk} > %s ORDER BY {pk} LIMIT %s"
_WRITE = "UPDATE {table} SET {it} = %s WHERE {pk} = %s AND {it} = %s"
Column = tuple[type[models.Model], EncryptedTextField]


@dataclass
class Rotated:
    """How many values of a column were checked, encrypted again (or would be), and opened by no key."""

    column: str
    checked: int = 0
    sealed: int = 0
    unreadable: int = 0


def encrypted_columns() -> Iterator[Column]:
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if isinstance(field, EncryptedTextField):
                yield model, field


def rotate_column(column: Column, *, execute: bool, step: Step) -> Rotated:
    """Encrypt the column's values again; each batch is a transaction of its own."""
    model, field = column
    quote = connection.ops.quote_name
    names = {
        "table": quote(model._meta.db_table),
        "pk": quote(str(model._meta.pk.column)),
        "it": quote(str(field.column)),
    }
    read, write = _READ.format(**names), _WRITE.format(**names)
    rotated, last = Rotated(f"{model._meta.label}.{field.name}"), 0
    with connection.cursor() as cursor:
        while True:
            cursor.execute(read, [last, _BATCH])
            rows: list[tuple[int, Any]] = cursor.fetchall()
            if not rows:
                return rotated
            last = rows[-1][0]
            changes = list(_changes(rows, rotated, step))
            if execute and changes:
                with transaction.atomic():
                    cursor.executemany(write, changes)


def _changes(rows: list[tuple[int, Any]], rotated: Rotated, step: Step) -> Iterator[tuple[bytes, int, bytes]]:
    """Yield (new token, primary key, old token) of each row that the newest key has not encrypted."""
    for pk, stored in rows:
        step()
        rotated.checked += 1
        token = bytes(stored)
        try:
            fresh = rotate(token)
        except NoKeyFits:
            rotated.unreadable += 1
            continue
        if fresh is not None:
            rotated.sealed += 1
            yield fresh, pk, token
