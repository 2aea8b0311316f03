"""Database functions and triggers of the money core, as current text: one .sql file each.

A migration applies a whole file (`CREATE OR REPLACE`), so a change is an edit of the file and a new migration with
`migrations.RunSQL(sql.read("post"))`. Migrations that ran before need no edit: on a new database the first of them
applies the current text already, and each later one applies it again.
"""

from pathlib import Path


def read(name: str) -> str:
    """Return the text of `wallet/sql/{name}.sql`."""
    return (Path(__file__).parent / f"{name}.sql").read_text()
