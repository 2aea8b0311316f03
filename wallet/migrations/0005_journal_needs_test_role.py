"""Emptying the journal takes the role `ringfence_test` besides the switch: a role that only the tests' server has."""

from django.db import migrations

WITH_ROLE = """
CREATE OR REPLACE FUNCTION wallet_journal_is_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' AND current_setting('ringfence.test', true) = 'on' AND EXISTS (
        SELECT FROM pg_catalog.pg_roles WHERE rolname = 'ringfence_test' AND pg_has_role(session_user, oid, 'MEMBER')
    ) THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'The journal only grows: % is refused. Post a correcting row instead.', TG_OP
        USING ERRCODE = 'restrict_violation';
END $$;
"""

WITHOUT_ROLE = """
CREATE OR REPLACE FUNCTION wallet_journal_is_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' AND current_setting('ringfence.test', true) = 'on' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'The journal only grows: % is refused. Post a correcting row instead.', TG_OP
        USING ERRCODE = 'restrict_violation';
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("wallet", "0004_staff_permissions")]

    operations = [migrations.RunSQL(WITH_ROLE, WITHOUT_ROLE)]
