"""Deployment checks (`manage.py check --deploy`) that Django does not have."""

import os
from typing import Any

from django.core.checks import CheckMessage, Error, Info, Tags, register
from django.db import DatabaseError, connection

# The rights of the role that logged in, since a session can return to it from any other.
_RIGHTS = """
SELECT rolname,
    rolsuper,
    rolcreaterole,
    EXISTS (SELECT FROM pg_roles test WHERE test.rolname = 'ringfence_test'
        AND pg_has_role(session_user, test.oid, 'MEMBER')),
    coalesce((SELECT pg_has_role(session_user, relowner, 'MEMBER')
        OR has_table_privilege(session_user, oid, 'TRUNCATE, TRIGGER')
        FROM pg_class WHERE oid = to_regclass('wallet_transaction')), false)
FROM pg_roles WHERE rolname = session_user
"""
_WHY = (
    "is a superuser",
    "may make roles",
    "is a member of the tests' role, ringfence_test",
    "owns the journal, or may empty it or add triggers to it",
)


@register(Tags.security, deploy=True)
def journal_can_not_be_truncated(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Warn where the test switch of the journal's trigger can reach a real database."""
    if "ringfence.test" in os.environ.get("PGOPTIONS", ""):
        return [
            Error("PGOPTIONS turns on ringfence.test: the journal could be truncated. Unset it.", id="ringfence.E001")
        ]
    return []


@register(Tags.security, deploy=True)
def the_role_can_not_get_past_the_journals_guard(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Report whether the role that the product runs as could empty the journal or remove its trigger."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(_RIGHTS)
            name, *rights = cursor.fetchone()
    except DatabaseError as error:
        why = str(error).partition("\n")[0]
        return [Info(f"The rights of the database role were not looked at: {why}", id="ringfence.I002")]
    found = [why for why, held in zip(_WHY, rights, strict=True) if held]
    if not found or "is a superuser" in found:
        found = found[:1]  # a superuser has all the other rights too
    return [
        Error(
            f"The database role {name} {why}: it could get past the guard of the journal.",
            hint="Run the product as a lesser role and migrate as the owner: docs/deployment.md.",
            id="ringfence.E002",
        )
        for why in found
    ]
